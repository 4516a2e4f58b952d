"""What happens to a cgroup with processes in it, and its end."""

from __future__ import annotations

import _signal
import errno
import os
import time

from ..errors import SetupError
from .group import Cgroup, read, write
from .locate import UNIFIED

_STEP = "cgroups"
_PATIENCE = 10.0
_LONGEST_PAUSE = 0.05


def pids(cgroup: Cgroup) -> list[int]:
    """Return the pids in the cgroup and in those below it."""
    directory = _any_directory(cgroup)
    found: set[int] = set()
    for path, _names, _files in os.walk(directory) if directory else ():
        found.update(int(pid) for pid in read(f"{path}/cgroup.procs").split())
    return sorted(found - {0})


def _any_directory(cgroup: Cgroup) -> str | None:
    # v1's freezer and v2 have every process; a container may be limited in none of the others.
    for controller in ("freezer", UNIFIED, "pids", "memory"):
        directory = cgroup.directory(controller)
        if directory is not None and os.path.isdir(directory):
            return directory
    return next((path for path in cgroup.paths if os.path.isdir(path)), None)


def kill(cgroup: Cgroup, number: int = _signal.SIGKILL) -> None:
    """Send a signal to every process in the cgroup; none that is just being forked escapes SIGKILL."""
    unified = cgroup.directory(UNIFIED)
    if number == _signal.SIGKILL and unified and os.path.exists(f"{unified}/cgroup.kill"):
        write(f"{unified}/cgroup.kill", "1", "")
    deadline = time.monotonic() + _PATIENCE
    while True:
        there = pids(cgroup)
        for pid in there:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        if number != _signal.SIGKILL or not there:
            return
        thaw_if_frozen(cgroup)
        if time.monotonic() > deadline:
            raise SetupError(_STEP, f"{len(there)} process(es) of {cgroup.paths[0]} do not die")
        time.sleep(0.005)


def freeze(cgroup: Cgroup) -> None:
    """Stop every process, and return when they have stopped."""
    _set_frozen(cgroup, frozen=True)


def thaw(cgroup: Cgroup) -> None:
    """Let the processes go on."""
    _set_frozen(cgroup, frozen=False)


def thaw_if_frozen(cgroup: Cgroup, pid: int = 0) -> None:
    """Let killed processes die: a frozen one of v1 does so only when it is thawed.

    *pid*, the container's first process, is also taken out of a cgroup in which somebody else has frozen it.
    """
    directory = cgroup.directory("freezer")
    if directory is None:
        return
    try:
        if is_frozen(cgroup):
            thaw(cgroup)
        if pid and pid not in pids(cgroup):
            write(f"{directory}/cgroup.procs", str(pid), "")
    except SetupError as error:
        # It has died meanwhile, and whoever waited for that may have removed its cgroup.
        if error.errno not in (errno.ESRCH, errno.ENOENT, errno.ENODEV):
            raise


def is_frozen(cgroup: Cgroup) -> bool:
    """Tell whether the processes are stopped, or about to be."""
    path, value, _events = _freezer(cgroup, frozen=True)
    return read(path).strip() in (value, "FREEZING")


def _freezer(cgroup: Cgroup, *, frozen: bool) -> tuple[str, str, str]:
    """Return the file to write, the value, and the file that tells when it is done."""
    directory = cgroup.directory("freezer")
    if directory is not None:
        state = f"{directory}/freezer.state"
        return state, "FROZEN" if frozen else "THAWED", state
    unified = cgroup.directory(UNIFIED)
    if unified is None:
        raise SetupError(_STEP, "there is no freezer: pausing needs cgroup v2, or v1's freezer")
    return f"{unified}/cgroup.freeze", str(int(frozen)), f"{unified}/cgroup.events"


def _set_frozen(cgroup: Cgroup, *, frozen: bool) -> None:
    path, value, events = _freezer(cgroup, frozen=frozen)
    expected = value if events == path else f"frozen {value}"
    deadline = time.monotonic() + _PATIENCE
    pause = 0.001
    while True:
        # Again and again: v1 may stay FREEZING where processes come while it freezes.
        write(path, value, "")
        if expected in read(events).splitlines():
            return
        if time.monotonic() > deadline:
            if frozen:
                thaw(cgroup)
            raise SetupError(_STEP, f"{path} does not become {value}")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def oom_kills(cgroup: Cgroup) -> int:
    """Return how many processes were killed for want of memory."""
    for directory, file in (
        (cgroup.directory("memory"), "memory.oom_control"),
        (cgroup.directory(UNIFIED), "memory.events"),
    ):
        if directory is not None:
            for line in read(f"{directory}/{file}").splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def remove(cgroup: Cgroup) -> None:
    """Kill what is still in the cgroup and remove it, with what the container made below it.

    Not what it shares with others (runtime.md, "Delete").

    A directory stays busy for a moment after its last process has been reaped. Parents that were made
    with it go too, unless somebody else uses them by now.
    """
    if not cgroup.shared and any(os.path.isdir(path) for path in cgroup.paths):
        kill(cgroup)
    try:
        if cgroup.unit:
            from .systemd.unit import stop

            stop(cgroup.unit)
    finally:
        _remove_directories(cgroup)


def _remove_directories(cgroup: Cgroup) -> None:
    leaves = set(cgroup.paths)
    errors = []
    for path in leaves.difference(cgroup.shared):
        try:
            for below, _names, _files in os.walk(path, topdown=False):
                _rmdir(below)
        except SetupError as error:
            errors.append(error)  # what can be removed elsewhere is
    for path in cgroup.made:
        if path not in leaves:
            try:
                os.rmdir(path)
            except OSError:
                continue
    if errors:
        raise errors[0]


def _rmdir(path: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    pause = 0.001
    while True:
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise SetupError(_STEP, f"rmdir {path}", error.errno or 0) from error
        else:
            return
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
