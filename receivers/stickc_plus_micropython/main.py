# M5StickC-Plus with UIFlow2 (MicroPython): shows what examples/unitv_stream.py and the older program send.
#
# UIFlow 1 has no call that decodes a JPEG from memory, so this needs UIFlow2, whose drawJpg takes bytes.
# Button A: quality. The speed stays at 115,200 baud; the Arduino sketch beside this folder can do more.
import binascii
import struct
import time

import M5
from machine import UART

BAUD, RX_PIN, TX_PIN = 115200, 33, 32
MOST = 20 * 1024  # bytes of one frame
QUALITIES = (0, 10, 22, 45)  # 0: the camera steers it

# The protocol's numbers, as in docs/reference/link-protocol.md.
PICTURE, TEXT, COMMAND, PICTURE_HEAD = 1, 3, 4, 7
HELLO, QUALITY, HEAD = 0, 1, 7
SYNC = b"\xff\x4b"
OLD_START = b"\xff\xd8\xff"
GREEN, WHITE, BLACK = 0x00FF00, 0xFFFFFF, 0x000000


class Decoder:
    """Whole frames out of bytes; goes on two bytes behind a sync word that was none."""

    def __init__(self):
        self.buffer = b""
        self.damaged = 0

    def feed(self, data):
        """Returns a list of (kind, payload); kind 0 is a whole JPEG of the older program."""
        self.buffer += data
        found = []
        while True:
            start = self.buffer.find(SYNC)
            old = self.old_picture(start if start >= 0 else len(self.buffer))
            if old:
                found.append((0, old))
                continue
            if start < 0:
                self.buffer = self.buffer[-MOST:]
                return found
            verdict, frame = self.judge(start)
            if verdict == "wait":
                return found
            if verdict == "whole":
                found.append(frame)
            else:
                self.buffer = self.buffer[start + 2 :]

    def judge(self, start):
        if len(self.buffer) < start + 11:
            return "wait", None
        head = self.buffer[start : start + 11]
        length, check = struct.unpack("<IH", head[5:])
        if binascii.crc32(head[:9]) & 0xFFFF != check or length > MOST:
            return "no", None
        end = start + 11 + length
        if len(self.buffer) < end + 4:
            return "wait", None
        payload = self.buffer[start + 11 : end]
        crc = struct.unpack("<I", self.buffer[end : end + 4])[0]
        if binascii.crc32(payload, binascii.crc32(head)) != crc:
            self.damaged += 1
            return "no", None
        self.buffer = self.buffer[end + 4 :]
        return ("whole", (head[2] & 15, payload)) if head[2] >> 4 == 1 else ("no", None)

    def old_picture(self, limit):
        """The JPEG behind 00 00 and a length, if one lies whole before `limit`."""
        start = self.buffer.find(OLD_START, 4, limit)
        while start >= 0:
            length = self.buffer[start - 2] << 8 | self.buffer[start - 1]
            end = start + length
            if self.buffer[start - 4 : start - 2] == b"\0\0" and self.buffer[end - 2 : end] == b"\xff\xd9":
                jpeg = self.buffer[start:end]
                self.buffer = self.buffer[end:]
                return jpeg
            start = self.buffer.find(OLD_START, start + 1, limit)
        return None


class Screen:
    """What is drawn where: figures on the left, the picture on the right."""

    def __init__(self):
        M5.begin()
        M5.Lcd.setRotation(3)
        M5.Lcd.fillScreen(BLACK)
        M5.Lcd.setTextColor(WHITE, BLACK)
        M5.Lcd.drawString("waiting for the camera", 0, 0)

    def show(self, jpeg, boxes):
        M5.Lcd.drawJpg(jpeg, 80, 7)
        width, height, found = boxes
        for x, y, w, h, score, label in found:
            left, top = 80 + x * 160 // width, 7 + y * 120 // height
            M5.Lcd.drawRect(left, top, w * 160 // width, h * 120 // height, GREEN)
            M5.Lcd.setTextColor(BLACK, GREEN)
            M5.Lcd.drawString("%s %d%%" % (label, score // 100), left, max(top - 8, 0))
        M5.Lcd.setTextColor(WHITE, BLACK)

    def figures(self, lines):
        for number, line in enumerate(lines):
            M5.Lcd.drawString("%-12s" % line, 0, 16 * number)


def read_boxes(data):
    """(width, height, boxes) of a DETECTIONS block; no boxes if it is cut short."""
    if len(data) < 5:
        return 1, 1, []
    width, height, count = struct.unpack("<HHB", data[:5])
    found, at = [], 5
    while count and at + 11 <= len(data):
        x, y, w, h, score, label_bytes = struct.unpack("<HHHHHB", data[at : at + 11])
        at += 11 + label_bytes
        found.append((x, y, w, h, score, data[at - label_bytes : at].decode()))
        count -= 1
    return max(width, 1), max(height, 1), found


class Receiver:
    def __init__(self):
        self.uart = UART(1, BAUD, rx=RX_PIN, tx=TX_PIN, rxbuf=8192)
        self.screen = Screen()
        self.decoder = Decoder()
        self.heads = {}
        self.sequence = 0
        self.quality = 0
        self.shown_at = self.first_byte_at = time.ticks_ms()
        self.draw_ms = 0
        self.send(HELLO, 0)

    def send(self, what, value):
        head = struct.pack("<2sBHI", SYNC, 16 + COMMAND, self.sequence, 5)
        head += struct.pack("<H", binascii.crc32(head) & 0xFFFF)
        body = head + struct.pack("<BI", what, value)
        self.uart.write(body + struct.pack("<I", binascii.crc32(body)))
        self.sequence = (self.sequence + 1) & 0xFFFF

    def jpeg(self, payload):
        """The picture's JPEG and its boxes; None if its head is not here yet."""
        number, _, _, box_bytes = struct.unpack("<HHBH", payload[:7])
        if number and number not in self.heads:
            self.send(HEAD, 0)
            return None
        return self.heads.get(number, b"") + payload[7 + box_bytes :], read_boxes(payload[7 : 7 + box_bytes])

    def understand(self, kind, payload):
        if kind == PICTURE_HEAD:
            if len(self.heads) > 4:
                self.heads = {}
            self.heads[binascii.crc32(payload) & 0xFFFF or 1] = payload
        elif kind == TEXT:
            self.screen.figures(("",) * 7 + (payload.decode()[:38],))
        elif kind == PICTURE or kind == 0:
            got = (payload, (1, 1, [])) if kind == 0 else self.jpeg(payload)
            if got:
                self.show(got[0], got[1], len(payload))

    def show(self, jpeg, boxes, size):
        before = time.ticks_ms()
        self.screen.show(jpeg, boxes)
        drawn = time.ticks_ms()
        total = max(time.ticks_diff(before, self.shown_at), 1)
        receive = time.ticks_diff(before, self.first_byte_at)
        self.shown_at = before
        self.screen.figures(
            (
                "S %d" % size,
                "R %d" % receive,
                "D+I %d" % time.ticks_diff(drawn, before),  # drawJpg decodes and draws in one
                "T %d" % total,
                "F %.1f" % (1000 / total),
                "! %d" % self.decoder.damaged,
            )
        )

    def step(self):
        M5.update()
        if M5.BtnA.wasPressed():
            self.quality = (self.quality + 1) % len(QUALITIES)
            self.send(QUALITY, QUALITIES[self.quality])
        if self.uart.any():
            if not self.decoder.buffer:
                self.first_byte_at = time.ticks_ms()
            for kind, payload in self.decoder.feed(self.uart.read()):
                self.understand(kind, payload)
                self.first_byte_at = time.ticks_ms()


def main():
    receiver = Receiver()
    while True:
        receiver.step()


main()
