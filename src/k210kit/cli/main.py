"""The program's edge: find the command, run it, turn errors into one message and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from k210kit import __version__
from k210kit.cli.output import fail, show
from k210kit.cli.table import COMMANDS, Command
from k210kit.errors import InputError, KitError
from k210kit.files import of_the_computer
from k210kit.streams import leave_output, ready_streams

__all__ = ["app", "main"]


class _LazyGroup(TyperGroup):
    """Lists every command from the table, and imports a command's module only when it is called."""

    def __init__(self, **options: Any) -> None:  # Any: typer's own options, passed through
        super().__init__(**options)
        for row in COMMANDS:
            self.commands[row.name] = _listed(row)

    def list_commands(self, ctx: Any) -> list[str]:
        return [row.name for row in COMMANDS]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        for row in COMMANDS:
            if args and row.name == args[0]:
                self.commands[row.name] = _imported(row)
        return super().resolve_command(ctx, args)


def _listed(row: Command) -> Any:
    stand_in = typer.Typer(add_completion=False)
    stand_in.command(row.name, help=row.summary, rich_help_panel=row.panel)(lambda: None)
    return typer.main.get_command(stand_in)


def _imported(row: Command) -> Any:
    command = typer.main.get_command(importlib.import_module(row.module).app)
    command.name = row.name
    return command


app = typer.Typer(
    name="k210kit",
    cls=_LazyGroup,
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Open, offline tools for Kendryte K210 cameras: from a folder of photos to a working camera.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"k210kit {__version__}")
        raise typer.Exit


_WORKFLOW = (
    ("k210kit train photos -o run", "a folder of photos becomes a model, measured before and after quantisation"),
    ("k210kit fit run/bundle/model.kmodel --firmware minimum_with_ide", "does it fit on the board, how fast is it"),
    (
        "k210kit run run/bundle/boot.py --sd run/bundle --camera photos",
        "the board's script on the desk, picture by picture",
    ),
    ("k210kit flash run/bundle.kfpkg", "onto the board"),
    ("k210kit compile model.tflite -o model.kmodel --images photos", "a network from elsewhere (TFLite, ONNX, Keras)"),
)

_STOPPED = 130  # as shells count it: 128 and the signal's number

WrongCommandLine: Any = typer.BadParameter.__base__  # of every complaint about arguments, in every version of typer


@app.callback()
def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    if context.invoked_subcommand is None:
        steps = [line for step, what in _WORKFLOW for line in (f"  {step}", f"      {what}")]
        show(None, as_json=False, text=["From photos to a working camera:", *steps, "All commands: k210kit --help"])


def main() -> None:
    """Run the command line and leave with one of the exit codes 0, 1, 2, 3, or 130 after Ctrl-C."""
    ready_streams()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its own cost every start 45 ms; the kit shares out work itself
    try:
        code = app(prog_name="k210kit", standalone_mode=False)
        if code == _STOPPED:  # typer's own answer to Ctrl-C
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except KitError as error:
        fail(error)
    except WrongCommandLine as error:
        said, where = error.format_message(), error.ctx.command_path if error.ctx else "k210kit"
        fail(InputError(f"{said if said.endswith(('?', '.')) else said + '.'} See: {where} --help"))
    except BrokenPipeError:  # the reader of a pipe has left, as `| head` does
        leave_output()
        sys.exit(0)
    except SystemExit as left:  # rich's own answer to the same, in pages of help
        sys.exit(0 if isinstance(left.__context__, BrokenPipeError) else left.code)
    except OSError as error:
        told = of_the_computer(error)
        if told is None:
            raise
        leave_output()  # what could not be written is not tried again at the end
        fail(told)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\nStopped. Every file that is there is whole; the same command begins anew.\n")
        sys.exit(_STOPPED)
