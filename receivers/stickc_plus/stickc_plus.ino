// M5StickC-Plus: receives pictures and boxes from a UnitV (examples/unitv_stream.py) or from the older program,
// and shows them with six figures. Button A: JPEG quality. Button B: speed of the line.
//
// UnitV TX 35 -> StickC RX 33, UnitV RX 34 <- StickC TX 32. How to flash: README.md.
#include <M5StickCPlus.h>

#include "layout.h"
#include "link.h"
#include "picture.h"
#include "speed.h"

const int kRxPin = 33, kTxPin = 32;
const size_t kMostPayload = 20 * 1024;  // a picture of 240x135 at quality 60 has about 12 kB
const int kMostPixels = 240 * 135;
const uint32_t kSilenceMs = 500;  // a frame that stays incomplete for so long is given up
const uint8_t kQualities[] = {0, 10, 22, 45};  // 0: the camera steers it

TFT_eSprite canvas = TFT_eSprite(&M5.Lcd);
k210::Decoder<kMostPayload> decoder;
k210::Jpegs<kMostPayload + 1024> jpegs;
k210::Encoder encoder;
k210::Speed speed;

struct Figures {
  uint32_t receive, decode, draw, total;
  float fps;
} figures;

uint32_t port_baud, heard_at, first_byte_at, shown_at, head_asked_at, damaged_before;
int quality_choice;
char status[48];

void say(const char *text, size_t length) {
  const size_t count = length < sizeof(status) - 1 ? length : sizeof(status) - 1;
  memcpy(status, text, count);
  status[count] = 0;
}

void send(uint8_t what, uint32_t value) {
  uint8_t frame[layout::Command::kSize + layout::kOverhead];
  Serial2.write(frame, encoder.command(frame, what, value));
}

void draw_boxes(k210::Boxes boxes, int left, int top, int width, int height) {
  k210::Box box;
  while (boxes.width && boxes.height && boxes.next(&box)) {
    const int x = left + box.x * width / boxes.width, y = top + box.y * height / boxes.height;
    const int w = box.width * width / boxes.width, h = box.height * height / boxes.height;
    canvas.drawRect(x, y, w, h, TFT_GREEN);
    canvas.drawRect(x + 1, y + 1, w - 2, h - 2, TFT_GREEN);
    char text[24];
    snprintf(text, sizeof(text), "%.*s %d%%", box.label_bytes < 16 ? box.label_bytes : 16, box.label, box.score / 100);
    canvas.setTextSize(1);
    canvas.setTextColor(TFT_BLACK, TFT_GREEN);
    canvas.setCursor(x, y >= 8 ? y - 8 : y);
    canvas.print(text);
  }
}

void draw_figures(size_t size) {
  canvas.setTextSize(2);
  canvas.setTextColor(TFT_WHITE, TFT_BLACK);
  canvas.setCursor(0, 0);
  canvas.printf("S%5u\n", static_cast<unsigned>(size));
  canvas.printf("R%5u\n", static_cast<unsigned>(figures.receive));
  canvas.printf("D%5u\n", static_cast<unsigned>(figures.decode));
  canvas.printf("I%5u\n", static_cast<unsigned>(figures.draw));
  canvas.printf("T%5u\n", static_cast<unsigned>(figures.total));
  canvas.printf("F%5.1f\n", figures.fps);
  canvas.setTextSize(1);
  canvas.printf("%u baud\n", static_cast<unsigned>(speed.baud));
  if (jpegs.quality) canvas.printf("q %d%s", jpegs.quality, quality_choice ? "" : " auto");
  canvas.printf(" !%u\n", static_cast<unsigned>(decoder.counts.damaged + decoder.counts.lost));
  canvas.setCursor(0, canvas.height() - 8);  // below the picture
  canvas.print(status);
}

void show(const k210::Frame &frame) {
  const auto result = jpegs.take(frame);
  if (result == jpegs.kNoHead && millis() - head_asked_at > 300) {
    head_asked_at = millis();
    send(layout::kCommandKindHead, 0);
  }
  if (result != jpegs.kReady) return;
  const uint32_t t2 = millis();
  k210::Picture picture(jpegs.data, jpegs.length, kMostPixels);
  const uint32_t t3 = millis();
  canvas.fillSprite(TFT_BLACK);
  if (picture.error) {
    say(picture.error, strlen(picture.error));
  } else {
    const int left = canvas.width() - picture.width, top = (canvas.height() - picture.height) / 2;
    canvas.pushImage(left, top, picture.width, picture.height, picture.pixels);
    draw_boxes(jpegs.boxes, left, top, picture.width, picture.height);
  }
  figures.receive = t2 - first_byte_at;
  figures.decode = t3 - t2;
  figures.total = t2 - shown_at;
  figures.fps = figures.total > 1 ? 1000.0f / figures.total : 0;  // 1000.0 would reach into the picture
  shown_at = t2;
  draw_figures(jpegs.sent);
  canvas.pushSprite(0, 0);
  figures.draw = millis() - t3;  // shown with the next picture
}

void understand(const k210::Frame &frame) {
  if (frame.kind == layout::kKindPicture || frame.kind == k210::kLegacy) {
    show(frame);
  } else if (frame.kind == layout::kKindPictureHead) {
    jpegs.keep_head(frame.payload, frame.length);
  } else if (frame.kind == layout::kKindText) {
    say(reinterpret_cast<const char *>(frame.payload), frame.length);
  } else if (frame.kind == layout::kKindAnswer && frame.length == layout::Answer::kSize &&
             frame.payload[layout::Answer::what] == layout::kCommandKindBaud) {
    speed.answered(frame.payload[layout::Answer::accepted], k210::get32(frame.payload + layout::Answer::value),
                   millis());
  }
}

void read_line() {
  const int waiting = Serial2.available();
  if (waiting > 0) {
    size_t free;
    uint8_t *room = decoder.room(&free);
    if (!decoder.pending()) first_byte_at = millis();
    const size_t count = static_cast<size_t>(waiting) < free ? waiting : free;
    decoder.filled(Serial2.readBytes(room, count));
    heard_at = millis();
  }
  k210::Frame frame;
  while (decoder.next(&frame, millis() - heard_at > kSilenceMs)) {
    speed.frame(millis(), decoder.counts.damaged - damaged_before);
    damaged_before = decoder.counts.damaged;
    understand(frame);
    first_byte_at = millis();
  }
}

void read_buttons() {
  M5.update();
  if (M5.BtnA.wasPressed()) {
    quality_choice = (quality_choice + 1) % (sizeof(kQualities) / sizeof(kQualities[0]));
    send(layout::kCommandKindQuality, kQualities[quality_choice]);
  }
  if (M5.BtnB.wasPressed()) {
    uint32_t next = layout::kFirstBaud;
    for (uint32_t rate : layout::kSpeeds) {
      if (rate > speed.baud) {
        next = rate;
        break;
      }
    }
    speed.wish(next, millis());
  }
}

void keep_speed() {
  speed.tick(millis());
  uint32_t value;
  for (int what; (what = speed.command(&value)) >= 0;) send(static_cast<uint8_t>(what), value);
  if (speed.news) {
    say(speed.news, strlen(speed.news));
    speed.news = nullptr;
  }
  if (speed.baud != port_baud) {
    Serial2.flush();
    Serial2.updateBaudRate(speed.baud);
    port_baud = speed.baud;
  }
}

void setup() {
  M5.begin();
  M5.Axp.ScreenBreath(13);
  M5.Lcd.setRotation(3);
  port_baud = speed.baud;
  Serial2.setRxBufferSize(16 * 1024);  // what comes while a picture is decoded and drawn, at 1,500,000 baud
  Serial2.begin(port_baud, SERIAL_8N1, kRxPin, kTxPin);
  canvas.createSprite(M5.Lcd.width(), M5.Lcd.height());
  canvas.setSwapBytes(false);
  canvas.setTextWrap(true);
  canvas.fillSprite(TFT_BLACK);
  canvas.setTextColor(TFT_WHITE, TFT_BLACK);
  canvas.print("waiting for the camera");
  canvas.pushSprite(0, 0);
  send(layout::kCommandKindHello, 0);
}

void loop() {
  read_line();
  read_buttons();
  keep_speed();
}
