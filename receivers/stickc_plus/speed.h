// The receiver's side of the agreement on a speed; the same rules as src/k210kit/link/speed.py.
#pragma once
#include <stdint.h>

#include "layout.h"

namespace k210 {

class Speed {
 public:
  uint32_t baud = layout::kFirstBaud;  // to use now
  const char *news = nullptr;          // what went wrong, once

  // A command to send now: its number, or -1. Call until it is -1.
  int command(uint32_t *value) {
    if (confirm_) {
      confirm_ = false;
      *value = baud;
      return layout::kCommandKindConfirm;
    }
    if (ask_) {
      ask_ = false;
      *value = wanted_;
      return layout::kCommandKindBaud;
    }
    if (keep_) {
      keep_ = false;
      *value = 0;
      return layout::kCommandKindKeep;
    }
    return -1;
  }

  void wish(uint32_t rate, uint32_t now) {
    wanted_ = rate;
    asked_ = 0;
    ask(now);
  }

  void answered(bool accepted, uint32_t rate, uint32_t now) {
    if (!wanted_) return;
    if (accepted && rate == wanted_) {
      baud = rate;
      trying_ = baud != layout::kFirstBaud;
      frame_at_ = keep_at_ = now;
      judged_ = bad_ = 0;
    } else {
      news = "speed refused";
    }
    wanted_ = 0;
  }

  void frame(uint32_t now, uint32_t damaged) {
    frame_at_ = now;
    judged_ += damaged + 1;
    bad_ += damaged;
    if (trying_) {
      trying_ = false;
      confirm_ = true;
    }
  }

  void tick(uint32_t now) {
    if (wanted_ && now - asked_at_ > layout::kAnswerPatienceMs) {
      if (asked_ < layout::kAskTimes) {
        ask(now);
      } else {
        wanted_ = 0;
        news = "no answer";
      }
    }
    if (baud == layout::kFirstBaud) return;
    if (now - frame_at_ > layout::kReceiverPatienceMs) {
      baud = layout::kFirstBaud;
      trying_ = false;
      wanted_ = 0;
      news = "line silent";
    } else if (now - keep_at_ >= layout::kKeepEveryMs) {
      keep_at_ = now;
      keep_ = true;
    }
    if (judged_ >= layout::kWindow) step_down_if_bad(now);
  }

 private:
  uint32_t wanted_ = 0, asked_at_ = 0, frame_at_ = 0, keep_at_ = 0, judged_ = 0, bad_ = 0;
  int asked_ = 0;
  bool trying_ = false, ask_ = false, keep_ = false, confirm_ = false;

  void ask(uint32_t now) {
    asked_++;
    asked_at_ = now;
    ask_ = true;
  }

  void step_down_if_bad(uint32_t now) {
    const bool bad = bad_ * 100 >= judged_ * layout::kBadPercent;
    judged_ = bad_ = 0;
    if (!bad || wanted_ || baud == layout::kFirstBaud) return;
    uint32_t lower = layout::kFirstBaud;
    for (uint32_t rate : layout::kSpeeds) {
      if (rate < baud && rate > lower) lower = rate;
    }
    news = "line bad";
    wish(lower, now);
  }
};

}  // namespace k210
