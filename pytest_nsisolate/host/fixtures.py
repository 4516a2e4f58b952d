"""Fixtures that exist once, on the host, and whose values are shipped into sandboxes."""

from __future__ import annotations

from typing import Any

import cloudpickle
import pytest

from ..wire.fixtures import is_wider


def ship_host_fixtures(item: pytest.Item, names: list[str]) -> dict[str, bytes]:
    """Set up those of *names* that *item* uses, here, and return their values, pickled.

    Fails the test where a fixture is of function scope, or its value cannot be pickled.
    """
    wanted = [name for name in getattr(item, "fixturenames", ()) if name in names]
    if not wanted:
        return {}
    state: Any = item.session._setupstate  # type: ignore[attr-defined]
    request: Any = item._request  # type: ignore[attr-defined]
    state.setup(item.parent)
    # As long as an item is not in the set-up state, pytest takes a request of it for a late one.
    state.stack[item] = ([item.teardown], None)
    try:
        return {name: _ship(item, request, name) for name in wanted}
    finally:
        del state.stack[item]


def _ship(item: pytest.Item, request: Any, name: str) -> bytes:
    if not is_wider(item, request, name):
        pytest.fail(
            f"nsisolate_host_fixtures: {name!r} is of function scope, and is set up in the sandbox; "
            "take it off the list, or give it a wider scope",
            pytrace=False,
        )
    value = request.getfixturevalue(name)
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
