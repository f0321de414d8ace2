// Finds frames in the bytes of a serial line; the same rules as src/k210kit/link/frames.py and legacy.py.
// Plain C++11, no allocation: one buffer, and a candidate that fails is given up two bytes on.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "layout.h"

namespace k210 {

inline uint16_t get16(const uint8_t *at) { return static_cast<uint16_t>(at[0] | at[1] << 8); }

inline uint32_t get32(const uint8_t *at) { return get16(at) | static_cast<uint32_t>(get16(at + 2)) << 16; }

// CRC-32 of zlib, four bits at a time.
inline uint32_t crc32(const uint8_t *data, size_t length, uint32_t crc = 0) {
  static const uint32_t kTable[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  crc = ~crc;
  for (size_t i = 0; i < length; i++) {
    crc = kTable[(crc ^ data[i]) & 15] ^ (crc >> 4);
    crc = kTable[(crc ^ (data[i] >> 4)) & 15] ^ (crc >> 4);
  }
  return ~crc;
}

struct Frame {
  uint8_t kind;  // layout::Kind, or kLegacy: the payload is a whole JPEG of the older programs
  uint16_t sequence;
  const uint8_t *payload;  // valid until the next call of the decoder
  size_t length;
};

const uint8_t kLegacy = 255;

struct Counts {
  uint32_t frames, lost, damaged, resyncs, skipped;
};

// `Most` is the longest payload that is taken. Fill `room()`, say how much with `filled()`, call `next()` until false.
template <size_t Most>
class Decoder {
 public:
  Counts counts = {0, 0, 0, 0, 0};

  uint8_t *room(size_t *free) {
    if (at_) {
      memmove(buffer_, buffer_ + at_, end_ - at_);
      end_ -= at_;
      looked_ = looked_ > at_ ? looked_ - at_ : 0;
      at_ = 0;
    }
    *free = sizeof(buffer_) - end_;
    return buffer_ + end_;
  }

  void filled(size_t count) { end_ += count; }

  size_t pending() const { return end_ - at_; }

  // A whole frame, if there is one. `give_up`: the line has been silent, judge what is there as it is.
  bool next(Frame *frame, bool give_up = false) {
    while (at_ < end_) {
      if (buffer_[at_] == layout::kSync[0]) {
        const Verdict verdict = try_frame(frame);
        if (verdict == kWhole) return true;
        if (verdict == kUnwanted) continue;
        if (verdict == kNeedsMore && !give_up) return false;
      } else if (buffer_[at_] == 0) {
        const Verdict verdict = try_legacy(frame);
        if (verdict == kWhole) return true;
        if (verdict == kNeedsMore && !give_up) return false;
      }
      skip();
    }
    return false;
  }

 private:
  enum Verdict { kNo, kNeedsMore, kUnwanted, kWhole };

  uint8_t buffer_[Most + layout::kOverhead];
  size_t at_ = 0, end_ = 0, looked_ = 0;
  bool in_step_ = false, any_ = false;
  uint16_t last_ = 0;
  uint32_t last_crc_ = 0;

  void skip() {
    at_++;
    counts.skipped++;
    counts.resyncs += in_step_;
    in_step_ = false;
  }

  bool header_fits(const uint8_t *head) const {
    return head[0] == layout::kSync[0] && head[1] == layout::kSync[1] &&
           get16(head + layout::Header::check) == (crc32(head, layout::Header::check) & 0xffff) &&
           get32(head + layout::Header::length) <= Most;
  }

  Verdict try_frame(Frame *frame) {
    const uint8_t *head = buffer_ + at_;
    const size_t have = end_ - at_;
    if (have >= 2 && head[1] != layout::kSync[1]) return kNo;
    if (have < static_cast<size_t>(layout::Header::kSize)) return kNeedsMore;
    if (!header_fits(head)) return kNo;
    const size_t length = get32(head + layout::Header::length), body = layout::Header::kSize;
    if (have < length + layout::kOverhead) return kNeedsMore;
    const uint32_t crc = crc32(head, body + length);
    if (get32(head + body + length) != crc) {
      counts.damaged++;
      return kNo;
    }
    in_step_ = true;
    at_ += length + layout::kOverhead;
    looked_ = at_;
    const uint8_t version_and_kind = head[layout::Header::version];
    const uint16_t sequence = get16(head + layout::Header::sequence);
    if (version_and_kind >> 4 != layout::kVersion || !is_new(sequence, crc)) return kUnwanted;
    *frame = {static_cast<uint8_t>(version_and_kind & 15), sequence, head + body, length};
    return kWhole;
  }

  bool is_new(uint16_t sequence, uint32_t crc) {
    if (any_ && sequence == last_ && crc == last_crc_) return false;
    const uint16_t gap = static_cast<uint16_t>(sequence - last_ - 1);
    if (any_ && gap < 1000) counts.lost += gap;
    any_ = true;
    last_ = sequence;
    last_crc_ = crc;
    counts.frames++;
    return true;
  }

  bool legacy_start(size_t at) const {
    const uint8_t *b = buffer_ + at;
    return end_ - at >= 7 && b[0] == 0 && b[1] == 0 && b[4] == 0xff && b[5] == 0xd8 && b[6] == 0xff;
  }

  // 00 00, big-endian length, JPEG. While it is incomplete, any other start inside it says that its length is wrong.
  Verdict try_legacy(Frame *frame) {
    const size_t have = end_ - at_;
    if (have < 7) return maybe_legacy(have) ? kNeedsMore : kNo;
    if (!legacy_start(at_)) return kNo;
    const uint8_t *head = buffer_ + at_;
    const size_t length = static_cast<size_t>(head[2] << 8 | head[3]);
    if (length < 4 || length + 4 > sizeof(buffer_)) return kNo;
    if (have < length + 4) {
      for (size_t at = looked_ > at_ + 4 ? looked_ : at_ + 4; at + layout::Header::kSize <= end_; at++) {
        if (legacy_start(at) || header_fits(buffer_ + at)) return kNo;
        looked_ = at;
      }
      return kNeedsMore;
    }
    if (head[length + 2] != 0xff || head[length + 3] != 0xd9) return kNo;
    at_ += length + 4;
    looked_ = at_;
    in_step_ = true;
    *frame = {kLegacy, 0, head + 4, length};
    return kWhole;
  }

  bool maybe_legacy(size_t have) const {
    static const uint8_t kMarks[7] = {0, 0, 0, 0, 0xff, 0xd8, 0xff};
    for (size_t i = 0; i < have; i++) {
      if (i != 2 && i != 3 && buffer_[at_ + i] != kMarks[i]) return false;
    }
    return true;
  }
};

// Writes frames towards the camera.
class Encoder {
 public:
  // `out` has room for layout::Command::kSize + layout::kOverhead bytes.
  size_t command(uint8_t *out, uint8_t what, uint32_t value) {
    using namespace layout;
    out[0] = kSync[0];
    out[1] = kSync[1];
    out[Header::version] = static_cast<uint8_t>(kVersion << 4 | kKindCommand);
    put16(out + Header::sequence, sequence_++);
    put32(out + Header::length, Command::kSize);
    put16(out + Header::check, static_cast<uint16_t>(crc32(out, Header::check)));
    uint8_t *payload = out + Header::kSize;
    payload[Command::what] = what;
    put32(payload + Command::value, value);
    put32(payload + Command::kSize, crc32(out, Header::kSize + Command::kSize));
    return Command::kSize + kOverhead;
  }

 private:
  uint16_t sequence_ = 0;

  static void put16(uint8_t *at, uint16_t value) {
    at[0] = static_cast<uint8_t>(value);
    at[1] = static_cast<uint8_t>(value >> 8);
  }

  static void put32(uint8_t *at, uint32_t value) {
    put16(at, static_cast<uint16_t>(value));
    put16(at + 2, static_cast<uint16_t>(value >> 16));
  }
};

struct Box {
  uint16_t x, y, width, height, score;
  const char *label;  // not terminated
  uint8_t label_bytes;
};

// The boxes of a picture, read one after another; nothing is copied.
class Boxes {
 public:
  uint16_t width = 0, height = 0;  // of the picture they are measured in

  Boxes() {}

  Boxes(const uint8_t *data, size_t length) : at_(data), end_(data + length) {
    if (length < static_cast<size_t>(layout::Detections::kSize)) {
      at_ = end_;
      return;
    }
    width = get16(data + layout::Detections::width);
    height = get16(data + layout::Detections::height);
    left_ = data[layout::Detections::count];
    at_ += layout::Detections::kSize;
  }

  bool next(Box *box) {
    namespace field = layout::Box;
    if (!left_ || end_ - at_ < field::kSize) return false;
    const uint8_t *b = at_;
    box->x = get16(b + field::x);
    box->y = get16(b + field::y);
    box->width = get16(b + field::width);
    box->height = get16(b + field::height);
    box->score = get16(b + field::score);
    box->label = reinterpret_cast<const char *>(b + field::kSize);
    box->label_bytes = b[field::label_bytes];
    at_ += field::kSize;
    if (end_ - at_ < box->label_bytes) return false;
    at_ += box->label_bytes;
    left_--;
    return true;
  }

 private:
  const uint8_t *at_ = nullptr, *end_ = nullptr;
  int left_ = 0;
};

// Puts a picture's head and its compressed part together again.
template <size_t Most>
class Jpegs {
 public:
  const uint8_t *data = nullptr;
  size_t length = 0, sent = 0;  // of the JPEG; of it on the wire
  uint16_t age_ms = 0;
  uint8_t quality = 0;  // 0: the camera did not say
  Boxes boxes;

  void keep_head(const uint8_t *head, size_t length) {
    if (length > sizeof(heads_[0].data)) return;
    const uint16_t low = static_cast<uint16_t>(crc32(head, length));
    Head &slot = heads_[turn_++ % kHeads];
    memcpy(slot.data, head, length);
    slot.length = length;
    slot.number = low ? low : 1;
  }

  enum Result { kReady, kNoHead, kBad };

  Result take(const Frame &frame) {
    sent = frame.length;
    boxes = Boxes();
    if (frame.kind == kLegacy) {
      quality = 0;
      age_ms = 0;
      return join(nullptr, 0, frame.payload, frame.length);
    }
    using namespace layout;
    if (frame.length < static_cast<size_t>(Picture::kSize)) return kBad;
    const uint16_t number = get16(frame.payload + Picture::head), box_bytes = get16(frame.payload + Picture::boxes);
    const uint8_t *rest = frame.payload + Picture::kSize;
    const size_t rest_bytes = frame.length - Picture::kSize;
    if (box_bytes > rest_bytes) return kBad;
    quality = frame.payload[Picture::quality];
    age_ms = get16(frame.payload + Picture::age_ms);
    boxes = Boxes(rest, box_bytes);
    if (!number) return join(nullptr, 0, rest + box_bytes, rest_bytes - box_bytes);
    for (const Head &head : heads_) {
      if (head.length && head.number == number) {
        return join(head.data, head.length, rest + box_bytes, rest_bytes - box_bytes);
      }
    }
    return kNoHead;
  }

 private:
  static const int kHeads = 4;
  struct Head {
    uint16_t number;
    size_t length;
    uint8_t data[700];
  };
  Head heads_[kHeads] = {};
  unsigned turn_ = 0;
  uint8_t joined_[Most];

  Result join(const uint8_t *head, size_t head_bytes, const uint8_t *scan, size_t scan_bytes) {
    if (!head_bytes) {
      data = scan;
      length = scan_bytes;
      return kReady;
    }
    if (head_bytes + scan_bytes > sizeof(joined_)) return kBad;
    memcpy(joined_, head, head_bytes);
    memcpy(joined_ + head_bytes, scan, scan_bytes);
    data = joined_;
    length = head_bytes + scan_bytes;
    return kReady;
  }
};

}  // namespace k210
