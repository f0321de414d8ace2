# Find faces, and send pictures and boxes to an M5StickC-Plus or a PC. MaixPy 0.6.2, UnitV, as it is.
#
# UnitV TX 35 -> receiver's RX, UnitV RX 34 <- receiver's TX (the Grove cable does that).
# Receivers: receivers/stickc_plus, `k210kit view PORT`. Protocol: docs/reference/link-protocol.md.
# The face model of the UnitV lies at 0x300000; without it the pictures are sent without boxes.
import gc
import time

import sensor
import ubinascii
import ustruct
from fpioa_manager import fm
from machine import UART

TX_PIN, RX_PIN = 35, 34
FIRST_BAUD, MOST_BAUD = 115200, 1500000
OLD_PROTOCOL = False  # True: 00 00, 16-bit length, JPEG, for receivers that know nothing else
USE_THREAD = True  # send from a thread, if the firmware has them
RATE, FAST_RATE = 8, 20  # pictures per second to steer for, at FIRST_BAUD and above it
WIDTH, HEIGHT = 160, 120
MODEL, THRESHOLD, NMS = 0x300000, 0.5, 0.3
LABELS = ("face",)
ANCHORS = (1.889, 2.5245, 2.9465, 3.94056, 3.99987, 5.3658, 5.155437, 6.92275, 6.718375, 9.01025)
NAME = b"UnitV"

# The protocol's numbers, as in docs/reference/link-protocol.md.
PICTURE, TEXT, COMMAND, ANSWER, CAPABILITY, PICTURE_HEAD = 1, 3, 4, 5, 6, 7
HELLO, QUALITY, SIZE, PAUSE, BAUD, CONFIRM, KEEP, HEAD, SET_RATE = 0, 1, 2, 3, 4, 5, 6, 7, 8
SYNC = b"\xff\x4b"
LADDER = (3, 4, 5, 7, 10, 13, 17, 22, 28, 35, 45, 55, 65, 75, 85)
PATIENCE, GROWTH, MARGIN = 4, 1.25, 0.9
CAPABILITY_MS, HEAD_MS, SILENCE_MS = 2000, 10000, 3000
SNAPSHOT_MS = 13  # what snapshot may take for itself; beyond it waits for the sensor


class Steering:
    """The quality that keeps the wanted rate, from the mean size of the last pictures."""

    def __init__(self):
        self.rate = RATE
        self.baud = FIRST_BAUD
        self.fixed = 0
        self.rung = 4
        self.room = 0
        self.mean = self.busy = 0

    def quality(self):
        return self.fixed or LADDER[self.rung]

    def sent(self, size, busy_ms):
        self.busy += (busy_ms - self.busy) / (2 * PATIENCE)  # with a thread, single values say little
        room = MARGIN * max(1000 / self.rate - max(self.busy, 0), 100 / self.rate) * self.baud / 10000
        self.mean += (size - self.mean) / PATIENCE if self.mean else size
        self.room = self.room + 1 if self.mean * GROWTH <= room else 0
        if self.mean > room and self.rung > 0:
            self.rung -= 1
            self.mean /= GROWTH
        elif self.room >= PATIENCE and self.rung < len(LADDER) - 1:
            self.rung += 1
            self.mean *= GROWTH
            self.room = 0


class Line:
    """The port: frames out, from a thread if there is one; commands in."""

    def __init__(self):
        fm.register(TX_PIN, fm.fpioa.UART1_TX, force=True)
        fm.register(RX_PIN, fm.fpioa.UART1_RX, force=True)
        self.baud = FIRST_BAUD
        self.uart = UART(UART.UART1, FIRST_BAUD, 8, 0, 0, timeout=1000, read_buf_len=4096)
        self.sequence = 0
        self.total = 0  # bytes given to the wire
        self.received = b""
        self.jobs = []
        self.threaded = False
        if USE_THREAD:
            try:
                import _thread

                _thread.start_new_thread(self.work, ())
                self.threaded = True
            except (ImportError, OSError):
                pass  # a firmware without threads, or no memory for one: sent from the loop

    def put(self, kind, parts, baud=0):
        """Send one frame made of several buffers; `baud`: then change to that speed."""
        self.total += 15
        for part in parts:
            self.total += len(part)
        if not self.threaded:
            self.write(kind, parts, baud)
            return
        while len(self.jobs) > 1:
            time.sleep_ms(1)
        self.jobs.append((kind, parts, baud))

    def work(self):
        while True:
            if self.jobs:
                self.write(*self.jobs[0])
                self.jobs.pop(0)
            time.sleep_ms(1)

    def write(self, kind, parts, baud):
        length = 0
        for part in parts:
            length += len(part)
        if kind == 0:  # the old protocol
            head = ustruct.pack(">BBH", 0, 0, length)
        else:
            head = ustruct.pack("<2sBHI", SYNC, 16 + kind, self.sequence, length)
            head += ustruct.pack("<H", ubinascii.crc32(head) & 0xFFFF)
            self.sequence = (self.sequence + 1) & 0xFFFF
        self.uart.write(head)
        crc = ubinascii.crc32(head)
        for part in parts:
            self.uart.write(part)
            crc = ubinascii.crc32(part, crc)
        if kind:
            self.uart.write(ustruct.pack("<I", crc))
        if baud:
            time.sleep_ms(20)  # the last bytes are still in the port
            self.use(baud)

    def use(self, baud):
        self.baud = baud
        self.uart.init(baud, 8, 0, 0, timeout=1000, read_buf_len=4096)

    def commands(self):
        """The commands that have arrived, as pairs (what, value)."""
        found = []
        if self.uart.any():
            self.received = (self.received + (self.uart.read() or b""))[-512:]
        while True:
            start = self.received.find(SYNC)
            if start < 0:
                self.received = self.received[-1:]
                return found
            frame = self.received[start:]
            if len(frame) < 20:
                self.received = frame
                return found
            # a command has one length, so the CRC over all of it says whether it is one
            if frame[2] == 16 + COMMAND and ubinascii.crc32(frame[:16]) == ustruct.unpack("<I", frame[16:20])[0]:
                found.append(ustruct.unpack("<BI", frame[11:16]))
                self.received = frame[20:]
            else:
                self.received = frame[2:]


class Camera:
    """Everything that has a state: the model, the wishes of the receiver, the clock of what is sent when."""

    def __init__(self):
        self.line = Line()
        self.steering = Steering()
        self.size = (WIDTH, HEIGHT)
        self.paused = False
        self.head = 0
        self.head_at = self.heard_at = time.ticks_ms()
        self.capability_at = time.ticks_ms() - CAPABILITY_MS
        self.task = None
        self.load_model()
        start_sensor()

    def load_model(self):
        try:
            import KPU as kpu

            task = kpu.load(MODEL)
            kpu.init_yolo2(task, THRESHOLD, NMS, len(ANCHORS) // 2, ANCHORS)
            self.kpu, self.task = kpu, task
        except (ImportError, OSError, ValueError) as error:
            print("no model at 0x%x, no boxes: %s" % (MODEL, error))
            self.say("no model at 0x%x: %s" % (MODEL, error))

    def say(self, text):
        if not OLD_PROTOCOL:
            self.line.put(TEXT, (text.encode(),))

    def hello(self):
        self.capability_at = time.ticks_ms()
        flags = (1 if self.paused else 0) + (2 if self.line.threaded else 0) + (0 if self.steering.fixed else 4)
        record = ustruct.pack(
            "<HHBBBII",
            self.size[0],
            self.size[1],
            self.steering.quality(),
            min(int(self.steering.rate * 10), 255),
            flags,
            self.line.baud,
            MOST_BAUD,
        )
        self.line.put(CAPABILITY, (record, NAME))

    def obey(self, what, value):
        self.heard_at = time.ticks_ms()
        if what == HELLO:
            self.hello()
        elif what == HEAD:
            self.head = 0
        elif what not in (CONFIRM, KEEP):
            self.change(what, value)

    def change(self, what, value):
        """Carry out one setting, and answer."""
        done, baud = True, 0
        if what == QUALITY and value <= 100:
            self.steering.fixed = value
        elif what == SIZE and 0 < value >> 16 <= 320 and 0 < value & 0xFFFF <= 240:
            self.size = (value >> 16, value & 0xFFFF)
        elif what == PAUSE:
            self.paused = bool(value)
        elif what == SET_RATE and 1 <= value <= 1000:
            self.steering.rate = value / 10
        elif what == BAUD and 9600 <= value <= MOST_BAUD:
            baud = value
        else:
            done, value = False, self.line.baud if what == BAUD else 0
        self.line.put(ANSWER, (ustruct.pack("<BBI", what, int(done), value),), baud)
        if baud:
            self.pace(baud)

    def pace(self, baud):
        self.steering.baud = baud
        self.steering.rate = RATE if baud <= FIRST_BAUD else FAST_RATE

    def housekeeping(self):
        """Obey, fall back to the first speed when nobody is there, say hello now and then."""
        for what, value in self.line.commands():
            self.obey(what, value)
        now = time.ticks_ms()
        if self.line.baud != FIRST_BAUD and time.ticks_diff(now, self.heard_at) > SILENCE_MS:
            while self.line.jobs:
                time.sleep_ms(1)
            self.line.use(FIRST_BAUD)
            self.pace(FIRST_BAUD)
        if time.ticks_diff(now, self.capability_at) >= CAPABILITY_MS:
            self.hello()

    def detect(self, img):
        """The boxes of this picture as bytes, or nothing without a model."""
        if self.task is None:
            return b""
        found = self.kpu.run_yolo2(self.task, img) or ()
        if OLD_PROTOCOL:
            for one in found:
                img.draw_rectangle(one.rect(), thickness=4)
            return b""
        made = ustruct.pack("<HHB", img.width(), img.height(), len(found))
        for one in found:
            label = (LABELS[one.classid()] if one.classid() < len(LABELS) else str(one.classid())).encode()
            made += ustruct.pack("<HHHHHB", one.x(), one.y(), one.w(), one.h(), int(one.value() * 10000), len(label))
            made += label
        return made

    def send(self, small, boxes, taken, quality):
        """Send a compressed picture; returns its bytes on the wire, without a new head's."""
        data = memoryview(small.to_bytes())
        start = scan_start(data)
        number = ubinascii.crc32(data[:start]) & 0xFFFF or 1
        now = time.ticks_ms()
        if number != self.head or time.ticks_diff(now, self.head_at) > HEAD_MS:
            self.line.put(PICTURE_HEAD, (data[:start],))
            self.head, self.head_at = number, now
        age = min(time.ticks_diff(now, taken), 65535)
        record = ustruct.pack("<HHBH", number, age, quality, len(boxes))
        self.line.put(PICTURE, (record, boxes, data[start:]))
        return 22 + len(boxes) + len(data) - start

    def run(self):
        last = shown = time.ticks_ms()
        count = total = 0
        while True:
            if not OLD_PROTOCOL:
                self.housekeeping()
            before = time.ticks_ms()
            img = sensor.snapshot()
            taken = time.ticks_ms()
            if self.paused:
                continue
            boxes = self.detect(img)
            quality = self.steering.quality()
            small = img.resize(self.size[0], self.size[1]).compress(quality)
            if OLD_PROTOCOL:
                self.line.put(0, (small.to_bytes(),))
                size = 4 + small.size()
            else:
                size = self.send(small, boxes, taken, quality)
            now = time.ticks_ms()
            wire = (self.line.total - total) * 10000 / self.line.baud
            waited = max(time.ticks_diff(taken, before) - SNAPSHOT_MS, 0)
            busy = time.ticks_diff(now, last) - waited - wire
            last, total = now, self.line.total
            self.steering.sent(size, busy)
            count += 1
            if count % 4 == 0:  # each picture leaves 38 kB of garbage
                gc.collect()
            if count % 50 == 0:
                print("%.1f fps, quality %d, %d bytes" % (50000 / max(time.ticks_diff(now, shown), 1), quality, size))
                shown = now


def scan_start(data):
    """Where the compressed part of a JPEG begins: behind its start-of-scan segment."""
    at = 2
    while data[at + 1] != 0xDA:
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return at + 2 + (data[at + 2] << 8 | data[at + 3])


def start_sensor():
    try:
        sensor.reset(dual_buff=True)  # else every second frame of the sensor is lost
        sensor.set_pixformat(sensor.RGB565)
        sensor.set_framesize(sensor.QVGA)
    except (OSError, MemoryError):  # no memory for the second buffer
        sensor.reset()
        sensor.set_pixformat(sensor.RGB565)
        sensor.set_framesize(sensor.QVGA)
    sensor.run(1)


Camera().run()
