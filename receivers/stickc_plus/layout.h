// Written by `python -m docs.generate` from src/k210kit/link; do not edit.
#pragma once
#include <stdint.h>

namespace layout {

const uint8_t kSync[2] = {0xff, 0x4b};
const uint8_t kVersion = 1;
const int kOverhead = 15;

enum Kind : uint8_t {
  kKindPicture = 1,
  kKindDetections = 2,
  kKindText = 3,
  kKindCommand = 4,
  kKindAnswer = 5,
  kKindCapability = 6,
  kKindPictureHead = 7,
};

enum CommandKind : uint8_t {
  kCommandKindHello = 0,
  kCommandKindQuality = 1,
  kCommandKindSize = 2,
  kCommandKindPause = 3,
  kCommandKindBaud = 4,
  kCommandKindConfirm = 5,
  kCommandKindKeep = 6,
  kCommandKindHead = 7,
  kCommandKindRate = 8,
};

namespace Header {  // offsets in bytes
const int kSize = 11;
const int sync = 0;  // 2 bytes
const int version = 2;  // 1 bytes
const int sequence = 3;  // 2 bytes
const int length = 5;  // 4 bytes
const int check = 9;  // 2 bytes
}  // namespace Header

namespace Picture {  // offsets in bytes
const int kSize = 7;
const int head = 0;  // 2 bytes
const int age_ms = 2;  // 2 bytes
const int quality = 4;  // 1 bytes
const int boxes = 5;  // 2 bytes
}  // namespace Picture

namespace Detections {  // offsets in bytes
const int kSize = 5;
const int width = 0;  // 2 bytes
const int height = 2;  // 2 bytes
const int count = 4;  // 1 bytes
}  // namespace Detections

namespace Box {  // offsets in bytes
const int kSize = 11;
const int x = 0;  // 2 bytes
const int y = 2;  // 2 bytes
const int width = 4;  // 2 bytes
const int height = 6;  // 2 bytes
const int score = 8;  // 2 bytes
const int label_bytes = 10;  // 1 bytes
}  // namespace Box

namespace Command {  // offsets in bytes
const int kSize = 5;
const int what = 0;  // 1 bytes
const int value = 1;  // 4 bytes
}  // namespace Command

namespace Answer {  // offsets in bytes
const int kSize = 6;
const int what = 0;  // 1 bytes
const int accepted = 1;  // 1 bytes
const int value = 2;  // 4 bytes
}  // namespace Answer

namespace Capability {  // offsets in bytes
const int kSize = 15;
const int width = 0;  // 2 bytes
const int height = 2;  // 2 bytes
const int quality = 4;  // 1 bytes
const int rate = 5;  // 1 bytes
const int flags = 6;  // 1 bytes
const int baud = 7;  // 4 bytes
const int most_baud = 11;  // 4 bytes
}  // namespace Capability

const uint32_t kSpeeds[] = {115200, 460800, 921600, 1500000};
const uint32_t kFirstBaud = 115200;
const uint32_t kReceiverPatienceMs = 3500;
const uint32_t kKeepEveryMs = 1000;
const uint32_t kAnswerPatienceMs = 1000;
const int kAskTimes = 3;
const int kWindow = 40;
const int kBadPercent = 20;

}  // namespace layout
