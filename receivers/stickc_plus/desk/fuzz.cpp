// libFuzzer's entry to everything of the sketch that meets bytes from the line. Build and run: desk/README.md.
#include "link.h"
#include "picture.h"

static const size_t kMost = 4096;

static void look_at(const k210::Frame &frame, k210::Jpegs<kMost + 1024> *jpegs) {
  if (frame.kind == layout::kKindPictureHead) {
    jpegs->keep_head(frame.payload, frame.length);
  } else if (frame.kind == layout::kKindPicture || frame.kind == k210::kLegacy) {
    if (jpegs->take(frame) != jpegs->kReady) return;
    k210::Boxes boxes = jpegs->boxes;
    k210::Box box;
    unsigned sum = 0;
    while (boxes.next(&box)) {
      for (int i = 0; i < box.label_bytes; i++) sum += static_cast<unsigned char>(box.label[i]);
    }
    k210::Picture picture(jpegs->data, jpegs->length, 64 * 64);
    for (int i = 0; picture.pixels && i < picture.width * picture.height; i++) sum += picture.pixels[i];
    volatile unsigned kept = sum;
    (void)kept;
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static k210::Decoder<kMost> *decoder;
  static k210::Jpegs<kMost + 1024> *jpegs;
  delete decoder;
  delete jpegs;
  decoder = new k210::Decoder<kMost>();
  jpegs = new k210::Jpegs<kMost + 1024>();
  if (!size) return 0;
  const size_t chunk = data[0] % 64 + 1;
  const bool wrapped = data[0] & 64;  // the rest is a payload behind a CRC that is right
  data++;
  size--;
  if (wrapped && size) {
    look_at({static_cast<uint8_t>(data[0] & 7), 0, data + 1, size - 1}, jpegs);
    look_at({k210::kLegacy, 0, data + 1, size - 1}, jpegs);
    return 0;
  }
  k210::Frame frame;
  while (size) {
    size_t free;
    uint8_t *room = decoder->room(&free);
    if (!free) __builtin_trap();  // a full buffer that nothing comes out of
    size_t count = chunk < size ? chunk : size;
    if (count > free) count = free;
    memcpy(room, data, count);
    decoder->filled(count);
    data += count;
    size -= count;
    while (decoder->next(&frame)) look_at(frame, jpegs);
  }
  while (decoder->next(&frame, true)) look_at(frame, jpegs);
  if (decoder->pending()) __builtin_trap();
  return 0;
}
