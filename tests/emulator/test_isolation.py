"""Ways out of the emulated board that must be shut. Each script prints OUT where it gets hold of what it must not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from k210kit.emulator import RunRequest, run
from tests.emulator.desk import Desk

# expressions that would give CPython's insides, or text about them
EXPRESSIONS = (
    "().__class__.__base__.__subclasses__()",
    "().__class__.__mro__",
    "getattr((), '__cl' + 'ass__').__subclasses__",
    "type.__dict__['__subclasses__'](object)",
    "type(lambda: 0).__dict__['__globals__']",
    "getattr(type, '__dict__')",
    "(lambda: 0).__globals__",
    "(lambda: 0).__code__",
    "open.__globals__",
    "open.__init__.__globals__",
    "print.__self__",
    "__private__(open, '__globals__')",
    "__private__(print, '__self__')",
    "__private__(lambda: 0, '__globals__')",
    "'{0.__globals__}'.format(open)",
    "'{0.__class__.__mro__}'.format(())",
    "'{0[0]}'.format(open)",
    "'{:{0.__class__}}'.format(1)",
    "str.format('{0.__globals__}', open)",
    "getattr('{0.__globals__}', 'format')(open)",
    "list(map(str.format, ['{0.__globals__}'], [open]))",
    "compile('1', 'x', 'eval').co_consts",
    "compile('1', 'x', 'eval').replace",
    "type(compile('1', 'x', 'eval'))(None).co_code",
    "type(lambda: 0)(compile('1', 'x', 'eval'), {})",
    "__import__('os').system",
    "__import__('os').environ",
    "__import__('subprocess')",
    "__import__('ctypes')",
    "__builtins__['__import__']('socket').socket().connect",
    "image.Image.__init__.__globals__",
    "image.Image()._workshop",
    "image.Image().__class__.__bases__[0]._board",
    "open('/flash/main.py').name",
    "open('/flash/main.py').buffer",
    "open('/flash/main.py')._stream",
    "(x for x in ()).gi_frame",
    "sys.modules['os'].__file__",
    "sys._getframe()",
    "__step__.__self__",
    "vars(open)",
    "object.__getattribute__(open, '__globals__')",
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_that_leads_out_raises(desk: Desk, expression: str) -> None:
    (desk.flash / "main.py").write_text("1\n")
    script = (
        f"import image, sys\ntry:\n    found = {expression}\n    print('OUT', found)\n"
        "except Exception as error:\n    print('shut')\n"
    )
    assert desk.prints(script) == "shut\n", expression


def test_pattern_matching_is_no_way_round(desk: Desk) -> None:
    """Tabs mixed with blanks make the parser try again; newer syntax is refused then too."""
    script = "if 1:\n\tx = 1\n        y = 2\nmatch open:\n    case object(__globals__=g):\n        print('OUT')\n"
    assert "SyntaxError" in desk.run(script).printed


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/flash/../../etc/passwd", "/sd/../etc/passwd", "../../../etc/passwd", "/proc/self/environ", "~/x"],
)
def test_files_of_this_computer_are_not_there(desk: Desk, path: str) -> None:
    script = f"try:\n    print('OUT', open({path!r}).read())\nexcept OSError as error:\n    print(error)\n"
    assert desk.prints(script).strip() in ("[Errno 2] ENOENT", "[Errno 19] ENODEV")


def test_a_list_of_the_root_is_the_boards(desk: Desk) -> None:
    assert desk.prints("import os\nprint(os.listdir('/'))\n", sd=True) == "['flash', 'sd']\n"


def test_secrets_of_the_environment_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET_TOKEN", "hidden")
    from k210kit.emulator import isolated

    kept = [name for name in os.environ if name.upper().startswith(isolated._KEPT)]
    assert "PATH" in kept
    assert "MY_SECRET_TOKEN" not in kept
    script = tmp_path / "main.py"
    script.write_text("print(1)\n")
    assert run(RunRequest(script=str(script))).printed == "1\n"


@pytest.mark.parametrize(
    "act",
    [
        "__import__('ctypes').CDLL(None)",
        "__import__('subprocess').run(['true'])",
        "__import__('socket').create_connection(('127.0.0.1', 9))",
        "__import__('os').system('true')",
        "open('/etc/passwd')",
        "__import__('pathlib').Path('/etc/passwd').read_text()",
        "__import__('multiprocessing').Process(target=print).start()",
    ],
)
def test_the_fence_holds_even_for_code_with_all_of_python(act: str) -> None:
    """The second layer, tried alone: in a process whose fence is closed."""
    import subprocess
    import sys

    program = (
        "from k210kit.emulator.guard import Fence\n"
        "fence = Fence([], [])\nfence.close()\n"
        f"try:\n    {act}\nexcept PermissionError as error:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr


def test_format_does_what_the_board_does(desk: Desk) -> None:
    printed = desk.prints(
        """
        print("{} {:>4} {:02d}".format(1, "a", 7), "{0}{1}{0}".format("x", "y"), "{a:.2f}".format(a=1.5))
        print("{}".format([1.0, 2]), str.format("{:{}}", "a", 3) + "|", list(map("{}!".format, [1, 2])))
        import image
        print(image.Image(size=(4, 4)).format() == image.Image().format())
        """
    )
    assert printed.splitlines() == ["1    a 07 xyx 1.50", "[1.0, 2] a  | ['1!', '2!']", "True"]
