"""Run a kmodel bit for bit, and see what every layer made."""

from __future__ import annotations

from k210kit.simulator.run import Machine, Run, simulate

__all__ = ["Machine", "Run", "simulate"]
