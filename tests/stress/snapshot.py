"""Everything that could be left, in namespaces of our own: what is there is ours, and nobody else's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

#: Fresh and empty when an enclosure begins.
DIRECTORIES = ("/tmp", "/run", "/dev/shm", "/var/tmp")
_CGROUPS = "/sys/fs/cgroup"
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


def take(cgroups: list[str]) -> set[str]:
    """Return a line for each process but the first, mount, namespace, cgroup, descriptor, file and so on."""
    found = {f"mount {' '.join(line.split()[3:5])}" for line in _lines("/proc/self/mountinfo")}
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        if int(pid) not in (1, os.getpid()):
            name = " ".join(_lines(f"/proc/{pid}/cmdline")).replace("\0", " ")
            found.add(f"process {pid} {name or _lines(f'/proc/{pid}/comm')}")
        for kind in _NAMESPACES:
            try:
                found.add(f"namespace {os.readlink(f'/proc/{pid}/ns/{kind}')}")
            except OSError:
                continue
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"descriptor {name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue  # that of the directory itself
    for top in (*DIRECTORIES, *cgroups):
        for where, names, files in os.walk(top):
            # What is mounted here has a line of its own.
            names[:] = [name for name in names if not os.path.ismount(f"{where}/{name}")]
            found |= {f"file {where}/{n}" for n in [*names, *(() if top in cgroups else files)]}
    for kind in ("msg", "sem", "shm"):
        found |= {f"{kind} {line}" for line in _lines(f"/proc/sysvipc/{kind}")[1:]}
    return found


def _lines(path: str) -> list[str]:
    try:
        with open(path, errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def left(before: set[str], again: Callable[[], set[str]], within: float) -> tuple[set[str], float]:
    """Return what is there now and was not before, and after how many seconds it was (not) gone."""
    began = time.monotonic()
    while True:
        found = again() - before
        passed = time.monotonic() - began
        if not found or passed > within:
            return found, passed
        time.sleep(0.01)
