"""A KPU layer ready to run: worked out once, by the fastest way that is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from k210kit.kmodel.arithmetic import fast
from k210kit.kmodel.arithmetic.kpu import Convolution, accumulate, activate, batch_norm, pool, reachable
from k210kit.kmodel.arithmetic.plan import BEYOND, Plan, plan
from k210kit.kmodel.arithmetic.threads import pool as threads
from k210kit.kmodel.registers import POOLS

__all__ = ["Prepared"]

Bytes = NDArray[np.uint8]

_UNPROVEN_POOLS = frozenset({2, 3, 4, 6, 7, 8})  # in no model of which a board's result is known
_WORTH_SPLITTING = 2_000_000  # products and results; less takes longer to hand over than to do


class Prepared:
    """One layer. `doubts` says in what the hardware is not known to give the same, whatever the pixels."""

    def __init__(self, spec: Convolution) -> None:
        self.spec = spec
        self.plan = plan(spec)
        self.halves = _halves(self.plan)
        self.doubts = tuple(_doubts(spec))

    def run(self, x: Bytes, *, accelerate: bool, split: bool) -> tuple[Bytes, tuple[str, ...]]:
        """Pixels [c, h, w] to pixels [out, rows, columns], and the doubts; `split`: on two cores."""
        if self.plan is None:
            return self._in_integers(x)
        if accelerate and split and len(self.halves) > 1 and self._work(x) > _WORTH_SPLITTING:
            return self._on_two_cores(x), self.doubts
        return _runner(accelerate)(self.plan, x), self.doubts

    def _work(self, x: Bytes) -> int:
        taps = self.spec.weights[0].size
        return int(x[0].size // POOLS[self.spec.pool_type].stride ** 2 * self.spec.output_channels * (taps + 20))

    def _on_two_cores(self, x: Bytes) -> Bytes:
        from k210kit.kmodel.arithmetic import jit

        first, second = self.halves
        if first.depthwise:
            cut = len(first.scale)
            later = threads().submit(jit.run, second, x[cut:])
            return np.concatenate([jit.run(first, x[:cut]), later.result()])
        seen = jit.patches(first, x)
        later = threads().submit(jit.run, second, x, seen)
        return np.concatenate([jit.run(first, x, seen), later.result()])

    def _in_integers(self, x: Bytes) -> tuple[Bytes, tuple[str, ...]]:
        spec = self.spec
        acc = accumulate(x[None], spec)
        b = batch_norm(acc, spec.bn_mul, spec.bn_shift, spec.bn_add)
        y = pool(activate(b, spec.x_start, spec.y_mul, spec.shift, spec.bias), spec.pool_type)
        return y[0], (*self.doubts, *_seen_doubts(spec, _range(acc), _range(b)))


def _halves(whole: Plan | None) -> tuple[Plan, ...]:
    if whole is None or len(whole.scale) < 2:
        return ()
    middle = (len(whole.scale) + 1) // 2
    return whole.of_channels(0, middle), whole.of_channels(middle, len(whole.scale))


def _runner(accelerate: bool) -> Callable[[Plan, Bytes], Bytes]:
    if accelerate:
        from k210kit.kmodel.arithmetic import jit

        return jit.run
    return fast.run


def _doubts(spec: Convolution) -> Iterator[str]:
    if spec.pool_type in _UNPROVEN_POOLS:
        yield (
            f"pool type {spec.pool_type} ({POOLS[spec.pool_type].name}) follows nncase's kernels; no board's result "
            "is known to prove it"
        )
    if spec.weights.dtype.itemsize > 1:
        yield "16-bit weights follow the register's meaning; no board's result is known to prove them"
    for name, factor, shift in (("arg_x", spec.arg_x, spec.shr_x), ("arg_w", spec.arg_w, spec.shr_w)):
        if spec.input_channels > 1 and factor & ((1 << shift) - 1):
            yield (
                f"{name} = {factor} is no multiple of 2^{shift}: whether the hardware shifts the sum of all channels, "
                "as nncase's kernels do, or each channel's is not known"
            )


def _seen_doubts(spec: Convolution, acc: tuple[int, int], b: tuple[int, int]) -> Iterator[str]:
    """What only a layer without a plan can run into."""
    for name, (least, most) in (("acc", acc), ("b", b)):
        if least < -BEYOND or most >= BEYOND:
            yield f"{name} reaches {least:,} to {most:,}, beyond the signed 36 bits that the KPU is known to hold"
    used = list(reachable(spec.x_start, *b))
    if (spec.y_mul[used] < 0).any():
        yield "the activation table has a negative slope there: how the hardware rounds a negative product is not known"
    if b[0] <= int(spec.x_start.min()) and spec.y_mul[0] != 0:
        yield f"b reaches {b[0]:,}, below every x_start: which segment the hardware takes there is not known"


def _range(values: NDArray[np.int64]) -> tuple[int, int]:
    return int(values.min(initial=0)), int(values.max(initial=0))
