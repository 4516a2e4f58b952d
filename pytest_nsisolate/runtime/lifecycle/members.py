"""The processes of a container, as the host sees them."""

from __future__ import annotations

import os


def members(pid: int) -> list[int]:
    """Return the pids of the container whose init is *pid*, ascending; none if it has ended.

    Those that share its pid namespace (or its mount namespace, if the former is ours as well) and whatever
    has come from them, also in namespaces further down.
    """
    kind = "pid" if _namespace("self", "pid") != _namespace(str(pid), "pid") else "mnt"
    wanted = _namespace(str(pid), kind)
    if not wanted:
        return [pid] if os.path.exists(f"/proc/{pid}") else []
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    found = {p for p in pids if _namespace(str(p), kind) == wanted} | {pid}
    parents = {p: _parent(p) for p in pids}
    grown = True
    while grown:
        further = {p for p, parent in parents.items() if parent in found and p not in found}
        grown = bool(further)
        found |= further
    return sorted(found)


def _namespace(pid: str, kind: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return ""  # ended, or somebody else's


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return 0
    return int(stat[stat.rindex(b")") + 2 :].split()[1])
