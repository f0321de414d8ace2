"""find_blobs, get_regression and the statistics of colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arguments import Arguments, require
from ..blobs import Found, Search
from ..blobs import find_blobs as search_blobs
from ..image import Image
from ..regression import Sampling
from ..regression import regression as line_through
from ..results import Blob, Line
from ..table import method

__all__ = ["find_blobs", "get_regression"]


def strides(arguments: Arguments, at: int) -> tuple[int, int]:
    """x_stride and y_stride from two places on."""
    x_stride = arguments.integer(at, "x_stride", 2)
    require(x_stride > 0, "x_stride must not be zero.")
    y_stride = arguments.integer(at + 1, "y_stride", 1)
    require(y_stride > 0, "y_stride must not be zero.")
    return x_stride, y_stride


@method("find_blobs", least=2, full=True)
def find_blobs(image: Image, arguments: Arguments) -> list[Any]:
    frame, workshop = image.mutable(), image._workshop
    thresholds = arguments.thresholds(0, "")
    if not thresholds:
        return []
    invert = arguments.flag(1, "invert")
    region = arguments.region(2, frame.width, frame.height)
    x_stride, y_stride = strides(arguments, 3)
    search = Search(
        thresholds=thresholds,
        invert=invert,
        region=region,
        x_stride=x_stride,
        y_stride=y_stride,
        area_threshold=arguments.integer(5, "area_threshold", 10),
        pixels_threshold=arguments.integer(6, "pixels_threshold", 10),
        merge=arguments.flag(7, "merge"),
        margin=arguments.integer(8, "margin", 0),
        accept=_blob_callback(arguments.value(9, "threshold_cb")),
        join=_blob_callback(arguments.value(10, "merge_cb")),
    )
    with workshop.scratch():
        found = search_blobs(frame, search, workshop.fast_yuv)
        sampled = region.w * region.h // (x_stride * y_stride) + sum(blob.pixels for blob in found)
        workshop.spend("compare", sampled * len(thresholds))
    return [Blob(blob.values) for blob in found]


def _blob_callback(call: Any) -> Callable[..., bool] | None:
    """The script's function of one or two blobs."""
    if call is None:
        return None

    def answer(*blobs: Found) -> bool:
        return bool(call(*(Blob(blob.values) for blob in blobs)))

    return answer


@method("get_regression", least=2, full=True)
def get_regression(image: Image, arguments: Arguments) -> Any:
    frame, workshop = image.mutable(), image._workshop
    thresholds = arguments.thresholds(0, "")
    if not thresholds:
        return None
    invert = arguments.flag(1, "invert")
    region = arguments.region(2, frame.width, frame.height)
    x_stride, y_stride = strides(arguments, 3)
    sampling = Sampling(
        region=region,
        x_stride=x_stride,
        y_stride=y_stride,
        area_threshold=arguments.integer(5, "area_threshold", 10),
        pixels_threshold=arguments.integer(6, "pixels_threshold", 10),
    )
    robust = arguments.flag(7, "robust")
    found = line_through(frame, thresholds, invert, sampling, robust, workshop.fast_yuv)
    workshop.spend("compare", region.w * region.h // (x_stride * y_stride) * len(thresholds))
    return None if found is None else Line(found.values)
