// The few things of the Arduino core for ESP32 that the sketch uses, for a desk computer. Ours; see desk/README.md.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIAL_8N1 0x800001c

uint32_t millis();
uint32_t micros();
void delay(uint32_t milliseconds);

// Text goes through `write`, as in Arduino's class of the same name.
class Print {
 public:
  virtual ~Print() {}
  virtual size_t write(uint8_t byte) = 0;

  size_t print(const char *text) {
    size_t count = 0;
    while (text[count]) write(static_cast<uint8_t>(text[count++]));
    return count;
  }

  size_t printf(const char *format, ...) __attribute__((format(printf, 2, 3))) {
    char text[256];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    return print(text);
  }
};

// Serial2: a pty or a serial port of this computer.
class HardwareSerial {
 public:
  size_t setRxBufferSize(size_t size) { return size; }
  void begin(unsigned long baud, uint32_t config, int rx_pin, int tx_pin);
  void updateBaudRate(unsigned long baud);
  int available();
  size_t readBytes(uint8_t *buffer, size_t length);
  size_t write(const uint8_t *buffer, size_t length);
  void flush();

 private:
  int port_ = -1;
};

extern HardwareSerial Serial2;
