"""The commands, in the order of the work: name, panel, and the line that `k210kit --help` shows.

A command's module, `k210kit.cli.<name>` with `-` as `_`, holds `app: typer.Typer` and is imported only when called.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMANDS", "Command"]


@dataclass(frozen=True)
class Command:
    """One row of the table."""

    name: str
    panel: str
    summary: str

    @property
    def module(self) -> str:
        return "k210kit.cli." + self.name.replace("-", "_")


COMMANDS: tuple[Command, ...] = (
    Command("demo", "Start", "Go the whole way on drawn number cards, on the desk."),
    Command("new-project", "Start", "Make a folder to start from: places for photos, editor tasks, a workflow."),
    Command("draw-cards", "Train", "Draw number and symbol cards as a data set, and print them."),
    Command("train", "Train", "Train a classifier or detector from pictures, down to the bundle for the board."),
    Command("evaluate", "Train", "Measure a model on pictures, float and kmodel side by side."),
    Command("check", "Model", "Say what the K210 cannot do with a model, before compiling it."),
    Command("compare", "Model", "Compare the float model with the kmodel on the same pictures."),
    Command("inspect", "Model", "Say what a file is, what is in it and what loads it."),
    Command("compile", "Model", "Compile a TFLite, ONNX or Keras model to a kmodel V3."),
    Command("simulate", "Model", "Run a kmodel bit for bit, as a K210 would."),
    Command("run", "Board", "Run a MaixPy script on the desk, with the board's memory, time and errors."),
    Command("stubs", "Board", "Write type stubs of MaixPy's modules for an editor."),
    Command("view", "Board", "Show a camera's stream: a live page, the terminal, files, or a camera for `run`."),
    Command("stream-demo", "Board", "Send a moving face from the desk camera to the desk StickC and to a page."),
    Command("flash", "Board", "Write a program, a model or a package to a board's flash."),
    Command("fit", "Board", "Does a model fit on a firmware, how fast is it, and what would make it fit?"),
    Command("firmware", "Board", "MaixPy builds: list, inspect, configure, check, compare, build."),
    Command("terminal", "Board", "The board's prompt; files to and from it; a way past a broken boot.py."),
    Command("swap", "Board", "Reverse a model's words for `kpu.load_flash`."),
    Command("pack", "Board", "Pack files and their flash addresses into a kfpkg."),
    Command("unpack", "Board", "Take a kfpkg apart and show its flash map."),
    Command("doctor", "Help", "What is missing on this computer, and what to do."),
    Command("explain", "Help", "What a pasted message means, in English, Japanese and Chinese."),
)
