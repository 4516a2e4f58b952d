"""Exceptions cross as data and are rebuilt without running a line of anybody's code."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.wire.data import MalformedData, dump, load
from pytest_nsisolate.wire.exceptions import RemoteException, from_data, to_data

touched: list[str] = []


def touch(*_args: object, **_kwargs: object) -> NoReturn:
    """Note that code was run which must not be."""
    touched.append("touched")
    raise AssertionError("code was run")


class SideEffects(Exception):
    """An exception with code wherever a class can have some."""

    __init__ = touch
    __reduce__ = touch
    __setattr__ = touch
    __setstate__ = touch
    __str__ = touch
    __repr__ = touch
    add_note = touch


class OwnNew(Exception):
    """An exception that is made by code of its own."""

    __new__ = touch


def raised(error: BaseException) -> BaseException:
    """Return *error* with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def crossed(error: BaseException) -> BaseException:
    """Return what arrives when *error* is sent."""
    return from_data(load(dump(to_data(error))))


def test_plain_exception() -> None:
    """Class, arguments, notes and traceback are those of the original."""
    error = raised(ValueError("text", 5))
    error.add_note("noted")
    arrived = crossed(error)
    assert type(arrived) is ValueError
    assert arrived.args == ("text", 5)
    assert arrived.__notes__ == ["noted"]
    assert arrived.__traceback__ is not None
    assert arrived.__traceback__.tb_frame.f_code.co_name == "raised"


def test_cause_context_and_group() -> None:
    """So are cause and context, and the members of a group."""
    error = raised(ExceptionGroup("several", [ValueError(1), TypeError(2)]))
    error.__cause__ = raised(KeyError("cause"))
    arrived = crossed(error)
    assert isinstance(arrived, ExceptionGroup)
    assert [type(member) for member in arrived.exceptions] == [ValueError, TypeError]
    assert type(arrived.__cause__) is KeyError


def test_long_chain_is_linear() -> None:
    """A chain in which each cause is the context too takes no time that doubles with each link."""
    error: BaseException = ValueError(0)
    for number in range(200):
        following = ValueError(number)
        following.__cause__ = following.__context__ = error
        error = following
    began = time.monotonic()
    assert type(crossed(error)) is ValueError
    assert time.monotonic() - began < 5


def test_cycle_and_depth() -> None:
    """A cycle of contexts, and a traceback of a thousand frames, cross in part."""
    error = ValueError(1)
    error.__context__ = TypeError(2)
    error.__context__.__context__ = error
    assert type(crossed(error)) is ValueError

    def recurse() -> None:
        recurse()

    with pytest.raises(RecursionError) as caught:
        recurse()
    assert type(crossed(caught.value)) is RecursionError


def data_for(cls: type, **changes: object) -> dict[str, object]:
    """Return what a sandbox would send for an exception of that class."""
    data: dict[str, object] = {
        "module": cls.__module__,
        "name": cls.__qualname__,
        "text": "text",
        "args": ["one"],
        "attributes": {},
        "notes": ["noted"],
        "traceback": None,
        "suppress": False,
    }
    return {**data, **changes}


@pytest.mark.parametrize("cls", [SideEffects, OwnNew])
def test_no_code_is_run(cls: type) -> None:
    """A class with code everywhere is not touched: its methods are not called."""
    touched.clear()
    error = from_data(data_for(cls))
    assert touched == []
    assert isinstance(error, (cls, RemoteException))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "object"),
        ("nonexistent", "X"),
        ("", ""),
    ],
)
def test_what_is_no_exception_class(module: str, name: str) -> None:
    """A name that leads to anything else becomes a stand-in with the text."""
    error = from_data({**data_for(ValueError), "module": module, "name": name})
    assert isinstance(error, RemoteException)
    assert str(error) == "text"
    assert type(error).__name__ == name.rpartition(".")[2]


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "No such file", "/nowhere"),
        OSError("text"),
        OSError(18, "Cross-device link", "/a", None, "/b"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        StopIteration(5),
        SystemExit(3),
        ImportError("no module", name="x"),
        SyntaxError("bad", ("file.py", 1, 2, "text")),
        KeyError("key"),
        AttributeError("no attribute"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_layouts_of_their_own(error: BaseException) -> None:
    """Exceptions that __new__ of BaseException cannot fill are filled by their own, with the same text."""
    arrived = crossed(error)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)


@pytest.mark.parametrize(
    "cls", [OSError, UnicodeDecodeError, StopIteration, SystemExit, ImportError]
)
@pytest.mark.parametrize("args", [[], ["one"], [[1], None, {}], [b"x"] * 9])
def test_wrong_arguments(cls: type[BaseException], args: list[object]) -> None:
    """Arguments that the class does not take make it a stand-in; the process survives."""
    error = from_data(data_for(cls, args=args))
    repr(error)
    str(error)


class Attributes(Exception):
    """An exception whose text is made of attributes."""

    def __init__(self, code: int, thing: object) -> None:
        super().__init__()
        self.code, self.thing = code, thing

    def __str__(self) -> str:
        return f"{self.code} {self.thing!r:.10}"


class OwnGroup(ExceptionGroup[Exception]):
    """A group of an own class."""


def test_attributes() -> None:
    """Attributes that are plain cross; where others are, the class's name and the text stay right."""
    arrived = crossed(Attributes(1, "thing"))
    assert type(arrived) is Attributes
    assert vars(arrived) == {"code": 1, "thing": "thing"}
    arrived = crossed(Attributes(2, object()))
    assert isinstance(arrived, Attributes)
    assert type(arrived).__qualname__ == "Attributes"
    assert str(arrived) == "2 <object ob"


def test_local_class_and_own_group() -> None:
    """A class that the host cannot find keeps its name; a group of an own class is one."""

    class Local(Exception):
        pass

    arrived = crossed(Local("text"))
    assert type(arrived).__name__ == "Local"
    assert type(arrived).__module__ == __name__
    assert str(arrived) == "text"
    group = crossed(OwnGroup("several", [ValueError(1), Local()]))
    assert type(group) is OwnGroup
    assert [type(member).__name__ for member in group.exceptions] == ["ValueError", "Local"]


class Lies(ExceptionGroup[Exception]):
    """A group that has something else under every name that is the interpreter's."""

    __cause__ = __context__ = __traceback__ = __suppress_context__ = property(touch)
    args = exceptions = message = __dict__ = __notes__ = property(touch)


class Nameless(Exception):
    """One of a module whose name is no text."""

    __module__ = 5  # type: ignore[assignment]


def test_a_module_without_a_name() -> None:
    """It is unknown, as in tracebacks."""
    arrived = crossed(Nameless("text"))
    assert (type(arrived).__module__, type(arrived).__name__) == ("<unknown>", "Nameless")
    assert str(arrived) == "text"


def test_what_a_class_hides() -> None:
    """What the interpreter keeps crosses, whatever the class says."""
    arrived = crossed(Lies("several", [ValueError(1)]))
    assert type(arrived) is Lies
    assert str(arrived) == "several (1 sub-exception)"


def test_nothing_is_set_through_a_class() -> None:
    """What is rebuilt is not set by properties of its class."""
    touched.clear()
    data = {**data_for(Lies), "notes": ["noted"], "members": [data_for(ValueError)], "message": "x"}
    error = from_data({**data, "cause": data_for(ValueError), "context": data_for(ValueError)})
    assert isinstance(error, Lies)
    assert touched == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["builtins", "os", "ValueError", "system", "SideEffects", __name__, "a.b", ""]
)


@given(JSON)
def test_arbitrary_data(data: Any) -> None:
    """Data of any shape is an exception or MalformedData."""
    try:
        assert isinstance(from_data(data), BaseException)
    except MalformedData:
        pass


@given(
    st.fixed_dictionaries(
        {
            "module": NAMES | JSON,
            "name": NAMES | JSON,
            "text": JSON,
            "args": JSON | st.lists(JSON, max_size=3),
            "attributes": JSON,
            "notes": JSON | st.lists(JSON, max_size=3),
            "suppress": JSON,
        },
        optional={
            "traceback": JSON,
            "cause": JSON,
            "context": JSON,
            "members": JSON,
            "message": JSON,
        },
    )
)
def test_almost_right_data(data: dict[str, Any]) -> None:
    """So is data with the right fields and anything in them, and no code is run for it."""
    touched.clear()
    try:
        assert isinstance(from_data(data), BaseException)
    except MalformedData:
        pass
    assert touched == []
