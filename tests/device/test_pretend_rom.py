"""The pretend board does what the flash program's machine code does, the odd things too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from k210kit.device.boards import SEQUENCES
from k210kit.device.clock import ModelClock
from k210kit.device.flash_chip import FlashChip
from k210kit.device.isp import NOP, STATUS, Flash, Reply, Result, Rom, request
from k210kit.device.pretend_rom import Mode, PretendBoard
from k210kit.device.session import Session
from k210kit.device.slip import SlipReader
from k210kit.device.stub import placeholder_program
from k210kit.device.virtual import VirtualPort

Ask = Callable[[bytes], list[Reply]]


@pytest.fixture
def port() -> VirtualPort:
    """A board that runs the flash program."""
    port = VirtualPort(FlashChip())
    session = Session(port, port.clock)
    assert session.enter_rom(SEQUENCES["dan"])
    session.start_flash_program(placeholder_program())
    return port


@pytest.fixture
def ask(port: VirtualPort) -> Ask:
    def asked(wire: bytes) -> list[Reply]:
        port.write(wire)
        port.timeout = 5.0
        found = [Reply.parse(packet) for _, packet in SlipReader().feed(port.read(200))]
        return [reply for reply in found if reply]

    return asked


@pytest.fixture
def ready(ask: Ask) -> Ask:
    assert ask(request(Flash.INIT, 1)) == [Reply(Flash.INIT, Result.OK)]
    return ask


def test_nothing_but_speed_start_and_restart_works_before_the_chip_is_found(ask: Ask) -> None:
    assert ask(NOP) == [Reply(Flash.NOP, Result.OK)]
    assert ask(request(Flash.WRITE, 0, b"x")) == [Reply(Flash.WRITE, Result.INVALID_COMMAND)]
    assert ask(STATUS) == [Reply(Flash.STATUS, Result.INVALID_COMMAND)]
    assert ask(request(Flash.INIT, 2)) == [Reply(Flash.INIT, Result.INVALID_COMMAND)]


def test_a_block_is_written_and_the_rest_of_its_64_kib_is_kept(ready: Ask, port: VirtualPort) -> None:
    ready(request(Flash.WRITE, 0x10000, b"a" * 65536))
    assert ready(request(Flash.WRITE, 0x18000, b"b" * 10)) == [Reply(Flash.WRITE, Result.OK)]
    assert port.board.chip.read(0x10000, 65536) == b"a" * 0x8000 + b"b" * 10 + b"a" * (0x8000 - 10)


def test_a_wrong_checksum_writes_nothing(ready: Ask, port: VirtualPort) -> None:
    wire = bytearray(request(Flash.WRITE, 0, b"a" * 100))
    wire[40] ^= 1
    assert ready(bytes(wire)) == [Reply(Flash.WRITE, Result.BAD_CHECKSUM)]
    assert port.board.chip.read(0, 100) == b"\xff" * 100


def test_a_packet_that_is_too_long_is_answered_as_if_it_were_empty(ready: Ask) -> None:
    assert ready(request(Flash.WRITE, 0, b"a" * 65537)) == [Reply(Flash.NOP, Result.BAD_LENGTH)]


def test_a_packet_that_ends_while_the_chip_is_busy_is_lost(ready: Ask, port: VirtualPort) -> None:
    first, second = request(Flash.WRITE, 0, b"a" * 10), request(Flash.WRITE, 0x10000, b"b" * 10)
    assert ready(first + second) == [Reply(Flash.WRITE, Result.OK)]
    assert port.board.chip.read(0x10000, 1) == b"\xff"


def test_out_of_step_old_packets_are_answered_again(ready: Ask, port: VirtualPort) -> None:
    ready(request(Flash.WRITE, 0, b"a" * 10))
    assert ready(NOP + b"\xc0") == [Reply(Flash.NOP, Result.OK)]
    assert ready(request(Flash.WRITE, 0x10000, b"b" * 10)) == [Reply(Flash.WRITE, Result.OK)]
    assert port.board.chip.read(0x10000, 1) == b"\xff"


def test_the_speed_changes_before_the_answer(port: VirtualPort) -> None:
    port.write(request(Flash.CHANGE_BAUD, 0, (1_500_000).to_bytes(4, "little")))
    port.clock.sleep(0.01)
    assert port.board.baud == 1_500_000
    port.reset_input_buffer()
    port.write(NOP)
    assert port.read(6) == b""
    port.baudrate = 1_500_000
    port.write(NOP)
    assert port.read(6)[1:3] == bytes([Flash.NOP, Result.OK])


def test_erasing_in_the_background_makes_the_board_busy(ready: Ask, port: VirtualPort) -> None:
    ready(request(Flash.WRITE, 0, b"a" * 65536))
    port.timeout = 0.01
    port.write(request(Flash.ERASE_IN_BACKGROUND, 0, length=0x20000) + STATUS)
    answers = [Reply.parse(packet) for _, packet in SlipReader().feed(port.read(12))]
    assert answers == [Reply(Flash.ERASE_IN_BACKGROUND, Result.OK), Reply(Flash.STATUS, Result.BUSY)]
    port.clock.sleep(1.0)
    assert ready(STATUS) == [Reply(Flash.STATUS, Result.OK)]
    assert port.board.chip.read(0, 10) == b"\xff" * 10


def test_a_program_with_a_hole_does_not_start() -> None:
    board = PretendBoard(FlashChip(), wiring=SEQUENCES["dan"].wiring)
    board.mode = Mode.ROM
    program = placeholder_program()
    board.receive(request(Rom.MEMORY_WRITE, 0x80000000, program), lambda _: 0.0)
    board.receive(request(Rom.MEMORY_WRITE, 0x80000800, program), lambda _: 0.0)
    board.receive(request(Rom.MEMORY_BOOT, 0x80000000), lambda _: 0.0)
    assert board.mode is Mode.HUNG


@pytest.mark.parametrize("kind", SEQUENCES)
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_board_obeys_its_own_reset_sequence(kind: str, sequence: str) -> None:
    clock = ModelClock()
    port = VirtualPort(FlashChip(), wiring=SEQUENCES[kind].wiring, clock=clock)
    assert Session(port, clock).enter_rom(SEQUENCES[sequence]) is (
        kind == sequence or (kind, sequence) == ("dan", "goD")
    )


@pytest.mark.parametrize("kind", SEQUENCES)
def test_the_boot_sequence_starts_the_program_in_flash(kind: str) -> None:
    port = VirtualPort(FlashChip(), wiring=SEQUENCES[kind].wiring)
    session = Session(port, port.clock)
    assert session.enter_rom(SEQUENCES[kind])
    session.reset(SEQUENCES[kind].to_boot)
    port.write(b"x")
    assert port.board.mode is Mode.RUNNING
