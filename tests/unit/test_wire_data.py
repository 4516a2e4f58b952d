"""Results cross as data: what goes in comes out, and nothing that comes in is anything else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.wire.data import MalformedData, dump, load

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.booleans() | st.binary()
PLAIN = st.recursive(
    SCALARS | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(KEYS, inner)
    ),
    max_leaves=20,
)


def typed(value: object) -> object:
    """Return *value* so that 1, 1.0 and True differ."""
    if isinstance(value, list | tuple):
        return (type(value), [typed(item) for item in value])
    if isinstance(value, dict):
        return [(typed(key), typed(item)) for key, item in value.items()]
    return (type(value), value)


@given(PLAIN)
def test_round_trip(value: object) -> None:
    """Plain data of every kind, tuples, bytes and odd keys included, comes back as it was."""
    assert typed(load(dump(value))) == typed(value)


@given(st.binary())
def test_arbitrary_bytes(raw: bytes) -> None:
    """Bytes of any kind are data, or MalformedData, and nothing else."""
    try:
        load(raw)
    except MalformedData:
        pass


TAGS = st.sampled_from(["tuple", "bytes", "dict", "set", "", "object"])
HOSTILE = st.recursive(
    SCALARS | st.fixed_dictionaries({"__nsisolate__": TAGS | SCALARS}),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["__nsisolate__", "items", "text", "x"]), inner)
        | st.fixed_dictionaries({"__nsisolate__": TAGS, "items": inner, "text": inner})
    ),
    max_leaves=20,
)


@given(HOSTILE)
def test_hostile_tags(value: object) -> None:
    """Tags with wrong contents are MalformedData."""
    try:
        load(json.dumps(value).encode())
    except MalformedData:
        pass


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"", b"9" * 5000])
def test_excess(raw: bytes) -> None:
    """Nesting without end, and numbers without end, are MalformedData."""
    with pytest.raises(MalformedData):
        load(raw)


class Hostile:
    """An object of the user's, all of whose methods raise."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def test_what_is_not_data_is_described() -> None:
    """An object crosses as its text, and one that has none as a sentence about it."""

    class Text(str):
        __slots__ = ()

    assert load(dump([object, Text("x"), {1, 2}])) == ["<class 'object'>", "x", "{1, 2}"]
    assert load(dump(Hostile())) == "<Hostile whose str() raises RuntimeError>"
