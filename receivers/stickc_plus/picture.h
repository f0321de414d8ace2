// JPEG to the 16-bit colours of the display: the one owner of stb_image.
// stb_image.h is not part of this folder: see README.md.
#pragma once
#include <stdint.h>
#include <stdlib.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ONLY_JPEG
#define STBI_MAX_DIMENSIONS 320
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "stb_image.h"
#pragma GCC diagnostic pop

namespace k210 {

// Whether nothing but one scan's data and the end marker follow.
inline bool is_one_scan(const uint8_t *data, const uint8_t *end) {
  for (; end - data >= 2; data++) {
    if (data[0] != 0xff || data[1] == 0 || (data[1] >= 0xd0 && data[1] <= 0xd7)) continue;
    return data[1] == 0xd9;
  }
  return false;
}

// Whether a JPEG is of the plain kind that cameras send: whole segments, one baseline frame header, Huffman tables
// within bounds, one scan. stb_image writes past its tables when one counts more than 256 codes (found by fuzzing),
// and reads tables behind the first scan too.
inline bool is_plain_jpeg(const uint8_t *jpeg, size_t length) {
  if (length < 4 || jpeg[0] != 0xff || jpeg[1] != 0xd8) return false;
  bool has_frame = false;
  for (size_t at = 2; at + 4 <= length && jpeg[at] == 0xff;) {
    const uint8_t marker = jpeg[at + 1];
    const size_t size = static_cast<size_t>(jpeg[at + 2] << 8 | jpeg[at + 3]), end = at + 2 + size;
    if (size < 2 || end > length || marker < 0xc0 || marker == 0xff) return false;
    if (marker == 0xda) return has_frame && is_one_scan(jpeg + end, jpeg + length);
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4) {  // frame headers, and arithmetic coding
      if (marker != 0xc0 || has_frame) return false;
      has_frame = true;
    }
    if (marker == 0xc4) {
      for (size_t table = at + 4; table < end;) {
        size_t codes = 0;
        if (table + 17 > end) return false;
        for (size_t i = 1; i <= 16; i++) codes += jpeg[table + i];
        if (codes > 256) return false;
        table += 17 + codes;
      }
    }
    at = end;
  }
  return false;
}

// Owns the pixels of one decoded picture.
class Picture {
 public:
  int width = 0, height = 0;
  uint16_t *pixels = nullptr;   // red in the highest five bits; the display's own numbers
  const char *error = nullptr;  // why there are no pixels

  // Pictures larger than `most_pixels` are refused: three bytes per pixel must fit into the heap at once.
  Picture(const uint8_t *jpeg, size_t length, int most_pixels) {
    int components = 0;
    if (!is_plain_jpeg(jpeg, length) || !stbi_info_from_memory(jpeg, static_cast<int>(length), &width, &height, &components)) {
      error = "no JPEG";
    } else if (width * height > most_pixels) {
      error = "too large";
    } else {
      uint8_t *rgb = stbi_load_from_memory(jpeg, static_cast<int>(length), &width, &height, &components, 3);
      if (!rgb) error = stbi_failure_reason();  // "outofmem" too
      pixels = to_565(rgb);
    }
  }

  ~Picture() { stbi_image_free(pixels); }

  Picture(const Picture &) = delete;
  Picture &operator=(const Picture &) = delete;

 private:
  // In place: each pixel shrinks from three bytes to two.
  uint16_t *to_565(uint8_t *rgb) {
    if (!rgb) return nullptr;
    uint16_t *out = reinterpret_cast<uint16_t *>(rgb);
    for (int i = 0; i < width * height; i++) {
      const uint8_t *p = rgb + 3 * i;
      const uint16_t colour = static_cast<uint16_t>((p[0] & 0xf8) << 8 | (p[1] & 0xfc) << 3 | p[2] >> 3);
      out[i] = colour;
    }
    return out;
  }
};

}  // namespace k210
