from __future__ import annotations

import os
from pathlib import Path

import pytest

from k210kit.device import doctor
from k210kit.device.doctor import Finding, diagnose, is_fit
from k210kit.device.serial_port import FoundPort


def named(findings: tuple[Finding, ...], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_this_computer_is_fit(tmp_path: Path) -> None:
    findings = diagnose(tmp_path)
    assert named(findings, "Python").state == "ok"
    assert named(findings, "libraries for everything").state == "ok"
    assert is_fit(findings) is not any(finding.state == "problem" for finding in findings)


def test_a_missing_extra_is_optional_and_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.EXTRAS, "onnx", (("no_such_library",), "ONNX models"))
    found = named(diagnose(), "libraries for ONNX models")
    assert (found.state, found.found, found.cure) == (
        "optional",
        "no_such_library missing",
        "pip install 'k210kit[onnx]'",
    )


def test_every_extra_of_the_package_is_looked_at() -> None:
    from importlib.metadata import metadata

    extras = set(metadata("k210kit").get_all("Provides-Extra") or ()) - {"dev"}
    assert extras <= set(doctor.EXTRAS)


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES", 10**18)
    findings = diagnose(tmp_path)
    assert named(findings, "disk").state == "problem"
    assert not is_fit(findings)


@pytest.mark.skipif(os.name != "posix", reason="groups are of Unix")
def test_a_port_without_permission_is_a_problem_with_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    pytest.importorskip("serial")
    path = tmp_path / "ttyUSB0"
    path.touch()
    entry = grp.struct_group(("dialout", "x", 20, []))
    monkeypatch.setattr(grp, "getgrgid", lambda _: entry)
    monkeypatch.setattr(grp, "getgrnam", lambda _: entry)
    port = FoundPort(name=str(path), title="CH340", vendor=0x1A86, product=0x7523)
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    (finding, *_) = doctor._ports(lambda: (port,))
    assert finding.state == "problem"
    assert "usermod -aG dialout" in finding.cure


def test_no_port_is_no_problem_but_told() -> None:
    pytest.importorskip("serial")
    (finding, *_) = doctor._ports(lambda: ())
    assert finding.state == "optional"
    assert finding.found == "none"
