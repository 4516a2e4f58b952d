"""Records: frozen, slotted, keyword-only values."""

from __future__ import annotations

import pickle

import pytest

from pytest_nsisolate.runtime.record import Record


class Point(Record):
    """A record with a default."""

    x: int
    y: int = 7


class Pixel(Point):
    """A record that adds a field to another's."""

    colour: str = "red"


def test_fields_and_defaults() -> None:
    """Fields are given by name; those with a default may be left out."""
    point = Point(x=1)
    assert (point.x, point.y) == (1, 7)


def test_a_missing_field_is_an_error() -> None:
    """A field without a default must be given, and the error names it."""
    with pytest.raises(TypeError, match="'x'"):
        Point()  # type: ignore[call-arg]


def test_an_unknown_field_is_an_error() -> None:
    """A field that does not exist is an error that names it."""
    with pytest.raises(TypeError, match="'z'"):
        Point(x=1, z=2)  # type: ignore[call-arg]


def test_positional_arguments_are_refused() -> None:
    """Fields are keyword-only."""
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg]


def test_a_record_is_frozen() -> None:
    """Fields can be neither set nor deleted."""
    point = Point(x=1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del point.x


def test_a_record_has_no_dictionary() -> None:
    """Fields are slots."""
    assert not hasattr(Point(x=1), "__dict__")


def test_equality_is_by_type_and_fields() -> None:
    """Equal fields make equal records, of the same type only; so do hashes."""
    assert Point(x=1) == Point(x=1, y=7)
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Pixel(x=1)
    assert hash(Point(x=1)) == hash(Point(x=1, y=7))
    assert Point(x=1).__eq__(1) is NotImplemented


def test_inherited_fields_come_first() -> None:
    """A record that extends another has the fields of both."""
    assert repr(Pixel(x=1)) == "Pixel(x=1, y=7, colour='red')"


def test_replace_returns_a_copy() -> None:
    """``replace`` changes a copy."""
    point = Point(x=1)
    assert point.replace(y=9) == Point(x=1, y=9)
    assert point == Point(x=1)
    with pytest.raises(TypeError, match="'z'"):
        point.replace(z=1)


def test_a_record_can_be_unpickled_or_refuses_to_be_pickled() -> None:
    """Pickling never gives a record that is half there."""
    try:
        copied = pickle.loads(pickle.dumps(Point(x=1)))
    except (TypeError, AttributeError):
        return
    assert copied == Point(x=1)
