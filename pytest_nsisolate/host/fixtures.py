"""Fixtures that exist once, on the host, and whose values are shipped into sandboxes."""

from __future__ import annotations

import cloudpickle
import pytest

from ..pytest_private import counted_as_set_up, fixture_value, setup_state, wider_fixtures


def ship_host_fixtures(item: pytest.Item, names: list[str]) -> dict[str, bytes]:
    """Set up those of *names* that *item* uses, here, and return their values, pickled.

    Fails the test where a fixture is of function scope, or its value cannot be pickled.
    """
    wanted = [name for name in getattr(item, "fixturenames", ()) if name in names]
    if not wanted:
        return {}
    setup_state(item.session).setup(item.parent)
    with counted_as_set_up(item):
        return {name: _ship(item, name) for name in wanted}


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
