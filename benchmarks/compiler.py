"""Our compiler against nncase 1.9's recorded figures, in one run.

    python -m benchmarks.compiler [--effort fast|normal|best] [--shared ../shared] [NAME ...]

Calibration: the first ten photos of the shared images; test: the others. SNR = 10 log10(sum ref^2 / sum (ref - q)^2)
against the float model's own engine. nncase's figures were recorded on another day with the same photos; its MobileNet
figures are of logits on other photos, so they are not repeated here. Its main memory is without the outputs. `board ms`
is the estimate of `k210kit.timing` for ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from k210kit.comparison import compare
from k210kit.compiler import Normalisation


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model, what its pixels become, and what nncase 1.9 was seen to give."""

    file: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    letterbox: bool = False
    peer_db: str
    peer_seconds: float
    peer_bytes: int
    peer_main_bytes: int
    peer_kpu_bytes: int


CASES = {
    "ulffd": Case(
        file="ulffd_landmark.tflite", mean=(0.5,), std=(1.0,), peer_db="20.1 20.5 28.2", peer_seconds=1.57,
        peer_bytes=418_088, peer_main_bytes=423_040, peer_kpu_bytes=1_704_960,
    ),
    "tinyyolo": Case(
        file="tiny_yolov2_320x224.tflite", mean=(0.0,), std=(1.0,), peer_db="24.5", peer_seconds=3.51,
        peer_bytes=4_012_824, peer_main_bytes=17_504, peer_kpu_bytes=788_480,
    ),
    "yolox": Case(
        file="yolox_nano_224.onnx", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), letterbox=True,
        peer_db="5.9", peer_seconds=3.05, peer_bytes=1_066_456, peer_main_bytes=1_204_224, peer_kpu_bytes=630_784,
    ),
    "mobilenet075_01": Case(
        file="mobilenet_v1_0.75_224_imagenet_pad01.tflite", mean=(0.5,), std=(0.5,), peer_db="-", peer_seconds=3.2,
        peer_bytes=2_659_848, peer_main_bytes=5_720_064, peer_kpu_bytes=1_376_256,
    ),
    "mobilenet075_11": Case(
        file="mobilenet_v1_0.75_224_imagenet_pad11.tflite", mean=(0.5,), std=(0.5,), peer_db="-", peer_seconds=3.0,
        peer_bytes=2_656_080, peer_main_bytes=188_160, peer_kpu_bytes=1_548_288,
    ),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--effort", default="normal", choices=("fast", "normal", "best"))
    parser.add_argument("--shared", type=Path, default=Path(__file__).resolve().parents[2] / "shared")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in CASES]:
        parser.error(f"no model is called {unknown[0]}; there are {', '.join(CASES)}")
    photos = sorted((options.shared / "images").iterdir())
    if len(photos) < 11:
        sys.stdout.write(f"{options.shared}/images holds no photos: nothing was measured\n")
        return 1
    heads = f"{'model':16}{'dB':>16}{'nncase':>16}{'s':>7}{'nncase':>7}{'bytes':>11}{'nncase':>11}"
    heads += f"{'main':>10}{'nncase':>11}{'KPU':>11}{'nncase':>11}{'board ms':>10}"
    sys.stdout.write(heads + "\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            sys.stdout.write(_row(name, CASES[name], photos, options, Path(folder) / f"{name}.kmodel") + "\n")
            sys.stdout.flush()
    return 0


def _row(name: str, case: Case, photos: list[Path], options: argparse.Namespace, out: Path) -> str:
    model = options.shared / "models" / case.file
    numbers = ["--mean", ",".join(map(str, case.mean)), "--std", ",".join(map(str, case.std))]
    command = [sys.executable, "-m", "k210kit", "compile", str(model), "-o", str(out), *numbers]
    command += ["--effort", options.effort, *(["--letterbox"] if case.letterbox else [])]
    began = time.perf_counter()
    command += ["--images", *map(str, photos[:10]), "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    seconds = time.perf_counter() - began
    found = compare(
        model, out, photos[10:], normalisation=Normalisation(mean=case.mean, std=case.std), letterbox=case.letterbox
    )
    decibels = " ".join("exact" if x.snr_db is None else f"{x.snr_db:.1f}" for x in found.outputs)
    return (
        f"{name:16}{decibels:>16}{case.peer_db:>16}{seconds:7.2f}{case.peer_seconds:7.2f}"
        f"{report['kmodel_bytes']:11,}{case.peer_bytes:11,}{report['main_memory_bytes']:10,}{case.peer_main_bytes:11,}"
        f"{report['kpu_memory_peak_bytes']:11,}{case.peer_kpu_bytes:11,}{report['milliseconds_estimate']:10.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
