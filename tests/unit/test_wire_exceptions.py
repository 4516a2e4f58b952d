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
    assert type(error) in (cls, RemoteException)


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
    assert type(error) is RemoteException
    assert str(error) == "text"


@pytest.mark.parametrize(
    "cls", [OSError, UnicodeDecodeError, StopIteration, SystemExit, ImportError]
)
def test_layouts_of_their_own(cls: type[BaseException]) -> None:
    """Exceptions that __new__ of BaseException cannot fill become stand-ins; the process survives."""
    error = from_data(data_for(cls))
    assert isinstance(error, BaseException)
    repr(error)
    str(error)


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
