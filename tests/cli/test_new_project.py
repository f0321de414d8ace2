from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from k210kit.cli.new_project import app
from k210kit.errors import FileError

run = CliRunner().invoke


def test_a_project_has_places_for_photos_tasks_and_a_workflow(tmp_path: Path) -> None:
    folder = tmp_path / "my camera"
    result = run(app, [str(folder), "--task", "detect", "--json"], catch_exceptions=False)
    assert len(json.loads(result.stdout)["files"]) == 6
    tasks = json.loads((folder / ".vscode" / "tasks.json").read_text())
    assert tasks["tasks"][0]["command"] == "k210kit train photos -o run --task detect"
    assert "--task detect" in (folder / ".github" / "workflows" / "train.yml").read_text()
    assert (folder / "README.md").read_text().startswith("# my camera\n")
    assert (folder / "photos" / "first").is_dir()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="is not an empty folder"):
        run(app, [str(tmp_path)], catch_exceptions=False)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
