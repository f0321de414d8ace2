"""Run a kmodel bit for bit, and see what every layer made."""

from __future__ import annotations

from k210kit.simulator.inputs import read_input
from k210kit.simulator.run import Machine, Run, simulate
from k210kit.simulator.trace import LayerStatistics, named, statistics

__all__ = ["LayerStatistics", "Machine", "Run", "named", "read_input", "simulate", "statistics"]
