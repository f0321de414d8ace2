"""The passes in their order: those that prepare, then, once `measure.py` has seen the pictures, those that finish."""

from __future__ import annotations

from collections.abc import Callable

from k210kit.compiler.graph import Graph
from k210kit.compiler.passes.bilinear import expand_bilinear
from k210kit.compiler.passes.dense_to_conv import dense_to_conv
from k210kit.compiler.passes.fit_convolutions import fit_convolutions
from k210kit.compiler.passes.fold_affine import fold_affine
from k210kit.compiler.passes.fold_padding import fold_padding
from k210kit.compiler.passes.fuse_formulas import fuse_formulas
from k210kit.compiler.passes.fuse_layers import fuse_layers
from k210kit.compiler.passes.gates import lower_gates
from k210kit.compiler.passes.gathers_to_convs import gathers_to_convs
from k210kit.compiler.passes.hoist_curves import hoist_curves
from k210kit.compiler.passes.max_pools import max_pools
from k210kit.compiler.passes.means import means
from k210kit.compiler.passes.merge_branches import merge_branches
from k210kit.compiler.passes.merge_gathers import merge_gathers
from k210kit.compiler.passes.merge_sums import merge_sums
from k210kit.compiler.passes.move_enlarging import move_enlarging
from k210kit.compiler.passes.pick_by_shift import pick_by_shift
from k210kit.compiler.passes.sink_windows import sink_windows
from k210kit.compiler.passes.softmax_of_two import softmax_of_two
from k210kit.compiler.passes.split_wide import split_wide
from k210kit.compiler.passes.transposed import transposed
from k210kit.compiler.passes.whole_map_convs import whole_map_convs

__all__ = ["FINISHING", "PASSES", "PREPARING", "Pass"]

Pass = Callable[[Graph], Graph]

PREPARING: tuple[Pass, ...] = (
    fold_padding,
    fuse_formulas,
    fold_affine,
    merge_branches,
    whole_map_convs,
    merge_gathers,
    dense_to_conv,
    merge_gathers,
    softmax_of_two,
    means,
    hoist_curves,
    gathers_to_convs,
    transposed,
    split_wide,
    expand_bilinear,
    merge_gathers,
)

FINISHING: tuple[Pass, ...] = (
    lower_gates,
    move_enlarging,
    fit_convolutions,
    hoist_curves,
    max_pools,
    hoist_curves,
    fuse_layers,
    merge_sums,
    sink_windows,
    pick_by_shift,
    merge_gathers,
)

PASSES = (*PREPARING, *FINISHING)
