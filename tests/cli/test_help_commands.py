from __future__ import annotations

import json
import subprocess
import sys


def k210kit(*arguments: str, pasted: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "k210kit", *arguments], capture_output=True, text=True, check=False, input=pasted
    )


def test_explain_answers_in_three_languages() -> None:
    told = json.loads(k210kit("explain", "load error:2006", "--json").stdout)
    (cause,) = told["causes"]
    assert cause["key"] == "kpu-2006"
    assert set(cause["cause"]) == set(cause["cure"]) == {"en", "ja", "zh"}


def test_explain_reads_what_is_piped_and_leaves_with_3_if_it_knows_nothing() -> None:
    assert "boot.py" in k210kit("explain", "--language", "en", pasted="run error: 13\n").stdout
    unknown = k210kit("explain", "hello", "--json")
    assert (unknown.returncode, json.loads(unknown.stdout)) == (3, {"causes": []})


def test_doctor_lists_findings() -> None:
    told = json.loads(k210kit("doctor", "--json").stdout)
    assert {"name", "state", "found", "cure"} <= set(told["findings"][0])
