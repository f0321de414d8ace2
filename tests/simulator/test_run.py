from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import k210kit
from k210kit.errors import InputError, UnsupportedError
from k210kit.kmodel import (
    ActivationTable,
    AddPadding,
    BatchNorm,
    Conv,
    Dequantize,
    FullyConnected,
    Kmodel,
    Layer,
    Output,
    QuantizedFlatten,
    Registers,
    RemovePadding,
    UnknownLayer,
    Upload,
    read_kmodel,
)
from k210kit.kmodel.arithmetic.kpu import Convolution
from k210kit.simulator import Machine, simulate
from tests.kmodel import samples
from tests.kmodel.arithmetic import oracle
from tests.kmodel.arithmetic.convolutions import WIDTHS, layers

Bytes = NDArray[np.uint8]


def one_layer(spec: Convolution, shape: tuple[int, int, int]) -> Kmodel:
    """The layer alone, its input at line 900, its output in main memory too."""
    registers = Registers.for_conv(
        input_shape=shape, output_channels=spec.output_channels, kernel_size=spec.kernel, depthwise=spec.depthwise,
        pool_type=spec.pool_type, weight_bytes=spec.weights.dtype.itemsize, pad_value=spec.pad_value,
        arg_x=spec.arg_x, shr_x=spec.shr_x, arg_w=spec.arg_w, shr_w=spec.shr_w, arg_add=spec.arg_add, input_line=900,
    )  # fmt: skip
    size = int(np.prod(registers.output_shape))
    layer = Conv(
        flags=1,
        registers=registers,
        weights=spec.weights,
        batch_norm=BatchNorm(mul=spec.bn_mul, add=spec.bn_add, shift=spec.bn_shift),
        activation=ActivationTable(x_start=spec.x_start, y_mul=spec.y_mul, shift=spec.shift, bias=spec.bias),
    )
    eight_bits = int(spec.weights.dtype == np.uint8)
    return Kmodel(flags=eight_bits, main_memory_bytes=size, outputs=(Output(address=0, size=size),), layers=(layer,))


def model_of(*parts: Layer, main: int = 4096, outputs: tuple[Output, ...] = ()) -> Kmodel:
    return Kmodel(main_memory_bytes=main, outputs=outputs, layers=parts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layers(widths=WIDTHS), st.booleans())
def test_every_width_goes_through_kpu_memory_unharmed(layer: tuple[Convolution, Bytes], accelerate: bool) -> None:
    spec, x = layer
    model = read_kmodel(one_layer(spec, x.shape).to_bytes())
    run = Machine(model, runtime="sdk", accelerate=accelerate).run(x)
    assert run.outputs[0].tolist() == oracle.convolve(x, spec)


def test_maixpy_loses_the_last_byte_of_a_wide_result_and_says_so() -> None:
    model = model_of(
        samples.conv(shape=(1, 2, 64), outputs=2, output_line=900), outputs=(Output(address=0, size=256),), main=256
    )
    x = np.full((1, 2, 64), 255, np.uint8)
    whole = Machine(model, runtime="sdk").run(x)
    cut = Machine(model, runtime="maixpy").run(x)
    assert whole.warnings == []
    assert whole.outputs[0].reshape(-1)[-1] != 0
    assert cut.outputs[0].reshape(-1)[-1] == 0
    assert np.array_equal(whole.outputs[0].reshape(-1)[:-1], cut.outputs[0].reshape(-1)[:-1])
    assert cut.warnings == [
        "Layer 0 K210_CONV: MaixPy copies 255 of the result's 256 bytes to main memory when it is called without dma, "
        "as KPU.forward does: the rest keeps what main memory held, here zeros or an earlier layer's bytes."
    ]


def test_a_result_in_main_memory_is_in_kpu_memory_too() -> None:
    """The second layer reads what the first sent to main memory from KPU memory, as models in use rely on."""
    first = samples.conv(shape=(3, 8, 10), outputs=4, output_line=500, main_out=0)
    second = samples.conv(shape=(4, 8, 10), outputs=2, output_line=700, main_out=320, seed=1)
    second = dataclasses.replace(second, registers=dataclasses.replace(second.registers, input_line=500))
    x = np.random.default_rng(3).integers(0, 256, (3, 8, 10), np.uint8)
    run, kept = Machine(model_of(first, second, outputs=(Output(address=320, size=160),))).trace(x)
    alone = Machine(model_of(dataclasses.replace(second, main_out=0), outputs=(Output(address=0, size=160),)))
    assert np.array_equal(run.outputs[0], alone.run(kept[0]).outputs[0])


def test_upload_feeds_a_convolution_from_main_memory() -> None:
    first = samples.conv(shape=(3, 8, 10), outputs=4)
    upload = Upload(input=0, kpu_out=3000, width=10, height=8, channels=4)
    second = samples.conv(shape=(4, 8, 10), outputs=2, main_out=1000, seed=1, flags=1)
    second = dataclasses.replace(second, registers=dataclasses.replace(second.registers, input_line=3000))
    x = np.random.default_rng(3).integers(0, 256, (3, 8, 10), np.uint8)
    run, kept = Machine(model_of(first, upload, second, outputs=(Output(address=1000, size=160),))).trace(x)
    assert np.array_equal(kept[1], kept[0])
    assert np.array_equal(run.outputs[0], kept[2])


def test_padding_a_vector_makes_its_bytes_the_first_pixels_of_4x4_maps() -> None:
    first = samples.conv(shape=(5, 1, 1), outputs=5, kernel=1)
    add = AddPadding(input=0, kpu_out=40, channels=5)
    by_1x1 = samples.conv(shape=(5, 4, 4), outputs=3, kernel=1, main_out=64, output_line=80)
    by_1x1 = dataclasses.replace(by_1x1, registers=dataclasses.replace(by_1x1.registers, input_line=40))
    remove = RemovePadding(input=64, output=160, channels=3)
    x = np.arange(5, dtype=np.uint8).reshape(5, 1, 1) * 50
    _, kept = Machine(model_of(first, add, by_1x1, remove)).trace(x)
    assert np.array_equal(kept[1], kept[0].reshape(-1))
    assert np.array_equal(kept[3], kept[2][:, 0, 0])


def test_a_batch_gives_what_its_inputs_give_alone() -> None:
    model = samples.small_model()
    inputs = [np.random.default_rng(i).integers(0, 256, model.input_shape, np.uint8) for i in range(9)]
    together = k210kit.simulate(model, iter(inputs))
    assert len(together) == 9
    for given_one, outputs in zip(inputs, together, strict=True):
        assert np.array_equal(outputs[0], simulate(model, [given_one])[0][0])


def test_numpy_and_numba_give_the_same_bytes() -> None:
    model = samples.small_model()
    x = np.random.default_rng(5).integers(0, 256, model.input_shape, np.uint8)
    plain, fast = (Machine(model, accelerate=accelerate).trace(x)[1] for accelerate in (False, True))
    assert all(np.array_equal(a, b) for a, b in zip(plain, fast, strict=True))


def test_a_dequantised_map_keeps_its_shape() -> None:
    first = samples.conv(shape=(3, 8, 10), outputs=4)
    back = Dequantize(input=0, output=320, count=320, scale=0.5, bias=-1.0)
    model = model_of(first, back, outputs=(Output(address=320, size=1280),))
    output = Machine(model).run(np.zeros((3, 8, 10), np.uint8)).outputs[0]
    assert output.shape == (4, 8, 10)
    assert output.dtype == np.float32


@pytest.mark.parametrize("shape", [(8, 10, 3), (3, 80), (3, 8, 9)])
def test_an_input_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    machine = Machine(samples.small_model())
    message = rf"The input is uint8 of shape \({shape[0]}.*\); the model takes uint8 of shape \(3, 8, 10\) \(channel,"
    with pytest.raises(InputError, match=message):
        machine.run(np.zeros(shape, np.uint8))


def test_layers_that_no_runtime_runs_are_refused_by_name() -> None:
    first = samples.conv(shape=(3, 8, 10))
    x = np.zeros((3, 8, 10), np.uint8)
    with pytest.raises(
        UnsupportedError, match=r"Layer 1 GLOBAL_MAX_POOL2D: .* both stop with 'Layer is not supported.'"
    ):
        Machine(model_of(first, UnknownLayer(number=3, body=bytes(16)))).run(x)
    flatten = QuantizedFlatten(input=0, output=400, width=10, height=8, channels=4)
    with pytest.raises(UnsupportedError, match=r"Layer 1 QUANTIZED_TENSORFLOW_FLATTEN: .* runs on MaixPy only"):
        Machine(model_of(first, flatten), runtime="sdk").run(x)
    Machine(model_of(first, flatten), runtime="maixpy").run(x)


def test_a_layer_outside_of_main_memory_is_refused_and_one_just_over_its_end_is_told() -> None:
    first = samples.conv(shape=(3, 8, 10), output_line=900)
    x = np.zeros((3, 8, 10), np.uint8)
    far = Dequantize(input=0, output=4000, count=320, scale=1.0, bias=0.0)
    with pytest.raises(
        UnsupportedError, match=r"Layer 1 DEQUANTIZE uses bytes 4,000 to 5,280 of main memory; .* 4,096"
    ):
        Machine(model_of(first, far)).run(x)
    near = Dequantize(input=0, output=4092, count=2, scale=1.0, bias=0.0)
    assert Machine(model_of(first, near)).run(x).warnings == [
        "Layer 1 DEQUANTIZE: it reaches byte 4,100 of main memory, of which the model's header asks for 4,096: on a "
        "board it touches the heap's next block."
    ]


def test_registers_of_unknown_meaning_and_odd_layouts_are_told() -> None:
    plain = samples.conv(shape=(3, 8, 10))
    odd = dataclasses.replace(plain, registers=dataclasses.replace(plain.registers, first_stride=1, output_row_lines=2))
    run = Machine(model_of(odd)).run(np.zeros((3, 8, 10), np.uint8))
    assert [w.split(";")[0] for w in run.warnings] == [
        "Layer 0 K210_CONV: register first_stride is 1",
        "Layer 0 K210_CONV: the output's layout registers say 4 channels per line, 2 lines per row, 8 lines per group "
        "of channels, not 4 channels per line, 1 lines per row, 8 lines per group of channels as its width does",
        "Layer 0 K210_CONV: input and output overlap in KPU memory",
    ]


def test_unknown_runtimes_are_refused() -> None:
    with pytest.raises(InputError, match="The runtime 'micropython' is not known; expected 'maixpy' or 'sdk'"):
        Machine(samples.small_model(), runtime="micropython")  # type: ignore[arg-type]


def test_a_model_may_start_with_floats() -> None:
    layer = FullyConnected(
        input=0, output=8, in_channels=2, out_channels=1, activation=0,
        weights=np.array([[2, 3]], np.float32), bias=np.array([0.5], np.float32),
    )  # fmt: skip
    model = model_of(layer, outputs=(Output(address=8, size=4),), main=12)
    assert simulate(model, [np.array([1, 10], np.float32)])[0][0].tolist() == [32.5]


def test_strict_floats_are_the_sdks_and_asking_maixpy_for_them_is_told() -> None:
    model = samples.small_model()
    x = np.zeros(model.input_shape, np.uint8)
    assert Machine(model, runtime="sdk", float_mode="strict").run(x).warnings == [*Machine(model).run(x).warnings]
    told = Machine(model, runtime="maixpy", float_mode="strict").run(x).warnings
    assert told[-1] == "MaixPy's library is known as it runs on a board, with fused floats: 'strict' is ignored."


def test_without_numba_numpy_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not Machine(samples.small_model()).accelerate
