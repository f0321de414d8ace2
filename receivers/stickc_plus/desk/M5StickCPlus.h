// A stand-in for the M5StickCPlus library on a desk computer: the calls the sketch makes, the display's real geometry
// and 16-bit colours, buttons pressed by a plan. Ours; it follows the published library's behaviour where pixels
// depend on it: a sprite keeps its colours with swapped bytes, and pushImage swaps them unless setSwapBytes(true).
#pragma once
#include <vector>

#include "Arduino.h"

#define TFT_BLACK 0x0000
#define TFT_WHITE 0xFFFF
#define TFT_GREEN 0x07E0
#define TFT_RED 0xF800

class TFT_eSPI {
 public:
  void setRotation(uint8_t rotation);
  int16_t width() const { return width_; }
  int16_t height() const { return height_; }
  // Raw words as they go over SPI: red in the first byte.
  void pushImage(int32_t x, int32_t y, int32_t w, int32_t h, const uint16_t *swapped);
  bool save_png(const char *path) const;
  uint32_t pushes = 0;

 private:
  int16_t width_ = 135, height_ = 240;
  std::vector<uint16_t> memory_ = std::vector<uint16_t>(135 * 240);  // as the display keeps them: not swapped
};

class TFT_eSprite : public Print {
 public:
  explicit TFT_eSprite(TFT_eSPI *display) : display_(display) {}
  void *createSprite(int16_t w, int16_t h);
  void setSwapBytes(bool swap) { swap_ = swap; }
  void setTextSize(uint8_t size) { size_ = size; }
  void setTextColor(uint16_t colour, uint16_t ground) { colour_ = colour, ground_ = ground; }
  void setTextWrap(bool wrap) { wrap_ = wrap; }
  void setCursor(int16_t x, int16_t y) { x_ = x, y_ = y; }
  int16_t width() const { return width_; }
  int16_t height() const { return height_; }
  void fillSprite(uint16_t colour) { fillRect(0, 0, width_, height_, colour); }
  void fillRect(int32_t x, int32_t y, int32_t w, int32_t h, uint16_t colour);
  void drawRect(int32_t x, int32_t y, int32_t w, int32_t h, uint16_t colour);
  void drawPixel(int32_t x, int32_t y, uint16_t colour);
  void pushImage(int32_t x, int32_t y, int32_t w, int32_t h, const uint16_t *data);
  void pushSprite(int32_t x, int32_t y) { display_->pushImage(x, y, width_, height_, memory_.data()); }
  size_t write(uint8_t byte) override;

 private:
  TFT_eSPI *display_;
  int16_t width_ = 0, height_ = 0, x_ = 0, y_ = 0;
  uint16_t colour_ = TFT_WHITE, ground_ = TFT_BLACK;
  uint8_t size_ = 1;
  bool swap_ = false, wrap_ = true;
  std::vector<uint16_t> memory_;
};

class Button {
 public:
  explicit Button(char name) : name_(name) {}
  uint8_t wasPressed();  // true once after each press

 private:
  char name_;
};

class AXP192 {
 public:
  void ScreenBreath(int) {}
};

class M5StickCPlus {
 public:
  TFT_eSPI Lcd;
  AXP192 Axp;
  Button BtnA = Button('A'), BtnB = Button('B');
  void begin() {}
  void update() {}
};

extern M5StickCPlus M5;
