"""What other plugins collect in their session while tests run, and report or write at its end.

In a test's clone nobody would see it, so it crosses: as data, to the plugin's session on the host. An adapter
has ``prepare(config)``, called before tests run; ``collected(config)``, which returns what this process has
collected as plain data (nothing, if the plugin is not there); and ``add(item, data)``, which adds that to
the host's. What plugins put on reports crosses with those, and what they do in hooks of pytest they do on the
host as well: neither needs an adapter.
"""

from __future__ import annotations

from typing import Any

import pytest

from . import benchmark, django, syrupy

_ADAPTERS: dict[str, Any] = {"benchmark": benchmark, "syrupy": syrupy}


def prepare(config: pytest.Config) -> None:
    """Get ready, before tests run in this process or in its forks."""
    for adapter in _ADAPTERS.values():
        adapter.prepare(config)


def wide_fixtures(item: pytest.Item) -> list[str]:
    """Return the names of fixtures of wider scopes that *item* will ask for without naming them."""
    return django.wide_fixtures(item)


def collected(config: pytest.Config) -> dict[str, object]:
    """Return, by adapter, what plugins have collected in this process since it was forked."""
    found = {name: adapter.collected(config) for name, adapter in _ADAPTERS.items()}
    return {name: data for name, data in found.items() if data}


def add(item: pytest.Item, message: Any) -> None:
    """Add what plugins collected in the run of *item*. Raises what wrong data may raise."""
    for name, data in message.items():
        _ADAPTERS[name].add(item, data)
