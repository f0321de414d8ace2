// The display and the sprite of the stand-in.
#include "M5StickCPlus.h"
#include "glyphs.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include "stb_image_write.h"
#pragma GCC diagnostic pop

static uint16_t swapped(uint16_t colour) { return static_cast<uint16_t>(colour >> 8 | colour << 8); }

void TFT_eSPI::setRotation(uint8_t rotation) {
  width_ = rotation & 1 ? 240 : 135;
  height_ = rotation & 1 ? 135 : 240;
}

void TFT_eSPI::pushImage(int32_t x, int32_t y, int32_t w, int32_t h, const uint16_t *words) {
  for (int32_t row = 0; row < h; row++) {
    for (int32_t column = 0; column < w; column++) {
      const int32_t to_x = x + column, to_y = y + row;
      if (to_x < 0 || to_y < 0 || to_x >= width_ || to_y >= height_) continue;
      memory_[to_y * width_ + to_x] = swapped(words[row * w + column]);
    }
  }
  pushes++;
}

bool TFT_eSPI::save_png(const char *path) const {
  std::vector<uint8_t> rgb;
  for (uint16_t word : memory_) {
    const int red = word >> 11, green = word >> 5 & 63, blue = word & 31;
    rgb.push_back(static_cast<uint8_t>(red << 3 | red >> 2));
    rgb.push_back(static_cast<uint8_t>(green << 2 | green >> 4));
    rgb.push_back(static_cast<uint8_t>(blue << 3 | blue >> 2));
  }
  char unfinished[4096];
  snprintf(unfinished, sizeof(unfinished), "%s.part", path);
  return stbi_write_png(unfinished, width_, height_, 3, rgb.data(), width_ * 3) && rename(unfinished, path) == 0;
}

void *TFT_eSprite::createSprite(int16_t w, int16_t h) {
  width_ = w;
  height_ = h;
  memory_.assign(static_cast<size_t>(w) * h, 0);
  return memory_.data();
}

void TFT_eSprite::drawPixel(int32_t x, int32_t y, uint16_t colour) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  memory_[y * width_ + x] = swapped(colour);
}

void TFT_eSprite::fillRect(int32_t x, int32_t y, int32_t w, int32_t h, uint16_t colour) {
  for (int32_t row = y; row < y + h; row++) {
    for (int32_t column = x; column < x + w; column++) drawPixel(column, row, colour);
  }
}

void TFT_eSprite::drawRect(int32_t x, int32_t y, int32_t w, int32_t h, uint16_t colour) {
  fillRect(x, y, w, 1, colour);
  fillRect(x, y + h - 1, w, 1, colour);
  fillRect(x, y, 1, h, colour);
  fillRect(x + w - 1, y, 1, h, colour);
}

void TFT_eSprite::pushImage(int32_t x, int32_t y, int32_t w, int32_t h, const uint16_t *data) {
  for (int32_t row = 0; row < h; row++) {
    for (int32_t column = 0; column < w; column++) {
      const uint16_t word = data[row * w + column];
      drawPixel(x + column, y + row, swap_ ? swapped(word) : word);
    }
  }
}

size_t TFT_eSprite::write(uint8_t byte) {
  if (byte == '\n' || (wrap_ && byte >= ' ' && x_ + 6 * size_ > width_)) {
    x_ = 0;
    y_ = static_cast<int16_t>(y_ + 8 * size_);
  }
  if (byte < ' ') return 1;
  for (int row = 0; row < 8; row++) {
    for (int column = 0; column < 6; column++) {
      const uint16_t colour = glyph_pixel(byte, column, row) ? colour_ : ground_;
      fillRect(x_ + column * size_, y_ + row * size_, size_, size_, colour);
    }
  }
  x_ = static_cast<int16_t>(x_ + 6 * size_);
  return 1;
}
