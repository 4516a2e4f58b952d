"""syrupy: which snapshots were compared, for its report, and those to be written, for the disk.

The host writes them, where its own syrupy says that the snapshots of this test are, and only if it was
started with ``--snapshot-update``: a test says what is in them, not where they go.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

_TEXTS = ("snapshot_location", "snapshot_name")
_FLAGS = ("created", "updated", "success")
_DATA = ("asserted_data", "recalled_data")


#: What was to be written, in this process: the extension's class, the data, the snapshot's index.
_writes: list[tuple[type, object, object]] = []


def prepare(config: pytest.Config) -> None:
    """Take note of what is to be written: some extensions write at once, and into the sandbox."""
    session: Any = getattr(config, "_syrupy", None)
    if session is None:
        return
    queue = session.queue_snapshot_write

    def note(extension: Any, test_location: Any, data: object, index: object) -> None:
        _writes.append((type(extension), data, index))
        queue(extension=extension, test_location=test_location, data=data, index=index)

    session.queue_snapshot_write = note


def collected(config: pytest.Config) -> dict[str, object]:
    """Return the assertions that were made in this process, and what they wrote."""
    session = getattr(config, "_syrupy", None)
    assertions = [_describe(assertion) for assertion in getattr(session, "_assertions", ())]
    writes = [[*_name_of(extension), data, index] for extension, data, index in _writes]
    return {"assertions": assertions, "writes": writes} if assertions else {}


def _name_of(extension: type) -> tuple[str, str]:
    return extension.__module__, extension.__qualname__


def _describe(assertion: Any) -> dict[str, object]:
    results = [
        {name: getattr(result, name) for name in (*_TEXTS, *_FLAGS, *_DATA)}
        for result in assertion.executions.values()
    ]
    return {"extension": _name_of(type(assertion.extension)), "results": results}


def add(item: pytest.Item, data: dict[str, Any]) -> None:
    """Add assertions of *item* to the session, and queue the snapshots that are to be written."""
    session: Any = getattr(item.config, "_syrupy", None)
    if session is None:
        return
    from syrupy.assertion import AssertionResult, SnapshotAssertion
    from syrupy.location import PyTestLocation

    location = PyTestLocation(item)
    for described in data["assertions"]:
        made = SnapshotAssertion(
            session=session,
            extension_class=_extension(*described["extension"]),
            test_location=location,
            update_snapshots=session.update_snapshots,
        )
        for number, result in enumerate(described["results"]):
            fields = _checked(result)
            made.executions[number] = AssertionResult(
                **fields, exception=None, test_location=location
            )
    for module, name, content, index in data["writes"] if session.update_snapshots else ():
        session.queue_snapshot_write(
            extension=_extension(module, name)(),
            test_location=location,
            data=_checked_data(content),
            index=_index(index),
        )


def _checked(result: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: str(result[name]) for name in _TEXTS}
    fields |= {name: bool(result[name]) for name in _FLAGS}
    for name in _DATA:
        fields[name] = None if result[name] is None else _checked_data(result[name])
    return fields


def _checked_data(data: object) -> str | bytes:
    if not isinstance(data, str | bytes):
        raise TypeError(f"a snapshot that is {type(data).__name__}")
    return data


def _index(index: object) -> int | str:
    if not isinstance(index, int | str) or (isinstance(index, str) and ".." in index):
        raise ValueError(f"a snapshot with the index {index!r}")
    return index


def _extension(module: str, qualname: str) -> Any:
    """Return a class of the user's or of syrupy's that has been imported here as well."""
    from syrupy.extensions.base import AbstractSyrupyExtension

    found: object = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    if not (isinstance(found, type) and issubclass(found, AbstractSyrupyExtension)):
        raise TypeError(f"{module}.{qualname}, which is no extension of syrupy's")
    return found
