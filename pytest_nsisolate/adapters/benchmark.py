"""pytest-benchmark: the measurements of the ``benchmark`` fixture, for its table and its files."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

_KINDS = {
    "name": str,
    "fullname": str,
    "group": str | None,
    "param": str | None,
    "params": dict | None,
    "extra_info": dict,
}


def prepare(config: pytest.Config) -> None:
    """Do nothing: the session keeps what was measured."""


def collected(config: pytest.Config) -> list[dict[str, object]]:
    """Return the benchmarks that were run in this process."""
    session = getattr(config, "_benchmarksession", None)
    return [_describe(benchmark) for benchmark in getattr(session, "benchmarks", ())]


def _describe(benchmark: Any) -> dict[str, object]:
    described = {name: getattr(benchmark, name) for name in _KINDS}
    options = {
        # A timer is shown by its name.
        name: getattr(value, "__name__", str(value)) if callable(value) else value
        for name, value in benchmark.options.items()
    }
    return {
        **described,
        "options": options,
        "iterations": benchmark.iterations,
        "has_error": bool(benchmark.has_error),
        "data": [float(seconds) for seconds in benchmark.stats.data],
    }


def _check(names: dict[str, object]) -> None:
    """Raise TypeError where the table would not know what to do with it."""
    for name, kinds in _KINDS.items():
        if not isinstance(names[name], kinds):
            raise TypeError(f"a benchmark whose {name} is {names[name]!r}")


def add(item: pytest.Item, data: list[dict[str, Any]]) -> None:
    """Add benchmarks to the session's."""
    session = getattr(item.config, "_benchmarksession", None)
    if session is None:
        return
    from pytest_benchmark.stats import Metadata

    for described in data:
        names = {name: described[name] for name in _KINDS}
        _check(names)
        fixture = SimpleNamespace(
            **names, has_error=bool(described["has_error"]), cprofile_stats=None
        )
        benchmark = Metadata(fixture, int(described["iterations"]), dict(described["options"]))
        for seconds in described["data"]:
            benchmark.stats.update(float(seconds))
        session.benchmarks.append(benchmark)
