"""A run's own part of the cgroup hierarchies.

In each hierarchy that is mounted the run has a cgroup of its own, in a cgroup namespace, which shows it as
the root. So suites may run at the same time, and all that they leave goes with one directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError

ROOT = Path("/sys/fs/cgroup")
VIEWS = ("hybrid", "v1", "v2")

#: The cgroup that runc's suite expects to be writable for an ordinary user.
DELEGATED = "runc-cgroups-integration-test"

#: How long killed processes may take to be gone.
_SECONDS_TO_END = 30.0

_RT_RUNTIME = "cpu.rt_runtime_us"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """A mounted hierarchy: the caller's cgroup in it is *own*."""

    mount: Path
    is_v2: bool
    own: Path


def hierarchies() -> list[Hierarchy]:
    """Return those that are mounted below /sys/fs/cgroup (or there, for v2 alone)."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        paths[controllers] = path
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        kind, _source, options = after.split()
        if kind not in {"cgroup", "cgroup2"} or not Path(mount).is_relative_to(ROOT):
            continue
        shown = options.split(",")
        key = "" if kind == "cgroup2" else _same(paths, shown)
        path = os.path.relpath(paths[key], root) if key in paths else "."
        own = Path(mount) / path if not path.startswith("..") else Path(mount)
        found.append(Hierarchy(mount=Path(mount), is_v2=kind == "cgroup2", own=own))
    return found


def _same(paths: dict[str, str], options: list[str]) -> str:
    """Return the controllers of /proc/self/cgroup that the mount *options* name."""
    return next((key for key in paths if key and set(key.split(",")) <= set(options)), "-")


class Own:
    """The run's cgroups, named *name*, one in each hierarchy; remove() them when the run has ended."""

    def __init__(self, name: str) -> None:
        self.paths: dict[str, Path] = {}
        for hierarchy in hierarchies():
            path = hierarchy.own / name
            try:
                path.mkdir()
            except OSError as error:
                self.remove()
                raise SetupError(f"{path}: cannot make a cgroup: {error.strerror}") from None
            self.paths[str(hierarchy.mount.relative_to(ROOT))] = path
            for file in ("cpuset.cpus", "cpuset.mems"):
                if not hierarchy.is_v2 and (path / file).exists():
                    (path / file).write_text((hierarchy.own / file).read_text())

    def join(self) -> None:
        """Move the calling process there."""
        for path in self.paths.values():
            (path / "cgroup.procs").write_text("0")

    def remove(self) -> None:
        """End what is left in them, and remove them, with all below."""
        deadline = time.monotonic() + _SECONDS_TO_END
        while any(path.exists() for path in self.paths.values()):
            for path in self.paths.values():
                _kill(path)
                remove_below(path)
                with contextlib.suppress(OSError):
                    path.rmdir()
            if time.monotonic() > deadline:
                raise SetupError(
                    f"cgroups that cannot be removed: {' '.join(map(str, self.paths.values()))}"
                )
            time.sleep(0.01)


def _kill(top: Path) -> None:
    """Kill the processes of the cgroup *top* and of those below."""
    for where, _names, _files in os.walk(top):
        with contextlib.suppress(OSError):
            for pid in Path(where, "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
    # A frozen process dies when it is thawed.
    thaw([top])


def remove_below(top: Path, keep: str | None = None) -> list[str]:
    """Remove the cgroups below *top*, but the one called *keep* there; return the names of what there was."""
    removed = []
    for where, names, _files in os.walk(top, topdown=False):
        for name in names:
            path = Path(where, name)
            if path.parent == top and name == keep:
                continue
            with contextlib.suppress(OSError):
                path.rmdir()
                removed.append(str(path.relative_to(top)))
    return removed


def roots() -> list[Path]:
    """Return the roots of the hierarchies as the suite sees them, in the run's mount namespace."""
    if (ROOT / "cgroup.procs").exists():
        return [ROOT]
    return [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]


def thaw(tops: Iterable[Path]) -> None:
    """Thaw all that is frozen in *tops* and below, so that it can be killed."""
    for top in tops:
        for where, _names, files in os.walk(top):
            for file, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                if file in files:
                    with contextlib.suppress(OSError):
                        Path(where, file).write_text(word)


def delegate(user: int) -> None:
    """Make the cgroup of runc's suite in each hierarchy of v1, writable for the group *user*."""
    for root in roots():
        if (root / "cgroup.controllers").exists():
            continue
        path = root / DELEGATED
        path.mkdir(exist_ok=True)
        for file in (path, path / "cgroup.procs", path / "tasks"):
            os.chown(file, 0, user)
            file.chmod(file.stat().st_mode | (0o070 if file == path else 0o060))
        for pattern in ("cpuset.cpus", "cpuset.mems", "cpu.rt_*_us"):
            for file in path.glob(pattern):
                os.chown(file, user, user)


@contextlib.contextmanager
def realtime(lock: Path) -> Iterator[None]:
    """Have all the realtime bandwidth of the parent, which is shared out among its cgroups, for a while.

    Only one run can have it at a time: the file *lock* makes the others wait.
    """
    path = next((root for root in roots() if (root / _RT_RUNTIME).exists()), None)
    if path is None:
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for runtime in range(950_000, 0, -50_000):
            try:
                (path / _RT_RUNTIME).write_text(str(runtime))
                break
            except OSError:
                continue
        try:
            yield
        finally:
            remove_below(path, keep=DELEGATED)
            with contextlib.suppress(OSError):
                (path / DELEGATED / _RT_RUNTIME).write_text("0")
            (path / _RT_RUNTIME).write_text("0")


def is_realtime(body: str) -> bool:
    """Tell whether a test of runc's suite asks for realtime bandwidth."""
    return re.search(r"\brequires\b[^\n]*\bcgroups_rt\b", body) is not None
