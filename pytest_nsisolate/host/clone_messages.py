"""What a template says of the clones that it makes, checked: MalformedData is raised for anything else."""

from __future__ import annotations

from typing import Any

from ..wire.data import MalformedData


def pid_of(data: Any) -> int:
    """Return the clone's pid, in the template's pid namespace."""
    pid = data["pid"]
    if type(pid) is not int or not 0 < pid < 2**31:
        raise MalformedData(f"the pid {pid!r}")
    return pid


def end_of(data: Any) -> dict[str, Any]:
    """Return how a clone ended: its wait status, or the problem that there was."""
    if type(data["status"]) is not int or not 0 <= data["status"] < 2**16:
        raise MalformedData(f"the wait status {data['status']!r}")
    for name in ("cpu", "peak"):
        # Comparing excludes what is not a number, and infinity.
        if type(data.get(name, 0)) not in (int, float) or not 0 <= data.get(name, 0) < 1e15:
            raise MalformedData(f"the {name} {data[name]!r}")
    if type(data.get("problem", "")) is not str:
        raise MalformedData(f"the problem {data['problem']!r}")
    found: dict[str, Any] = data
    return found
