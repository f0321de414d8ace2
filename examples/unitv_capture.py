# Pictures for a data set, from the camera that will look at the world later. MaixPy 0.6.2, UnitV, as it is.
#
#   k210kit view /dev/ttyUSB0 --baud 921600 --save photos --label cat
#
# stores what this sends as photos/cat/*.jpg, ready for `k210kit train photos`.
# USB = True sends through the USB cable (nothing else is needed), False through the Grove port (TX 35).
import gc
import time

import sensor
import ubinascii
import ustruct
from fpioa_manager import fm
from machine import UART

USB = True
BAUD = 921600
WIDTH, HEIGHT = 224, 224  # what the network will see; at most 320 x 240
QUALITY = 90
EVERY_MS = 500  # time between pictures; 0: one for each press of button A
BUTTON_A, TX_PIN, RX_PIN = 18, 35, 34
PICTURE = 1  # docs/reference/link-protocol.md


def open_port():
    if USB:
        port = UART.repl_uart()
        port.init(BAUD, 8, 0, 0, timeout=1000, read_buf_len=2048)
        return port
    fm.register(TX_PIN, fm.fpioa.UART1_TX, force=True)
    fm.register(RX_PIN, fm.fpioa.UART1_RX, force=True)
    return UART(UART.UART1, BAUD, 8, 0, 0, timeout=1000, read_buf_len=2048)


def send(port, sequence, jpeg):
    """One PICTURE frame that holds a whole JPEG."""
    record = ustruct.pack("<HHBH", 0, 0, QUALITY, 0)
    head = ustruct.pack("<2sBHI", b"\xff\x4b", 16 + PICTURE, sequence & 0xFFFF, len(record) + len(jpeg))
    head += ustruct.pack("<H", ubinascii.crc32(head) & 0xFFFF)
    crc = ubinascii.crc32(jpeg, ubinascii.crc32(record, ubinascii.crc32(head)))
    port.write(head + record)
    port.write(jpeg)
    port.write(ustruct.pack("<I", crc))


def button():
    from Maix import GPIO

    fm.register(BUTTON_A, fm.fpioa.GPIOHS10, force=True)
    return GPIO(GPIO.GPIOHS10, GPIO.IN, GPIO.PULL_UP)


def wait(pressed, last):
    if EVERY_MS:
        while time.ticks_diff(time.ticks_ms(), last) < EVERY_MS:
            time.sleep_ms(5)
        return
    while pressed.value() == 0:  # still held from the last time
        time.sleep_ms(10)
    while pressed.value() == 1:
        time.sleep_ms(10)


def main():
    sensor.reset()
    sensor.set_pixformat(sensor.RGB565)
    sensor.set_framesize(sensor.QVGA)
    sensor.set_windowing((WIDTH, HEIGHT))
    sensor.run(1)
    sensor.skip_frames(time=1000)  # the exposure settles
    port = open_port()
    pressed = None if EVERY_MS else button()
    sequence = 0
    while True:
        last = time.ticks_ms()
        img = sensor.snapshot()
        jpeg = img.compressed(QUALITY)
        send(port, sequence, jpeg.to_bytes())
        sequence += 1
        gc.collect()
        wait(pressed, last)


main()
