"""A script sees the board's modules and names, and nothing of this computer."""

from __future__ import annotations

from pathlib import Path

import pytest

from k210kit.emulator import Interpreter, Printed, Setup, power_on
from tests.emulator.desk import Desk


@pytest.mark.parametrize("name", ["numpy", "subprocess", "pathlib", "socketserver", "k210kit", "ctypes", "typing"])
def test_modules_of_this_computer_are_not_there(desk: Desk, name: str) -> None:
    assert desk.fails(f"import {name}") == f"ImportError: no module named '{name}'"


def test_a_name_that_a_module_lacks_cannot_be_imported(desk: Desk) -> None:
    assert desk.fails("from time import perf_counter") == "ImportError: cannot import name perf_counter"


def test_helpers_on_the_card_are_imported_once_and_see_the_device_modules(desk: Desk) -> None:
    (desk.flash / "helper.py").write_text("import time\nprint('loaded')\ndef now(): return time.ticks_ms()\n")
    assert desk.prints("import helper\nimport helper as again\nprint(helper.now() >= 0, again is helper)") == (
        "loaded\nTrue True\n"
    )


def test_packages_on_the_card(desk: Desk) -> None:
    (desk.flash / "lib").mkdir()
    (desk.flash / "lib" / "__init__.py").write_text("from lib import deep\nfrom . import deep as same\n")
    (desk.flash / "lib" / "deep.py").write_text("value = 7\n")
    assert desk.prints(
        "from lib.deep import value\nimport lib\nprint(value, lib.deep.value, lib.same is lib.deep)"
    ) == ("7 7 True\n")


def test_an_error_in_a_helper_shows_the_files_of_the_card_only(desk: Desk) -> None:
    (desk.flash / "helper.py").write_text("def f(x):\n    return x.shape\n")
    result = desk.run("import helper\nhelper.f(3)\n")
    assert result.error == (
        "Traceback (most recent call last):\n"
        '  File "main.py", line 2, in <module>\n'
        '  File "helper.py", line 2, in f\n'
        "AttributeError: 'int' object has no attribute 'shape'\n"
    )


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("1 / 0", "ZeroDivisionError: divide by zero"),
        ("1.0 // 0", "ZeroDivisionError: divide by zero"),
        ("x", "NameError: name 'x' isn't defined"),
        ("def f():\n    x += 1\nf()", "NameError: local variable referenced before assignment"),
        ("open('nothing.txt')", "OSError: [Errno 2] ENOENT"),
        ("1 + 'a'", "TypeError: unsupported types for __add__: 'int', 'str'"),
        ("'a' + 1", "TypeError: can't convert 'int' object to str implicitly"),
        ("[] + 1", "TypeError: unsupported types for __add__: 'list', 'int'"),
        ("None < 1", "TypeError: unsupported types for __lt__: 'NoneType', 'int'"),
        ("-'a'", "TypeError: unsupported type for __neg__: 'str'"),
        ("[][3]", "IndexError: list index out of range"),
        ("'abc'[9]", "IndexError: string index out of range"),
        ("[1]['a']", "TypeError: list indices must be integers, not str"),
        ("{}['a']", "KeyError: a"),
        ("None[0]", "TypeError: 'NoneType' object isn't subscriptable"),
        ("None()", "TypeError: 'NoneType' object isn't callable"),
        ("(1,)[0] = 2", "TypeError: 'tuple' object doesn't support item assignment"),
        ("for i in 5: pass", "TypeError: 'int' object isn't iterable"),
        ("next(5)", "TypeError: 'int' object isn't an iterator"),
        ("{[]: 1}", "TypeError: unsupported type for __hash__: 'list'"),
        ("[].remove(1)", "ValueError: object not in sequence"),
        ("int('12.5')", "ValueError: invalid syntax for integer with base 10: '12.5'"),
        ("int(None)", "TypeError: can't convert NoneType to int"),
        ("range('a')", "TypeError: can't convert str to int"),
        ("float('x')", "ValueError: invalid syntax for number"),
        ("'%d' % 'a'", "TypeError: can't convert str to int"),
        ("'%d %d' % 1", "TypeError: format string needs more arguments"),
        ("'{}'.format()", "IndexError: tuple index out of range"),
        ("'{:x}'.format(1.5)", "ValueError: unknown format code 'x' for object of type 'float'"),
        ("', '.join([1])", "TypeError: join expects a list of str/bytes objects consistent with self object"),
        ("b'\\xff'.decode()", "UnicodeError: "),
        ("def f(a): pass\nf()", "TypeError: f() takes 1 positional arguments but 0 were given"),
        ("def f(a, b=1): pass\nf(1, 2, 3)", "TypeError: f() takes 2 positional arguments but 3 were given"),
        ("class A:\n    def g(self): pass\nA().g(1)", "TypeError: g() takes 1 positional arguments but 2 were given"),
        ("def f(a): pass\nf(b=1)", "TypeError: unexpected keyword argument 'b'"),
        ("len()", "TypeError: function takes 1 positional arguments but 0 were given"),
        ("[].append(1, 2)", "TypeError: function takes 2 positional arguments but 3 were given"),
        ("input(1, 2)", "TypeError: function expected at most 1 arguments, got 2"),
        ("print(1, foo=2)", "TypeError: extra keyword arguments given"),
        ("a, b = 1, 2, 3", "ValueError: too many values to unpack (expected 2)"),
        ("a, b = 1,", "ValueError: need more than 1 values to unpack"),
        ("import time\ntime.nonsense", "AttributeError: 'module' object has no attribute 'nonsense'"),
        ("def f(): return f()\nf()", "RuntimeError: maximum recursion depth exceeded"),
        ("import ustruct\nustruct.pack('Z', 1)", "ValueError: bad typecode"),
        ("import ubinascii\nubinascii.unhexlify('abc')", "ValueError: odd-length string"),
        ("exec('x', 'y')", "TypeError: "),
        ("raise OSError(12)", "OSError: [Errno 12] ENOMEM"),
    ],
)
def test_errors_have_the_words_of_the_board(desk: Desk, script: str, line: str) -> None:
    assert desk.fails(script) == line


def test_a_caught_error_has_the_boards_words_too(desk: Desk) -> None:
    script = """
    for what in ("1 / 0", "{}['k']", "open('nope')", "[].foo", "int('x')"):
        try:
            exec(what)
        except Exception as e:
            print(str(e), "|", "%s" % e, "|", "{}".format(e), "|", e.args, repr(e))
    """
    assert desk.prints(script) == (
        "divide by zero | divide by zero | divide by zero | ('divide by zero',) ZeroDivisionError('divide by zero',)\n"
        "k | k | k | ('k',) KeyError('k',)\n"
        "[Errno 2] ENOENT | [Errno 2] ENOENT | [Errno 2] ENOENT | (2,) OSError(2,)\n"
        "'list' object has no attribute 'foo' | 'list' object has no attribute 'foo' | "
        "'list' object has no attribute 'foo' | (\"'list' object has no attribute 'foo'\",) "
        "AttributeError(\"'list' object has no attribute 'foo'\",)\n"
        "invalid syntax for integer with base 10: 'x' | invalid syntax for integer with base 10: 'x' | "
        "invalid syntax for integer with base 10: 'x' | (\"invalid syntax for integer with base 10: 'x'\",) "
        "ValueError(\"invalid syntax for integer with base 10: 'x'\",)\n"
    )


def test_an_error_of_the_scripts_own_says_what_the_script_said(desk: Desk) -> None:
    script = """
    try:
        raise ValueError('division by zero')
    except ValueError as e:
        print(e, e.args)
    raise OSError(5, 'foo')
    """
    result = desk.run(script)
    assert result.printed.startswith("division by zero ('division by zero',)\n")
    assert result.error is not None
    assert result.error.splitlines()[-1] == "OSError: (5, 'foo')"


@pytest.mark.parametrize("text", ["f'{1}'", "x: int = 3", "(y := 3)", "async def f(): pass", "a @ b", "print 'a'"])
def test_what_micropython_1_11_cannot_parse_is_refused(desk: Desk, text: str) -> None:
    assert desk.fails(f"a = b = 1\n{text}") == "SyntaxError: invalid syntax"


def test_floats_have_32_bits_when_they_are_printed(desk: Desk) -> None:
    assert desk.prints("print(1/3, [0.1, 2.0], (1e10,), {'a': 1/3}, 100.0)") == (
        "0.3333333 [0.1, 2.0] (1e+10,) {'a': 0.3333333} 100.0\n"
    )


def test_texts_of_floats_have_32_bits_too(desk: Desk) -> None:
    script = "print(str(1/3), '%s %d %.2f' % (0.1, 3, 2/3), '{} {:.3f}'.format(1/3, 1/3), ','.join(map(str, [1, 0.1])))"
    assert desk.prints(script) == "0.3333333 0.1 3 0.67 0.3333333 0.333 1,0.1\n"
    assert desk.prints("import ujson\nprint(ujson.dumps({'a': 1/3, 'b': [None, True, b'12']}))") == (
        '{"a": 0.3333333, "b": [null, true, "12"]}\n'
    )


def test_classes_and_objects_are_written_as_on_the_board(desk: Desk) -> None:
    script = """
    from ucollections import OrderedDict, namedtuple
    class A: pass
    class B:
        def __str__(self): return "B!"
    def f(): pass
    print(A, int, type(None), ValueError, bytearray, str(B()), "%s" % B(), {0.1})
    print(str(A())[:10], str(f)[:12], namedtuple("P", "x y")(1, 0.1), OrderedDict([("a", 0.1)]))
    """
    assert desk.prints(script) == (
        "<class 'A'> <class 'int'> <class 'NoneType'> <class 'ValueError'> <class 'bytearray'> B! B! {0.1}\n"
        "<A object  <function f  P(x=1, y=0.1) OrderedDict({'a': 0.1})\n"
    )


def test_tabs_and_spaces_may_be_mixed(desk: Desk) -> None:
    assert desk.prints("if True:\n\tx = 1\n        y = 2\nprint(x + y)\n") == "3\n"


def test_bytes_may_hold_letters_beyond_ascii(desk: Desk) -> None:
    assert desk.prints("print(len(b'\u4f60\u597d'))") == "6\n"


def test_const_and_native_code_need_nothing(desk: Desk) -> None:
    assert desk.prints(
        "import micropython\nA = const(5)\n@micropython.native\ndef f(x):\n    return x + A\nprint(f(1))"
    ) == ("6\n")


def test_what_the_boot_script_imported_is_there(desk: Desk) -> None:
    assert desk.prints("print(sys.platform, os.getcwd(), time.ticks_ms() < 1000)") == "MaixPy /flash True\n"


def test_what_the_ide_imports_is_there_for_a_single_script(desk: Desk) -> None:
    assert desk.prints("print(json.dumps([1]), lcd.width(), gc.collect())") == "[1] None None\n"


def test_eval_exec_and_globals(desk: Desk) -> None:
    assert desk.prints("x = 2\nexec('y = x * 3')\nprint(eval('y + 1'), 'y' in globals(), sorted(dir())[0])").startswith(
        "7 True"
    )
    assert desk.fails("eval('__import__(\"subprocess\")')") == "ImportError: no module named 'subprocess'"


@pytest.mark.parametrize(
    "script",
    [
        "().__class__.__base__.__subclasses__()",
        "getattr(print, '__self__')",
        "(lambda: 0).__globals__",
        "def g(): yield 1\ng().gi_frame.f_back",
        "hasattr(print, '__self__') or print.__self__",
        "exec('import os as o; (lambda: 0).__code__')",
    ],
)
def test_the_back_doors_of_cpython_are_shut(desk: Desk, script: str) -> None:
    assert desk.fails(script).startswith("AttributeError: ")


@pytest.mark.parametrize(
    "script",
    [
        "import image\nimage.Image()._workshop",
        "import machine\nmachine.UART._board",
        "from machine import UART\nclass Mine(UART):\n    def peek(self): return self._board\nMine(0, 9600).peek()",
        "import image\ngetattr(image.Image(), '_frame')",
        "import image\nimage.Image().__dict__",
        "import sensor\nsensor.__dict__",
        "import image\nimage.Image().pixels",
        "import image\ntype(image.Image()).pixels.fget",
        "import time\ntime.clock().__getstate__()",
        "from machine import UART\nclass Mine(UART):\n    def peek(self): return self._number\nMine(0, 9600).peek()",
    ],
)
def test_the_insides_of_the_kit_are_out_of_sight(desk: Desk, script: str) -> None:
    assert desk.fails(script).startswith("AttributeError: ")


@pytest.mark.parametrize(
    "script",
    [
        "'7'.zfill(3)",
        "b'a'.hex()",
        "bytearray(b'ab').find(b'b')",
        "(5).bit_length()",
        "memoryview(b'a').obj",
        "'{a.__class__}'.format_map({'a': 1})",
        "getattr('a', 'title')",
        "str.title",
    ],
)
def test_methods_that_micropython_lacks_are_not_there(desk: Desk, script: str) -> None:
    assert desk.fails(script).startswith("AttributeError: ")


def test_a_scripts_own_objects_may_have_names_that_micropythons_types_lack(desk: Desk) -> None:
    script = """
    class A:
        title = "t"; pixels = 5
        def find(self, x): return x + 1
    print(A().title, A().find(1), A.pixels, "abc".find("c"), [1, 2].index(2), hasattr("a", "zfill"), b"ab".find(b"b"))
    """
    assert desk.prints(script) == "t 2 5 2 1 False 1\n"


@pytest.mark.parametrize(
    "script",
    [
        "import sys, sensor\nsys.modules['x'] = sensor.reset\nfrom x import __func__",
        "import sys, uio\nuio.StringIO.__all__ = ['__mro__']\nsys.modules['x'] = uio.StringIO\nfrom x import *",
        "from sensor import __getattribute__",
        "import sys\nm = type(sys)('os', None)",
    ],
)
def test_imports_are_no_way_into_pythons_objects(desk: Desk, script: str) -> None:
    assert desk.fails(script).startswith(("ImportError: ", "TypeError: "))


def test_a_scripts_own_private_names_work(desk: Desk) -> None:
    script = """
    import sensor
    class A:
        _shared = 1
        def __init__(self): self._own = 2
        def _sum(self): self._own += 1; return self._own + self._shared
    class B(A):
        def _sum(self): return super()._sum() + 10
    print(B()._sum(), getattr(B(), '_own'), hasattr(B(), '_no'), B.__name__)
    sensor.__write_reg(3, 4); print(sensor.__read_reg(3))
    """
    assert desk.prints(script) == "14 2 False B\n4\n"


def test_boards_in_one_process_know_nothing_of_each_other(tmp_path: Path) -> None:
    boards, texts = [], [Printed(), Printed()]
    for number, text in enumerate(texts):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "helper.py").write_text(f"value = {number}\n")
        boards.append(Interpreter(power_on(Setup(flash_folder=tmp_path / str(number)), text.write)))
    for board in boards:
        board.run(
            "import helper, time\ntime.mark = helper.value\nhelper.value += 10\n", "a.py", board.namespace("__main__")
        )
    for board in boards:
        board.run("import helper, time\nprint(helper.value, time.mark)", "b.py", board.namespace("__main__"))
    assert [text.text for text in texts] == ["10 0\n", "11 1\n"]


def test_a_bare_except_cannot_keep_a_script_alive(desk: Desk) -> None:
    script = """
    import sensor
    sensor.reset(); sensor.set_pixformat(sensor.RGB565); sensor.set_framesize(sensor.QQVGA)
    while True:
        try:
            while True:
                sensor.snapshot()
        except:
            pass
    """
    result = desk.run(script, frame_limit=3)
    assert (result.ended, result.frames) == ("frames", 3)


def test_an_endless_loop_without_pictures_ends(desk: Desk) -> None:
    assert desk.run("while True:\n    pass\n", frame_limit=5).ended == "frames"
    assert desk.run("while True:\n    time.sleep(1)\n", stop_at=7.5).seconds_board == pytest.approx(7.5, abs=1.1)


def test_names_with_two_underscores_stay_what_they_are(desk: Desk) -> None:
    """CPython would write the class's name in front of them."""
    printed = desk.prints(
        """
        def __outside():
            return 4
        class Robot:
            __count = 1
            def __init__(self):
                self.__speed = 2
            def __sum(self):
                return self.__speed + self.__count + __outside()
            def sum(self):
                return self.__sum()
        class Fast(Robot):
            def sum(self):
                return super().sum() * 10
        robot = Fast()
        print(robot.sum(), robot.__speed, Robot.__name__)
        """
    )
    assert printed == "70 2 Robot\n"


def test_structs_cut_numbers_to_their_fields(desk: Desk) -> None:
    printed = desk.prints(
        """
        import ustruct
        print(ustruct.pack("<bBhH", 200, -1, 70000, -2))
        print(ustruct.pack(">3sI", "abc", -1))
        print(ustruct.pack("<BBH", 1), ustruct.pack("<B", 1, 2, 3))
        try:
            ustruct.pack("b", 1.5)
        except Exception as error:
            print("no")
        """
    )
    assert (
        printed == "b'\\xc8\\xffp\\x11\\xfe\\xff'\nb'abc\\xff\\xff\\xff\\xff'\nb'\\x01\\x00\\x00\\x00' b'\\x01'\nno\n"
    )


def test_files_open_with_an_encoding_that_means_nothing(desk: Desk) -> None:
    assert desk.prints('f = open("/flash/a.txt", "w", encoding="utf-8")\nf.write("x")\nf.close()\nprint(1)\n') == "1\n"


def test_the_finalisers_of_the_firmware_are_methods(desk: Desk) -> None:
    script = """
        from machine import Timer
        timer = Timer(Timer.TIMER0, Timer.CHANNEL0, mode=Timer.MODE_ONE_SHOT, period=10, callback=lambda t: 1)
        timer.__del__()
        from Maix import I2S
        I2S(I2S.DEVICE_0).__deinit__()
        print("gone")
    """
    assert desk.prints(script) == "gone\n"


def test_files_take_text_and_bytes_and_tell_nothing_of_this_computer(desk: Desk) -> None:
    printed = desk.prints(
        """
        with open("/flash/a.bin", "wb") as f:
            print(f.write("text"), f.write(b"\\x00\\xff"), f.tell())
        with open("/flash/b.txt", "w") as f:
            f.write(b"one\\n")
            f.write("zw\\u00f6lf\\nend")
        f = open("/flash/b.txt")
        print(f.read(2), f.readline(), f.read(3), [f.readline()], f.read())
        f.close()
        for line in open("/flash/b.txt"):
            print(line.strip())
        buffer = bytearray(3)
        print(open("/flash/a.bin", "rb").readinto(buffer), buffer)
        for name in ("name", "buffer", "fileno", "raw"):
            print(hasattr(f, name))
        try:
            f.read()
        except OSError as error:
            print(error)
        """
    )
    assert printed.splitlines() == [
        "4 2 6", "on e", " zw\u00f6 ['lf\\n'] end", "one", "zw\u00f6lf", "end", "3 bytearray(b'tex')",
        "False", "False", "False", "False", "[Errno 22] EINVAL",
    ]  # fmt: skip


def test_byte_arrays_and_arrays_keep_the_low_bits(desk: Desk) -> None:
    printed = desk.prints(
        """
        from array import array
        data = bytearray([300, -1])
        data[0] = 513
        data.append(256)
        data.extend("z")
        print(data, bytearray("ab"), bytearray(2), bytearray(b"xy"), bytearray(range(3)))
        numbers = array("h", [70000, -1])
        numbers[1] = 40000
        print(numbers[0], numbers[1], array("f", [1, 2.5])[1])
        try:
            bytes([300])
        except ValueError as error:
            print(error)
        import struct
        try:
            struct.unpack("<I", b"ab")
        except ValueError as error:
            print(error)
        """
    )
    assert printed.splitlines() == [
        "bytearray(b'\\x01\\xff\\x00z') bytearray(b'ab') bytearray(b'\\x00\\x00') bytearray(b'xy') "
        "bytearray(b'\\x00\\x01\\x02')",
        "4464 -25536 2.5",
        "bytes value out of range",
        "buffer too small",
    ]
