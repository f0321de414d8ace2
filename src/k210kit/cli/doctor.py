"""`k210kit doctor`: what is missing on this computer."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from k210kit.cli.output import Json, show, table
from k210kit.device.doctor import Finding, diagnose, is_fit

__all__ = ["app"]

app = typer.Typer(add_completion=False)
_SIGNS = {"ok": "ok", "optional": "–", "problem": "MISSING"}
_ANSWER_IS_NO = 3


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was looked at on this computer."""

    findings: tuple[Finding, ...]


@app.command(epilog="Example: `k210kit doctor`")
def doctor(json: Json = False) -> None:
    """Say what is missing on this computer, and what to do: Python, libraries, disk, serial ports."""
    findings = diagnose()
    rows = [(_SIGNS[one.state], one.name, one.found, one.cure) for one in findings]
    show(Diagnosis(findings=findings), as_json=json, text=table("", ("", "what", "found", "what to do"), rows))
    if not is_fit(findings):
        raise typer.Exit(_ANSWER_IS_NO)
