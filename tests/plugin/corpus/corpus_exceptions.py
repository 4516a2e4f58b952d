"""Exceptions of every kind, raised in tests and fixtures."""

# mypy: ignore-errors

import asyncio
import json
import os
import subprocess
import sys
import threading
import time

import pytest


class WithInit(Exception):
    def __init__(self, code, *, detail):
        super().__init__(f"code {code}")
        self.code, self.detail = code, detail

    def __str__(self):
        return f"{self.code}: {self.detail}"


class Unpicklable(Exception):
    def __init__(self):
        super().__init__("lost")
        self.lock = threading.Lock()

    def __reduce__(self):
        raise TypeError("not me")


class NewRefuses(Exception):
    def __new__(cls, secret):
        if secret != "secret":
            raise RuntimeError("made by nobody else")
        return super().__new__(cls, secret)


class ReprRaises(Exception):
    def __repr__(self):
        raise RuntimeError("no repr")
    __str__ = __repr__


class StrIsNoStr(Exception):
    def __str__(self):
        return 5


class Hidden:
    def __repr__(self):
        raise ValueError("hidden")


class Group(ExceptionGroup):
    def derive(self, excs):
        return Group(self.message, excs)


@pytest.mark.parametrize("error", [
    WithInit(1, detail="why"), Unpicklable(), NewRefuses("secret"), ReprRaises(), StrIsNoStr(),
    OSError(2, "No such thing", "/nowhere"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    KeyError("key"), KeyError(), StopIteration(5), SystemExit("a text"), GeneratorExit(), NotImplementedError(),
    AssertionError(), AssertionError({"a": 1}), ValueError("a\nb\n"), ValueError("ü\udc80"), ValueError(b"\xff"),
    ExceptionGroup("flat", [ValueError(1), TypeError(2)]), Group("own", [ReprRaises(), ValueError()]),
    BaseExceptionGroup("base", [SystemExit(1)]), asyncio.CancelledError(), subprocess.CalledProcessError(3, ["x"]),
    ValueError(Hidden()), ValueError("x" * 3000), json.JSONDecodeError("bad", "doc", 1),
], ids=range(26))
def test_raises(error):
    raise error


class NoEq(type):
    __hash__ = None

    def __eq__(cls, other):
        raise RuntimeError("not to be compared")


class Incomparable(Exception, metaclass=NoEq):
    pass


class NoArgs(Exception):
    args = None


class ArgsRaise(Exception):
    args = property(lambda self: 1 / 0)


class FilenameRaises(OSError):
    filename = property(lambda self: 1 / 0)


class HasAnything(Exception):
    def __getattr__(self, name):
        return 5


class NoDict(Exception):
    __dict__ = property(lambda self: 1 / 0)


class BrokenText(str):
    def __str__(self):
        raise RuntimeError("broken")


class Raises:
    def __init__(self, error):
        self.error = error

    def __str__(self):
        raise self.error


class StrIsBroken(Exception):
    def __str__(self):
        return BrokenText("text")


class StrRaises(Exception):
    def __str__(self):
        raise self.args[0]


class MessageIsNone(ExceptionGroup):
    message = None


def noted(notes):
    error = ValueError("noted")
    error.__notes__ = notes
    return error


def with_odd_attributes():
    error = ValueError("attributes")
    error.__dict__.update({5: 6, "thing": Incomparable("x")})
    return error


@pytest.mark.parametrize("error", [
    Incomparable("x"), NoArgs("x"), ArgsRaise("x"), FilenameRaises(2, "No such thing", "/nowhere"), HasAnything("x"),
    NoDict("x"), StrIsBroken("x"), StrRaises(SystemExit(3)), StrRaises(KeyboardInterrupt()),
    MessageIsNone("x", [ValueError(1)]),
    noted(None), noted(5), noted(Raises(ValueError())), noted([]), noted(["one", 5, Raises(ValueError())]),
    noted([Raises(SystemExit(3))]), noted([BrokenText("text")]), noted(("one", "two")), noted({"one": 1}),
    with_odd_attributes(), ValueError(Incomparable("x")),
], ids=range(21))
def test_raises_what_is_odd(error):
    raise error


def test_odd_causes():
    try:
        raise noted(5)
    except ValueError as error:
        raise NoArgs("x") from error


def test_odd_members():
    raise ExceptionGroup("odd", [NoArgs("x"), StrRaises(SystemExit(3)), noted(5)])


def test_local_class():
    class Local(LookupError):
        pass
    raise Local("local")


def test_recursion():
    def deeper():
        return deeper()
    deeper()


def test_deep_chain():
    error = None
    for number in range(20):
        try:
            raise ValueError(number) from error
        except ValueError as caught:
            error = caught
    raise error


def test_suppressed_context():
    try:
        raise KeyError("hidden")
    except KeyError:
        raise ValueError("shown") from None


def test_cause_is_a_group():
    try:
        raise ExceptionGroup("several", [ValueError(1), OSError(2)])
    except ExceptionGroup as group:
        raise RuntimeError("after") from group


def test_circular_cause():
    one, two = ValueError(1), TypeError(2)
    one.__cause__, two.__cause__ = two, one
    raise one


def test_many_notes():
    error = RuntimeError("noted")
    error.add_note("one\ntwo")
    error.add_note("three")
    raise error


def test_in_a_library():
    json.loads("{")


def test_in_compiled_code():
    exec(compile("def f():\n    raise ValueError('compiled')\nf()", "<made up>", "exec"))  # noqa: S102


def test_name_error():
    undefined


def test_attribute_error():
    os.path.nothing_here


def test_import_error():
    import nonexistent_module_of_nobody  # noqa: F401


def test_syntax_error():
    compile("a b", "some.py", "exec")


def test_hidden_frames():
    def helper():
        __tracebackhide__ = True
        pytest.fail("from a helper")
    helper()


def test_zero_division_in_a_comprehension():
    [1 / n for n in (1, 0)]


@pytest.mark.parametrize("left, right", [
    ([1, 2, 3], [1, 2, 4, 5]), ("one\ntwo\nthree", "one\n2\nthree"), ({1, 2}, {2, 3}), ({"a": 1}, {"b": 1}),
    (b"ab", b"ac"), ("x" * 200, "x" * 199 + "y"), (list(range(100)), list(range(1, 101))), (1.0, 1), (None, 0),
    (int, str), (Hidden(), None),
], ids=range(11))
def test_comparison(left, right):
    assert left == right


@pytest.mark.parametrize("check", [
    lambda: "a" in "bcd", lambda: not [1], lambda: all(n < 3 for n in range(5)), lambda: isinstance(1, str),
], ids=range(4))
def test_other_assertions(check):
    assert check()


def test_not_in():
    assert "needle" not in "a needle in a haystack"


def test_and():
    one, two = 1, 0
    assert one and two


def test_assert_message_is_no_text():
    assert 1 == 2, {"a": [1]}


def test_approx_fails():
    assert {"a": 0.1} == pytest.approx({"a": 0.2})


def test_did_not_raise():
    with pytest.raises(ValueError):
        pass


def test_did_not_warn():
    with pytest.warns(UserWarning):
        pass


def test_raises_group():
    with pytest.RaisesGroup(ValueError, TypeError):
        raise ExceptionGroup("x", [ValueError(1)])


def test_subprocess_fails():
    subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=True)


def test_thread_exception():
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()


def test_unraisable():
    class Bad:
        def __del__(self):
            raise ValueError("in __del__")
    Bad()


def test_resource_warning():
    open(os.devnull)  # noqa: SIM115


def test_async_failure():
    async def main():
        await asyncio.sleep(0)
        raise ValueError("in a coroutine")
    asyncio.run(main())


def test_task_group():
    async def fail(number):
        raise ValueError(number)

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail(1))
            group.create_task(fail(2))
    asyncio.run(main())


def test_slow():
    time.sleep(0.01)
