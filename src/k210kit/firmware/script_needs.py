"""What a MaixPy script needs of its firmware, read from its source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from k210kit.errors import InputError

__all__ = ["Need", "needs_of"]

# module: the feature that brings it
_MODULES: dict[str, str] = {
    "_thread": "thread",
    "ws2812": "ws2812",
    "ulab": "ulab",
    "lvgl": "lvgl",
    "touchscreen": "touch",
    "video": "video",
    "nes": "nes",
    "speech_recognizer": "speech",
    "pye": "pye",
    "pye_mp": "pye",
    "fpioa_manager": "fpioa_manager",
    "board": "board",
}
# methods of pictures that CONFIG_MAIXPY_OMV_MINIMUM leaves out; py_image.c and imlib_config.h of MaixPy
_OPENMV_TEXT = (
    "flood_fill draw_keypoints binary invert b_and b_nand b_or b_nor b_xor b_xnor erode dilate open close "
    "find_edges top_hat black_hat gamma_corr negate replace set add sub mul div min max difference blend histeq "
    "mean median mode midpoint morph gaussian gaussian_blur blur laplacian bilateral cartoon remove_shadows "
    "chrominvar illuminvar linpolar logpolar rotation_corr get_similarity get_histogram get_hist histogram "
    "get_statistics get_stats statistics get_regression find_blobs find_lines find_line_segments find_circles "
    "find_rects find_qrcodes find_apriltags find_datamatrices find_barcodes find_displacement find_template "
    "find_features find_eye find_lbp find_keypoints find_domain find_hog "
)
_OPENMV_METHODS = frozenset(_OPENMV_TEXT.split())
# names that other objects have too: only counted on a picture that the script calls img, image or the like
_COMMON = frozenset(["open", "close", "set", "add", "sub", "mul", "div", "min", "max", "mean", "mode", "replace"])
_PICTURE_NAMES = frozenset(["img", "image", "im", "frame", "picture", "pic"])


@dataclass(frozen=True, kw_only=True)
class Need:
    """One feature, where the script asks for it (line from 1), and what is written there."""

    feature: str
    line: int
    text: str


def needs_of(source: str, name: str = "the script") -> tuple[Need, ...]:
    """The features that a script needs, each at its first use; `InputError` if it is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{name} is no Python that can be read: {error}.") from None
    found: dict[str, Need] = {}
    for need in sorted(_needs(tree), key=lambda need: need.line):
        found.setdefault(need.feature, need)
    return tuple(found.values())


def _needs(tree: ast.AST) -> Iterator[Need]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module(alias.name, node)
        elif isinstance(node, ast.ImportFrom):
            yield from _module(node.module or "", node)
            yield from (_need("mic_array", node, alias.name) for alias in node.names if alias.name == "MIC_ARRAY")
        elif isinstance(node, ast.Attribute):
            yield from _attribute(node)
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _module(name: str, node: ast.stmt) -> Iterator[Need]:
    feature = _MODULES.get(name.split(".")[0])
    if feature:
        yield _need(feature, node, f"import {name}")


def _attribute(node: ast.Attribute) -> Iterator[Need]:
    if node.attr in ("WIZNET5K", "WIZNET5500"):
        yield _need("wiznet", node, node.attr)
    if node.attr == "MIC_ARRAY":
        yield _need("mic_array", node, node.attr)


def _call(node: ast.Call) -> Iterator[Need]:
    if not isinstance(node.func, ast.Attribute):
        return
    method = node.func.attr
    picture = isinstance(node.func.value, ast.Name) and node.func.value.id.lower() in _PICTURE_NAMES
    if method in _OPENMV_METHODS and (method not in _COMMON or picture):
        yield _need("find_blobs", node, f".{method}()")
    for keyword in node.keywords:
        wanted = not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
        if method == "reset" and keyword.arg == "dual_buff" and wanted:
            yield _need("double_buffer", node, "sensor.reset(dual_buff=True)")
    if method == "set_outputs":
        yield _need("kmodel_v4", node, "KPU.set_outputs()")


def _need(feature: str, node: ast.stmt | ast.expr, text: str) -> Need:
    return Need(feature=feature, line=node.lineno, text=text)
