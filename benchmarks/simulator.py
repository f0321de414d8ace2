"""The simulator's speed: python -m benchmarks.simulator [FOLDER ...] [--pictures N] [--float MODEL.tflite] [--json]

Measures every kmodel of the folders (default: ../shared/golden/real) and a MobileNetV1 0.75 224 with random weights
that is made here, in one process: milliseconds per picture one by one, in a batch, and of processor time; giga
multiply-adds per second, counting only those whose results are kept. With a float TFLite MobileNet of the same shape
and ai-edge-litert installed, the ratio to LiteRT on the same number of threads.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from k210kit.kmodel import POOLS, ActivationTable, BatchNorm, Conv, Kmodel, Output, Registers, load
from k210kit.kmodel.arithmetic.threads import own_threads, workers
from k210kit.simulator import Machine

SHARED = Path(__file__).resolve().parents[2] / "shared"
MADE_HERE = "MobileNetV1 0.75, random"


@dataclass(frozen=True)
class Row:
    """One model's figures; milliseconds are medians over the pictures."""

    name: str
    first: float  # the first picture of this process, milliseconds: layers are prepared, machine code is fetched
    single: float
    batch: float
    processor: float  # of one thread, whatever else the machine does: the least of all pictures
    numpy: float  # processor milliseconds without the accelerator
    giga_macs_per_second: float
    ratio_to_litert: float | None = None


def mobilenet(alpha: float = 0.75, size: int = 224) -> Kmodel:
    """The convolutions of MobileNetV1; a stride is a pool of type 5 behind a whole convolution, as in known files."""
    channels = [int(n * alpha) for n in (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)]
    strides = [2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    layers, shape = [], (3, size, size)
    for i, (outputs, stride) in enumerate(zip(channels, strides, strict=True)):
        if i:
            layers.append(_conv(shape, shape[0], 3, depthwise=True, number=len(layers)))
        layers.append(_conv(shape, outputs, 1 if i else 3, stride=stride, number=len(layers)))
        shape = layers[-1].registers.output_shape
    end = int(np.prod(shape))
    return Kmodel(main_memory_bytes=end, outputs=(Output(address=0, size=end),), layers=tuple(layers))


def _conv(
    shape: tuple[int, int, int], outputs: int, kernel: int, *, number: int, stride: int = 1, depthwise: bool = False
) -> Conv:
    rng = np.random.default_rng(number)
    registers = Registers.for_conv(
        input_shape=shape, output_channels=outputs, kernel_size=kernel, depthwise=depthwise,
        pool_type={1: 0, 2: 5}[stride], arg_x=-(128 << 15), shr_x=15,
        input_line=(number % 2) * 16384, output_line=((number + 1) % 2) * 16384,
    )  # fmt: skip
    size = (outputs, kernel, kernel) if depthwise else (outputs, shape[0], kernel, kernel)
    starts, slopes, bias = np.full(16, (1 << 35) - 1), np.zeros(16, np.int64), np.zeros(16, np.int64)
    starts[:2], slopes[1] = (-(1 << 35), 0), 1 << 10
    spread = int((1 << 20) / (kernel**2 * (1 if depthwise else shape[0])) ** 0.5)
    return Conv(
        flags=int(number == 26),
        registers=registers,
        weights=rng.integers(64, 192, size, np.uint8),
        batch_norm=BatchNorm(
            mul=rng.integers(0, spread, outputs), add=rng.integers(-9999, 99999, outputs), shift=np.full(outputs, 15)
        ),
        activation=ActivationTable(x_start=starts, y_mul=slopes, shift=np.full(16, 20), bias=bias),
    )


def kept_multiply_adds(model: Kmodel) -> int:
    """Multiply-adds whose results are kept: a picking pool drops three quarters of them or more."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, Conv):
            r = layer.registers
            picks = POOLS[r.pool_type].name.startswith("pick")
            total += r.multiply_adds // (POOLS[r.pool_type].stride ** 2 if picks else 1)
    return total


def measure(name: str, model: Kmodel, pictures: int) -> Row:
    """Run `pictures` random inputs one by one, as a batch, and on one thread."""
    rng = np.random.default_rng(0)
    if model.input_is_float:
        inputs: list[Any] = [rng.normal(size=model.input_shape).astype(np.float32) for _ in range(pictures)]
    else:
        inputs = [rng.integers(0, 256, model.input_shape, np.uint8) for _ in range(pictures)]
    machine, plain = Machine(model), Machine(model, accelerate=False)
    first = _milliseconds(lambda: machine.run(inputs[0]))
    single = [_milliseconds(lambda x=x: machine.run(x)) for x in inputs]
    batch = _milliseconds(lambda: list(machine.run_all(inputs))) / pictures
    with own_threads():
        alone = [_milliseconds(lambda x=x: machine._run(x, split=False), time.thread_time) for x in inputs]
        numpy = [_milliseconds(lambda x=x: plain._run(x, split=False), time.thread_time) for x in inputs[:10]]
    median = statistics.median(single)
    speed = kept_multiply_adds(model) / median / 1e6
    return Row(name, first, median, batch, min(alone), min(numpy), speed)


def _milliseconds(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    action()
    return (clock() - start) * 1000


def litert(path: Path, pictures: int) -> float | None:
    """Median milliseconds of a float TFLite model on as many threads as we use; None where it cannot be measured."""
    if not path.exists() or importlib.util.find_spec("ai_edge_litert") is None:
        return None
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=workers())
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]
    interpreter.set_tensor(place["index"], np.zeros(place["shape"], np.float32))
    interpreter.invoke()
    return statistics.median(_milliseconds(interpreter.invoke) for _ in range(pictures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[SHARED / "golden" / "real"])
    parser.add_argument("--pictures", type=int, default=30)
    default = SHARED / "models" / "mobilenet_v1_0.75_224_imagenet_pad11.tflite"
    parser.add_argument("--float", type=Path, default=default, help="a float MobileNetV1 0.75 224, .tflite")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    models = {path.stem: load(path) for folder in arguments.folders for path in sorted(folder.glob("*.kmodel"))}
    rows = [measure(name, model, arguments.pictures) for name, model in {MADE_HERE: mobilenet(), **models}.items()]
    peer = litert(arguments.float, arguments.pictures)
    if peer is not None:
        rows = [
            Row(**{**asdict(r), "ratio_to_litert": r.single / peer} if r.name == MADE_HERE else asdict(r)) for r in rows
        ]
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if arguments.json:
        print(json.dumps({"rows": [asdict(r) for r in rows], "litert": peer, "peak_megabytes": megabytes}))
        return 0
    print(
        f"{'milliseconds per picture':26} {'first':>7} {'single':>7} {'batch':>7} {'cpu':>7} {'NumPy':>7} {'GMAC/s':>7}"
    )
    for r in rows:
        cells = (r.first, r.single, r.batch, r.processor, r.numpy, r.giga_macs_per_second)
        print(f"{r.name:26} " + " ".join(f"{cell:7.2f}" for cell in cells))
    if peer is None:
        print("LiteRT was not measured: give --float MODEL.tflite, and install ai-edge-litert")
    else:
        times = rows[0].single / peer
        print(f"LiteRT, float MobileNetV1 0.75 224: {peer:.2f} ms; the simulator takes {times:.1f} times as long")
    print(f"peak memory {megabytes:.0f} MB, {workers()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
