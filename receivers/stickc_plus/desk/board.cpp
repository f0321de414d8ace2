// Runs the sketch on a desk computer: Serial2 is a pty, the display a PNG, the buttons follow a plan.
//
//   stickc --port PTY [--png FILE] [--every MS] [--pushes N] [--seconds S] [--press A@1500,B@3000]
//
// Prints `pushes N` at the end. The PNG is rewritten at most every --every milliseconds, and at the end.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "M5StickCPlus.h"

void setup();
void loop();

M5StickCPlus M5;
HardwareSerial Serial2;

static std::string port_path, png_path, plan;
static timespec started;

uint32_t micros() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint32_t>((now.tv_sec - started.tv_sec) * 1000000LL + (now.tv_nsec - started.tv_nsec) / 1000);
}

uint32_t millis() { return micros() / 1000; }

void delay(uint32_t milliseconds) { usleep(milliseconds * 1000); }

static speed_t termios_speed(unsigned long baud) {
  switch (baud) {
    case 115200: return B115200;
    case 460800: return B460800;
    case 921600: return B921600;
    case 1500000: return B1500000;
    default: return B0;
  }
}

void HardwareSerial::begin(unsigned long baud, uint32_t, int, int) {
  port_ = open(port_path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (port_ < 0) {
    fprintf(stderr, "%s cannot be opened: %s\n", port_path.c_str(), strerror(errno));
    exit(2);
  }
  updateBaudRate(baud);
}

void HardwareSerial::updateBaudRate(unsigned long baud) {
  termios line;
  if (tcgetattr(port_, &line)) return;  // not a terminal
  cfmakeraw(&line);
  if (termios_speed(baud) != B0) cfsetspeed(&line, termios_speed(baud));
  tcsetattr(port_, TCSANOW, &line);
}

int HardwareSerial::available() {
  int count = 0;
  pollfd waits = {port_, POLLIN, 0};
  if (poll(&waits, 1, 1) > 0 && (waits.revents & (POLLHUP | POLLERR)) && !(waits.revents & POLLIN)) exit(3);
  return ioctl(port_, FIONREAD, &count) ? 0 : count;
}

size_t HardwareSerial::readBytes(uint8_t *buffer, size_t length) {
  const ssize_t count = ::read(port_, buffer, length);
  return count > 0 ? static_cast<size_t>(count) : 0;
}

size_t HardwareSerial::write(const uint8_t *buffer, size_t length) {
  const ssize_t count = ::write(port_, buffer, length);
  return count > 0 ? static_cast<size_t>(count) : 0;
}

void HardwareSerial::flush() { tcdrain(port_); }

uint8_t Button::wasPressed() {
  for (size_t at = 0; (at = plan.find(name_, at)) != std::string::npos; at++) {
    if (plan[at + 1] == '@' && millis() >= strtoul(plan.c_str() + at + 2, nullptr, 10)) {
      plan[at] = '-';
      return 1;
    }
  }
  return 0;
}

static volatile sig_atomic_t asked_to_end;

int main(int count, char **words) {
  unsigned long every = 100, pushes = 0, seconds = 0;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = words[i], value = words[i + 1];
    if (name == "--port") port_path = value;
    else if (name == "--png") png_path = value;
    else if (name == "--press") plan = value;
    else if (name == "--every") every = strtoul(value.c_str(), nullptr, 10);
    else if (name == "--pushes") pushes = strtoul(value.c_str(), nullptr, 10);
    else if (name == "--seconds") seconds = strtoul(value.c_str(), nullptr, 10);
  }
  clock_gettime(CLOCK_MONOTONIC, &started);
  signal(SIGTERM, [](int) { asked_to_end = 1; });
  setup();
  uint32_t saved_at = 0, saved = M5.Lcd.pushes;
  const uint32_t first = M5.Lcd.pushes;
  while (!asked_to_end && (!pushes || M5.Lcd.pushes - first < pushes) && (!seconds || millis() < seconds * 1000)) {
    loop();
    if (!png_path.empty() && M5.Lcd.pushes != saved && millis() - saved_at >= every) {
      M5.Lcd.save_png(png_path.c_str());
      saved = M5.Lcd.pushes;
      saved_at = millis();
    }
  }
  if (!png_path.empty() && !M5.Lcd.save_png(png_path.c_str())) return 2;
  printf("pushes %u\n", static_cast<unsigned>(M5.Lcd.pushes - first));
  return 0;
}
