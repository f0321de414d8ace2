from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit import wire
from k210kit.errors import FileError, FormatError, KitError, UnsupportedError
from k210kit.kmodel import Conv, Kmodel, Registers, UnknownLayer, load, read_kmodel
from k210kit.kmodel.layers import LAYERS, FullyConnected, Requantize
from tests.kmodel.samples import conv, small_model


def test_every_golden_model_is_written_as_it_was_read(shared: Path) -> None:
    paths = sorted((shared / "golden").glob("*/*.kmodel"))
    assert len(paths) > 80
    for path in paths:
        assert load(path).to_bytes() == path.read_bytes(), path.name


def test_the_registers_of_every_golden_layer_follow_from_its_shapes(shared: Path) -> None:
    seen = 0
    for path in sorted((shared / "golden").glob("*/*.kmodel")):
        model = load(path)
        for layer in model.layers:
            if isinstance(layer, Conv):
                seen += 1
                assert _rederived(layer.registers, model.eight_bit_weights) == layer.registers
    assert seen > 150


def _rederived(r: Registers, eight_bit: bool) -> Registers:
    free = ("input_line", "output_line", "pad_value", "shr_w", "shr_x", "arg_w", "arg_x", "arg_add")
    return Registers.for_conv(
        input_shape=r.input_shape, output_channels=r.output_channels, kernel_size=r.kernel_size,
        depthwise=bool(r.depthwise), pool_type=r.pool_type, weight_bytes=1 if eight_bit else 2,
        **{name: getattr(r, name) for name in free},
    )  # fmt: skip


@given(registers=wire.strategy(Registers))
def test_registers_are_96_bytes_and_keep_every_field(registers: Registers) -> None:
    raw = wire.write(registers)
    assert len(raw) == 96
    assert wire.read(Registers, raw) == registers


def test_a_made_model_is_read_back_with_the_same_content() -> None:
    model = small_model()
    again = read_kmodel(model.to_bytes())
    assert again.layout is None
    assert [x.name for x in again.layers] == ["K210_CONV", "DEQUANTIZE", "GLOBAL_AVERAGE_POOL2D"]
    first, wanted = again.layers[0], model.layers[0]
    assert isinstance(first, Conv)
    assert isinstance(wanted, Conv)
    assert np.array_equal(first.weights, wanted.weights)
    assert first.registers == wanted.registers
    assert again.layers[1:] == model.layers[1:]
    assert again.input_shape == (3, 8, 10)
    assert again.to_bytes() == model.to_bytes()


def test_blobs_are_aligned_as_the_vendors_writer_does() -> None:
    raw = small_model().to_bytes()
    body = 28 + 8 + 3 * 8
    offsets = [int.from_bytes(raw[body + 8 + 4 * i : body + 12 + 4 * i], "little") for i in range(4)]
    assert [o % a for o, a in zip(offsets, (8, 128, 128, 256), strict=True)] == [0, 0, 0, 0]


def test_sixteen_bit_weights_are_read_as_such() -> None:
    layer = conv()
    wide = dataclasses.replace(
        layer,
        weights=layer.weights.astype(np.uint16) * 257,
        registers=Registers.for_conv(input_shape=(3, 8, 10), output_channels=4, kernel_size=3, weight_bytes=2),
    )
    model = Kmodel(flags=0, main_memory_bytes=0, outputs=(), layers=(wide,))
    first = read_kmodel(model.to_bytes()).layers[0]
    assert isinstance(first, Conv)
    assert first.weights.dtype == np.uint16
    assert np.array_equal(first.weights, wide.weights)


def test_bytes_between_the_bodies_are_kept() -> None:
    raw = bytearray(small_model().to_bytes())
    raw[190] = 0xAB  # behind the registers, before the weights
    model = read_kmodel(bytes(raw))
    assert model.layout is not None
    assert model.to_bytes() == raw


def test_a_kept_layout_refuses_other_layers() -> None:
    raw = small_model().to_bytes() + b"tail"
    model = read_kmodel(raw)
    bigger = dataclasses.replace(model, layers=(conv(shape=(64, 8, 10), outputs=64), *model.layers[1:]))
    with pytest.raises(KitError, match="set layout=None when layers change size"):
        bigger.to_bytes()


def test_a_file_may_lack_its_last_padding() -> None:
    table = Requantize(input=0, output=0, count=1, table=np.arange(256, dtype=np.uint8))
    raw = Kmodel(main_memory_bytes=8, outputs=(), layers=(conv(flags=0), table)).to_bytes()
    while raw[-1:] == b"\0":
        raw = raw[:-1]
    assert read_kmodel(raw).to_bytes() == raw


def test_a_layer_that_nobody_knows_is_kept_as_bytes() -> None:
    model = Kmodel(main_memory_bytes=0, outputs=(), layers=(UnknownLayer(number=7, body=bytes(range(16))),))
    again = read_kmodel(model.to_bytes()).layers[0]
    assert (again.type, again.name) == (7, "MAX_POOL2D")
    assert isinstance(again, UnknownLayer)
    assert again.body[:16] == bytes(range(16))


def test_a_float_model_tells_the_length_of_its_input() -> None:
    weights = np.zeros((2, 5), np.float32)
    dense = FullyConnected(
        input=0, output=20, in_channels=5, out_channels=2, activation=0, weights=weights, bias=weights[:, 0]
    )
    model = Kmodel(main_memory_bytes=28, outputs=(), layers=(dense,))
    assert model.input_is_float
    assert model.input_shape == (5,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:20], "header at byte 0: the data ends before its fixed part; found 20 bytes; expected 28 bytes."),
        (
            lambda b: b[:8] + b"\7\0\0\0" + b[12:],
            "header.arch at byte 8: an unknown chip; found 7; expected 0, the K210.",
        ),
        (
            lambda b: b[:12] + b"\xff\xff\xff\x7f" + b[16:],
            "header at byte 12: 1 outputs and 2,147,483,647 layers need tables longer than the file; "
            "found 704 bytes; expected 17,179,869,212 bytes.",
        ),
        (
            lambda b: b[:32] + b"\xff\xff\0\0" + b[36:],
            "output 0 at byte 28: the output ends outside of main memory; found byte 66,815; "
            "expected at most byte 1,600.",
        ),
        (
            lambda b: b[: 60 + 12] + b"\0\0\1\0" + b[60 + 16 :],
            "layer 0 (K210_CONV).weights at byte 65536: the weights lie outside of the file; "
            "found 0 bytes; expected 108 bytes.",
        ),
        (lambda b: b[:400], "layer 0 (K210_CONV).batch_norm"),
    ],
)
def test_a_damaged_file_is_told_by_field_offset_found_and_expected(change: object, message: str) -> None:
    raw = small_model().to_bytes()
    with pytest.raises(FormatError) as caught:
        read_kmodel(change(raw))  # type: ignore[operator]
    assert str(caught.value).startswith(message)


def test_overlapping_blobs_are_told() -> None:
    raw = bytearray(small_model().to_bytes())
    raw[60 + 16 : 60 + 20] = raw[60 + 12 : 60 + 16]  # batch norm where the weights are
    with pytest.raises(FormatError, match=r"weights and batch_norm overlap|batch_norm and weights overlap"):
        read_kmodel(bytes(raw))


def test_a_map_outside_of_kpu_memory_is_told() -> None:
    raw = Kmodel(main_memory_bytes=0, outputs=(), layers=(conv(output_line=32767),)).to_bytes()
    with pytest.raises(FormatError, match=r"the output ends outside of KPU memory; found lines 32767 to 32774"):
        read_kmodel(raw)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"LDMK\4\0\0\0", "This is a kmodel V4, not a kmodel V3."),
        (b"LDMK\5\0\0\0", "This is a kmodel V5, not a kmodel V3."),
        (b"\1\0\0\0\0\0\0\0\5\0\0\0", "This is a kmodel V1, not a kmodel V3."),
        (b"\0\0\0\3\0\0\0\1", "This kmodel is byte-swapped for kpu.load_flash. Swap it back first"),
        (b"\x13\x27\0\0\0\0\0\0", "This is a smodel, not a kmodel V3."),
    ],
)
def test_other_kinds_of_models_are_named(start: bytes, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        read_kmodel(start + bytes(64))


def test_what_is_no_model_is_told() -> None:
    with pytest.raises(FormatError, match="this is no kmodel; found the bytes 89 50 4e 47; expected 3"):
        read_kmodel(b"\x89PNG\r\n\x1a\n")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        load(tmp_path / "none.kmodel")


@given(seed=st.integers(0, 2**32 - 1))
def test_random_damage_gives_a_model_or_one_clear_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = bytearray(small_model().to_bytes())
    for place in rng.integers(0, 200 if seed % 2 else len(raw), 1 + seed % 8):
        raw[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)])
    data = bytes(raw[: rng.integers(len(raw))] if seed % 3 == 0 else raw)
    try:
        model = read_kmodel(data)
    except (FormatError, UnsupportedError):
        return
    assert model.to_bytes() == data


def test_the_table_of_layers_has_the_numbers_of_the_sdk() -> None:
    assert sorted(LAYERS) == [1, 2, 5, 8, 9, *range(11, 19), *range(20, 26), *range(10240, 10244)]


def test_a_map_of_more_pixels_than_16_bits_count_has_registers_too() -> None:
    registers = Registers.for_conv(input_shape=(1, 240, 320), output_channels=1, kernel_size=1)
    assert registers.channel_bytes_minus_1 == (320 * 240 - 1) % 65536
    assert len(wire.write(registers)) == 96
