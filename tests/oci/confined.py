"""Containers with a cgroup, for the tests of what needs one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .. import capabilities

V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
CGROUPS = Path("/sys/fs/cgroup")

#: An ordinary user has one where a cgroup v2 is delegated to him.
WHO_HAS_CGROUPS = pytest.mark.parametrize(
    "identity",
    ["root", "root-userns", *(["user"] if capabilities.has_cgroup_v2_of_its_own() else [])],
    indirect=True,
)


def need_controllers() -> None:
    """Skip where the controllers of memory, CPU and pids are missing."""
    there = (CGROUPS / "cgroup.controllers").read_text() if V2 else " ".join(os.listdir(CGROUPS))
    lacking = {"memory", "cpu", "pids"} - {*there.replace(",", " ").split()}
    capabilities.need(not lacking, f"the cgroup controllers {', '.join(sorted(lacking))}")


def cgroups_named(name: str) -> list[str]:
    """Return the cgroups with that name, in all hierarchies; others may come and go meanwhile."""
    return [where for where, _names, _files in os.walk(CGROUPS) if where.endswith(f"/{name}")]


def cgroup_of(pid: int, controller: str) -> Path:
    """Return the cgroup of a process; on v1, the controller's."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _number, names, path = line.split(":", 2)
        if V2 and not names:
            return CGROUPS / path.lstrip("/")
        if not V2 and controller in names.split(","):
            return CGROUPS / controller / path.lstrip("/")
    raise AssertionError(f"no cgroup {controller} of {pid}")
