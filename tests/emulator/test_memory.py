"""The GC heap with everything in it: small objects, what grows, and who takes it."""

from __future__ import annotations

from pathlib import Path

from k210kit.emulator.gc_heap import GcHeap
from k210kit.emulator.ledger import Ledger
from k210kit.emulator.small_objects import BOOT_BYTES, walk
from tests.emulator.desk import Desk

CAMERA = """
    import sensor, gc, image
    sensor.reset()
    sensor.set_pixformat(sensor.RGB565)
    sensor.set_framesize(sensor.QQVGA)
    sensor.run(1)
"""


def reached(**names: object) -> int:
    return walk(names, (), lambda _: False).bytes


def test_small_integers_take_nothing_and_floats_a_block() -> None:
    assert reached(a=5, b=True, c=None) == 0
    assert reached(a=1.5) == 32
    assert reached(a=1 << 70) > 0


def test_a_list_has_room_for_four_then_for_twice_as_many() -> None:
    assert reached(a=[1, 2, 3]) == 32 + 32
    assert reached(a=[1] * 5) == 32 + 64
    assert reached(a=[1] * 1000) == 32 + 8 * 1024
    assert reached(a=[1.5, 2.5]) == 32 + 32 + 2 * 32


def test_a_dict_grows_by_the_sizes_of_micropythons_tables() -> None:
    # the keys are texts of one letter, which are kept with the names
    assert reached(a=dict.fromkeys("abcde", 1)) == 64 + 96  # room for 6 pairs of 16 bytes
    assert reached(a=(1, 2, 3)) == 64


def test_what_is_reached_twice_is_counted_once() -> None:
    inner = [1.0, 2.0]
    assert reached(a=inner, b=inner) == reached(a=inner)
    inner.append(inner)  # type: ignore[arg-type]
    assert reached(a=inner) > 0


def test_mem_free_falls_with_what_a_script_keeps(desk: Desk) -> None:
    printed = desk.prints(
        """
        import gc
        gc.collect()
        before = gc.mem_free()
        kept = [float(i) for i in range(1000)]
        gc.collect()
        print(before - gc.mem_free())
        kept = None
        gc.collect()
        print(before - gc.mem_free())
        """
    )
    with_list, without = map(int, printed.split())
    assert with_list == 32 + 8 * 1024 + 1000 * 32  # the list, room for 1024 items, a block per float
    assert without == 0


def test_what_a_loop_throws_away_is_garbage_until_a_collection(desk: Desk) -> None:
    printed = desk.prints(
        """
        import gc
        gc.collect()
        before = gc.mem_free()
        for i in range(200):
            pair = [i, i]
        print(before - gc.mem_free() >= 200 * 64)
        gc.collect()
        print(before - gc.mem_free() < 400)
        """
    )
    assert printed.split() == ["True", "True"]


def test_a_board_at_its_prompt_has_less_than_its_heap(desk: Desk) -> None:
    free = int(desk.prints("import gc\nprint(gc.mem_free())\n", gc_heap_bytes=128 * 1024))
    assert 121_472 - 1500 < free <= 121_472  # what a board reports, less this script
    assert GcHeap(128 * 1024).total_bytes - BOOT_BYTES <= 121_472 + 32


def test_appending_for_ever_ends_with_the_boards_error(desk: Desk) -> None:
    failed = desk.fails("kept = []\nwhile True:\n    kept.append(7)\n")
    assert failed == "MemoryError: memory allocation failed, allocating 524288 bytes"
    failed = desk.fails("kept = []\nwhile True:\n    kept.append([len(kept) * 1.5])\n")
    assert failed.startswith("MemoryError: memory allocation failed, allocating ")


def test_a_script_can_catch_the_error_and_go_on(desk: Desk) -> None:
    printed = desk.prints(
        """
        kept = []
        try:
            while True:
                kept.append("text %d" % len(kept))
        except MemoryError:
            kept = None
        print("still here")
        """
    )
    assert printed == "still here\n"


def test_objects_of_a_script_count_with_their_attributes(desk: Desk) -> None:
    printed = desk.prints(
        """
        import gc
        class Point:
            def __init__(self, x):
                self.x = x
        gc.collect()
        before = gc.mem_free()
        points = [Point(i * 1.0) for i in range(100)]
        gc.collect()
        print(before - gc.mem_free())
        """
    )
    assert 100 * (64 + 64 + 32) <= int(printed) <= 100 * (64 + 96 + 32) + 2000


def test_a_leak_is_named_with_its_line_and_its_bytes(desk: Desk) -> None:
    result = desk.run(
        CAMERA
        + """
    kept, log = [], []
    while True:
        img = sensor.snapshot()
        kept.append(img.resize(40, 30))
        log.append(img.width() * 1.5)
    """,
        frame_limit=40,
    )
    grown = {entry.what: entry.bytes_per_frame for entry in result.heap.growth}
    (line, *_) = result.heap.lines
    assert line.count == 40
    assert 2300 <= grown[f"line {line.line}"] <= 2800  # 40 x 30 pixels of two bytes, and a block
    assert grown["name log"] >= 32


def test_a_loop_that_gives_back_what_it_takes_does_not_grow(desk: Desk) -> None:
    result = desk.run(CAMERA + "    while True:\n        small = sensor.snapshot().resize(40, 30)\n", frame_limit=40)
    assert result.heap.growth == []
    assert result.heap.lines[0].count == 40


def test_growth_needs_frames_between_two_looks() -> None:
    ledger = Ledger()
    for frame, size in ((1, 10), (2, 20), (4, 30)):
        ledger.look(frame, {"log": size}, {})
    assert ledger.growth() == []
    ledger.look(12, {"log": 110}, {})
    (entry,) = ledger.growth()
    assert (entry.what, entry.bytes_per_frame) == ("name log", 10.0)


def test_the_report_travels_out_of_the_scripts_process(tmp_path: Path) -> None:
    from k210kit.emulator import RunRequest, run

    script = tmp_path / "main.py"
    script.write_text("kept = bytearray(1000)\n")
    (line,) = run(RunRequest(script=str(script))).heap.lines
    assert (line.line, line.count, line.held) == ("main.py:1", 1, 1024)
