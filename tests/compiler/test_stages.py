"""Golden texts of every stage for two small nets.

After a change that is meant to change them:  python -m pytest tests/compiler/test_stages.py --update-golden
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

from k210kit.compiler.allocate import allocate
from k210kit.compiler.emit import emit
from k210kit.compiler.importers import read_model
from k210kit.compiler.pipeline import Normalisation, lowered, normalised
from k210kit.compiler.quantize.calibrate import calibrate
from k210kit.compiler.quantize.search import quantize
from tests.compiler import stage_texts
from tests.compiler.small_nets import SMALL_NETS

GOLDEN = Path(__file__).parent / "golden"
STAGES = ("1 imported", "2 after the passes", "3 steps", "4 placed", "5 kmodel")


@cache
def texts(name: str, folder: Path) -> dict[str, str]:
    path = folder / f"{name}.onnx"
    path.write_bytes(SMALL_NETS[name]())
    source = read_model(path)
    graph, program = lowered(source)
    placement = allocate(program)
    raw = np.random.default_rng(5).integers(0, 256, (2, *source.input_shape)).astype(np.uint8)
    batch, scale = normalised(raw, source, Normalisation())
    made = quantize(
        graph, program, calibrate(graph, batch), scale, raw=raw, batch=batch, effort="fast", tell=lambda _, __: None
    )
    kmodel = emit(program, placement, made.scales, made.integers).kmodel
    written = (
        stage_texts.of_graph(source),
        stage_texts.of_graph(graph),
        stage_texts.of_program(program),
        stage_texts.of_placement(program, placement),
        stage_texts.of_kmodel(kmodel),
    )
    return dict(zip(STAGES, written, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nets")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", SMALL_NETS)
def test_a_stage_makes_what_it_made_before(name: str, stage: str, folder: Path, request: pytest.FixtureRequest) -> None:
    got = texts(name, folder)[stage]
    place = GOLDEN / name / f"{stage}.txt"
    if request.config.getoption("--update-golden"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(got, encoding="utf-8")
    assert got == place.read_text(encoding="utf-8"), f"{place.name} differs; --update-golden writes it anew"
