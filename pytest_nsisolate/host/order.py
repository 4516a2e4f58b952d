"""The order to run an item, as the host gives it to a template."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ..pytest_private import identity, report_sections
from ..wire.functions import fingerprint, ship, ship_parameters
from .reruns import is_rerun


def order_of(
    item: pytest.Item,
    *,
    fixtures: dict[str, bytes],
    env: tuple[tuple[str, str], ...],
    nproc: int | None,
    following: tuple[str, str] | None,
) -> dict[str, Any]:
    """Return the order to run *item*.

    *fixtures* are the host's, pickled, *env* the test's own variables, *nproc* its RLIMIT_NPROC;
    *following* is the identity of the item that is run in that sandbox next.
    """
    function, problem = ship(item)
    return {
        "nodeid": item.nodeid,
        "path": str(item.path),
        "name": item.name,
        "originalname": getattr(item, "originalname", item.name),
        "chain": chain_of(item),
        "fixtures": fixtures,
        "fingerprint": fingerprint(getattr(item, "obj", None)),
        "function": function,
        "parameters": ship_parameters(item),
        "function_problem": problem,
        "environ": dict(os.environ),
        "env": dict(env),
        "cwd": os.getcwd(),
        "nproc": nproc,
        "maxfail": item.config.getoption("maxfail"),
        "testsfailed": item.session.testsfailed,
        "next": following,
        "rerun": is_rerun(item),
        "sections": report_sections(item),
    }


def chain_of(item: pytest.Item | None) -> list[list[str]]:
    """Return the chain of nodes down to *item*, as (class name, node id, path)."""
    return [] if item is None else [[type(n).__name__, *identity(n)] for n in item.listchain()]
