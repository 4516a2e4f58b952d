"""Fixtures that exist once, on the host, and whose values are shipped into sandboxes."""

from __future__ import annotations

from typing import NamedTuple

import cloudpickle
import pytest

from ..pytest_private import (
    counted_as_set_up,
    fixture_value,
    is_not_to_be_run,
    setup_state,
    wider_fixtures,
)


class Shipped(NamedTuple):
    """The values of an item's host-side fixtures, pickled, and the sections of what their set-up printed."""

    values: dict[str, bytes]
    sections: list[tuple[str, str]]


def ship_host_fixtures(item: pytest.Item, names: list[str]) -> Shipped:
    """Set up those of *names* that *item* uses, here, and return their values.

    Fails the test where a fixture is of function scope, or its value cannot be pickled.
    """
    values: dict[str, bytes] = {}
    wanted = [name for name in getattr(item, "fixturenames", ()) if name in names]
    if not wanted or is_not_to_be_run(item):
        return Shipped(values, [])
    from .here import set_up_here

    def set_up() -> None:
        setup_state(item.session).setup(item.parent)
        with counted_as_set_up(item):
            values.update((name, _ship(item, name)) for name in wanted)

    return Shipped(values, set_up_here(item, set_up))


def _ship(item: pytest.Item, name: str) -> bytes:
    if name not in wider_fixtures(item):
        pytest.fail(
            f"nsisolate_host_fixtures: {name!r} is of function scope, and is set up in the sandbox; "
            "take it off the list, or give it a wider scope",
            pytrace=False,
        )
    value = fixture_value(item, name)
    try:
        pickled: bytes = cloudpickle.dumps(value)
    except Exception as error:
        pytest.fail(
            f"nsisolate_host_fixtures: the value of {name!r}, a {type(value).__qualname__}, cannot be "
            f"pickled ({type(error).__name__}: {error}); take it off the list, so that it is set up in "
            "the sandbox, or let it return what can be (an address, say, instead of a connection)",
            pytrace=False,
        )
    return pickled
