from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from benchmarks.flashing import faulty_flashings, holds

from k210kit.device import (
    Faults,
    FlashChip,
    FlashFile,
    FlashOptions,
    FlashPlan,
    PtyBoard,
    VirtualPort,
    VirtualSource,
    board,
)
from k210kit.device.boards import BOARDS, SEQUENCES, Board
from k210kit.device.flash_chip import INSTANT, W25Q128, FlashTiming
from k210kit.device.flasher import SystemPorts, flash
from k210kit.device.plan import plan_flash
from k210kit.device.pretend_rom import Mode
from k210kit.device.serial_port import FoundPort
from k210kit.device.stub import placeholder_program
from k210kit.errors import DeviceError
from k210kit.package import wrap


@pytest.fixture(scope="module")
def plan() -> FlashPlan:
    program, model = wrap(random.Random(1).randbytes(300_000)), random.Random(2).randbytes(150_001)
    return plan_flash(
        [
            FlashFile(name="maixpy.bin", address=0, data=program),
            FlashFile(name="model.kmodel", address=0x4F000, data=model),
        ]
    )


def flashed(plan: FlashPlan, port: VirtualPort, **options: object) -> object:
    return flash(plan, VirtualSource(port), placeholder_program, FlashOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", SEQUENCES)
def test_every_way_of_resetting_is_found_and_the_program_started(kind: str, plan: FlashPlan) -> None:
    chip = FlashChip()
    port = VirtualPort(chip, wiring=SEQUENCES[kind].wiring)
    result = flash(plan, VirtualSource(port), placeholder_program)
    assert holds(chip, plan)
    assert port.board.mode is Mode.RUNNING
    assert (result.baud, result.written, result.verified, result.reconnects) == (1_500_000, plan.size, True, 0)


def test_most_of_the_time_the_wire_or_the_chip_is_at_work(plan: FlashPlan) -> None:
    port = VirtualPort(FlashChip())
    result = flash(plan, VirtualSource(port), placeholder_program)
    frames = plan.size * (1 + 1 / 128) * 10 / 1_500_000
    chip_and_checksum = len(plan.blocks) * 0.2524 + 0.2524 + plan.size * 0.2e-6
    assert plan.size / result.bytes_per_second < (frames + chip_and_checksum) * 1.01


@pytest.mark.parametrize("timing", [W25Q128, INSTANT])
def test_writing_ahead_reaches_98_percent_of_the_wire(timing: FlashTiming) -> None:
    large = plan_flash([FlashFile(name="p", address=0, data=wrap(random.Random(3).randbytes(4_000_000)))])
    chip = FlashChip(timing=timing)
    port = VirtualPort(chip)
    result = flash(large, VirtualSource(port), placeholder_program, FlashOptions(write_ahead=True))
    assert holds(chip, large)
    assert result.bytes_per_second > 0.98 * 150_000 / (1 + 1 / 128 + 18 / 65536)


def test_faults_end_right_or_in_an_error_after_which_the_second_try_is_right() -> None:
    tally = faulty_flashings(25, seed=5000)
    assert {outcome for _, outcome in tally} == {"right", "error, second try right"}


# found by the benchmark: with questions and blocks in turn, old packets could pass for new ones
@pytest.mark.parametrize(
    ("flip", "drop", "seed", "ahead"),
    [(1.047e-4, 5.2e-6, 1144, True), (1.316e-4, 2.4e-5, 1444, False), (5.28e-5, 1.58e-6, 1818, False)],
)
def test_old_packets_are_not_taken_for_new_ones(
    plan: FlashPlan, flip: float, drop: float, seed: int, ahead: bool
) -> None:
    chip = FlashChip()
    port = VirtualPort(chip, faults=Faults(flip=flip, drop=drop, seed=seed))
    try:
        flashed(plan, port, write_ahead=ahead)
    except DeviceError:
        return
    assert holds(chip, plan)


def test_the_speed_falls_on_a_noisy_line(plan: FlashPlan) -> None:
    chip = FlashChip()
    port = VirtualPort(chip, faults=Faults(flip=4e-5, seed=3))
    result = flash(plan, VirtualSource(port), placeholder_program)
    assert holds(chip, plan)
    assert result.baud <= 1_500_000


def test_a_pulled_cable_is_waited_for_and_only_the_rest_is_sent(plan: FlashPlan) -> None:
    chip = FlashChip()
    port = VirtualPort(chip, faults=Faults(unplug_after=300_000, replug_seconds=8.0))
    told: list[str] = []
    result = flash(plan, VirtualSource(port), placeholder_program, event=told.append)
    assert holds(chip, plan)
    assert result.reconnects == 1
    assert port.bytes_sent < plan.size * 1.25
    assert told[-1] == "Waiting 30 s for the board: plug it in again."


def test_a_cable_that_stays_away_says_where_to_go_on(plan: FlashPlan) -> None:
    chip = FlashChip()
    with pytest.raises(DeviceError) as caught:
        flashed(plan, VirtualPort(chip, faults=Faults(unplug_after=200_000)), wait_seconds=3.0)
    assert str(caught.value).startswith("Not finished: 196,608 of 450,038 bytes are written. ")
    assert "run the same command with --resume-at 0x30000" in str(caught.value)
    rest = VirtualPort(chip)
    result = flash(plan, VirtualSource(rest), placeholder_program, FlashOptions(resume_at=0x30000))
    assert holds(chip, plan)
    assert result.written == plan.size - 196_608


def test_a_power_cut_in_a_shared_block_harms_neither_file(plan: FlashPlan) -> None:
    shared_block_second_piece = 5
    chip = FlashChip()
    cut = Faults(cut_in_write=(shared_block_second_piece, 0.1), replug_seconds=2.0)
    result = flash(plan, VirtualSource(VirtualPort(chip, faults=cut)), placeholder_program)
    assert holds(chip, plan)
    assert result.reconnects == 1


def test_a_board_that_does_not_answer_is_told_with_the_buttons_to_press(plan: FlashPlan) -> None:
    with pytest.raises(DeviceError) as caught:
        flashed(plan, VirtualPort(FlashChip(), faults=Faults(silent_after=0)), board=board("bit"))
    assert str(caught.value) == (
        "The port works, but no K210 in boot mode answers on virtual (every way of resetting was tried). Close "
        "whatever else uses the board (MaixPy IDE, a terminal), and put it into boot mode by hand. Sipeed Maix Bit "
        "without microphone: hold BOOT, press and release RESET, release BOOT, and start again."
    )


@pytest.mark.parametrize("one", BOARDS, ids=lambda one: one.name)
def test_every_board_has_its_own_buttons(one: Board, plan: FlashPlan) -> None:
    with pytest.raises(DeviceError) as caught:
        flashed(plan, VirtualPort(FlashChip(), faults=Faults(silent_after=0)), board=one)
    assert str(caught.value).endswith(f"{one.title}: {one.by_hand}.")


def test_the_wrong_board_is_told_with_the_right_one(plan: FlashPlan) -> None:
    port = VirtualPort(FlashChip(), wiring=SEQUENCES["kd233"].wiring)
    with pytest.raises(
        DeviceError, match=r"The board on virtual is no dan: it answers to the way of resetting of unitv"
    ):
        flashed(plan, port, board=board("dan"))


def test_a_board_in_boot_mode_by_hand_needs_no_lines(plan: FlashPlan) -> None:
    chip = FlashChip()
    port = VirtualPort(chip)
    port.board.lines = lambda *_: None  # type: ignore[method-assign]
    port.board.mode = Mode.ROM
    flash(plan, VirtualSource(port), placeholder_program)
    assert holds(chip, plan)


def test_ports_are_tried_one_after_another(plan: FlashPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = VirtualPort(FlashChip(), faults=Faults(silent_after=0), name="/dev/ttyUSB0")
    good = VirtualPort(FlashChip(), wiring=SEQUENCES["kd233"].wiring, name="/dev/ttyUSB1", clock=silent.clock)
    ports = {port.name: port for port in (silent, good)}
    found = tuple(FoundPort(name=name, title=name, vendor=0x0403, product=0x6010) for name in ports)
    monkeypatch.setattr("k210kit.device.flasher.find_ports", lambda: found)
    opener: Callable[[str], VirtualPort] = ports.__getitem__
    monkeypatch.setattr("k210kit.device.flasher.open_port", opener)
    result = flash(plan, SystemPorts(clock=silent.clock), placeholder_program)
    assert result.port == "/dev/ttyUSB1"
    assert holds(good.board.chip, plan)


def test_ctrl_c_says_how_to_go_on(plan: FlashPlan) -> None:
    port = VirtualPort(FlashChip())

    def stop(fraction: float, what: str = "") -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(DeviceError, match=r"Stopped by Ctrl-C. .* --resume-at 0x40000"):
        flash(plan, VirtualSource(port), placeholder_program, told=stop)
    assert not port.is_open


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are of Unix")
def test_pyserial_and_real_time_do_as_well(plan: FlashPlan) -> None:
    pytest.importorskip("serial")
    chip = FlashChip(timing=INSTANT)
    with PtyBoard(chip) as pty_board:
        pty_board.board.mode = Mode.ROM  # by hand: a pseudo-terminal has no reset lines
        result = flash(plan, SystemPorts(wanted=pty_board.device), placeholder_program)
    assert holds(chip, plan)
    assert (result.port, result.baud) == (pty_board.device, 1_500_000)


def test_a_started_micropython_is_heard() -> None:
    program = b"\x21\xa8\xef\xbe\xad\xde" + bytes(5000) + b"MicroPython v0.6.2-84 on 2022-08-26; Sipeed_M1\0"
    made = plan_flash([FlashFile(name="maixpy.bin", address=0, data=wrap(program))])
    port = VirtualPort(FlashChip())
    result = flash(made, VirtualSource(port), placeholder_program)
    assert result.started == "MicroPython v0.6.2-84 on 2022-08-26; Sipeed_M1"
    assert result.seconds < port.clock.now() - 1.0
