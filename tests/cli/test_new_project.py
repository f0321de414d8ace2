from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from k210kit.cli.new_project import app
from k210kit.errors import FileError
from tests.command_lines import refusal

run = CliRunner().invoke


def test_a_project_has_places_for_photos_tasks_and_a_workflow(tmp_path: Path) -> None:
    folder = tmp_path / "my camera"
    result = run(app, [str(folder), "--json"], catch_exceptions=False)
    assert len(json.loads(result.stdout)["files"]) == 6
    assert json.loads(result.stdout)["next"][0] == f"cd '{folder}'"
    tasks = json.loads((folder / ".vscode" / "tasks.json").read_text())
    assert tasks["tasks"][0]["command"] == "k210kit train photos -o run --task classify"
    assert "--task classify" in (folder / ".github" / "workflows" / "train.yml").read_text()
    assert (folder / "README.md").read_text().startswith("# my camera\n")
    assert (folder / "photos" / "first").is_dir()


def test_a_detector_has_boxes_beside_its_photos_and_no_folder_per_class(tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    result = run(app, [str(folder), "--task", "detect"], catch_exceptions=False)
    assert "with their boxes beside them" in result.stdout
    assert "with their boxes beside them" in (folder / "README.md").read_text()
    assert "--task detect" in (folder / ".github" / "workflows" / "train.yml").read_text()
    assert list((folder / "photos").iterdir()) == []


def test_the_workflow_keeps_the_bundle_even_if_it_does_not_fit(tmp_path: Path) -> None:
    run(app, [str(tmp_path / "camera")], catch_exceptions=False)
    steps = yaml.safe_load((tmp_path / "camera/.github/workflows/train.yml").read_text())["jobs"]["train"]["steps"]
    does = [step.get("uses", step.get("run", "")) for step in steps]
    assert does[-2].startswith("actions/upload-artifact@")
    assert does[-1].startswith("k210kit fit ")


def test_every_command_of_a_project_is_one_that_the_kit_takes(tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    run(app, [str(folder)], catch_exceptions=False)
    files = [path for path in folder.rglob("*") if path.suffix in (".json", ".yml", ".md")]
    commands = {found for path in files for found in re.findall(r"k210kit ([a-z][^`\n\"]*)", path.read_text())}
    assert len(commands) >= 6
    lines = [shlex.split(command) for command in commands]
    assert [(words, why) for words in lines if (why := refusal(words[0], words[1:]))] == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="is not an empty folder"):
        run(app, [str(tmp_path)], catch_exceptions=False)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
