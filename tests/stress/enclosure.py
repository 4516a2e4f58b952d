"""Namespaces and cgroups around a scenario, so that whatever is left in them is the scenario's.

It is the first process of a pid namespace, with a /tmp, /run, /dev/shm and /var/tmp of its own; root's
has its own cgroups, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from . import snapshot

CHECKOUT = Path(__file__).resolve().parent.parent.parent
#: Seconds within which all has to be gone.
WITHIN = 1.0 * int(os.environ.get("NSISOLATE_TEST_SLOWNESS", "1"))
_CGROUPS = Path("/sys/fs/cgroup")
_NEW = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc")


class LeftBehind(AssertionError):
    """Something was left; the text says what."""


def command(scenario: str, *args: str) -> list[str]:
    """Return the command that runs a scenario in an enclosure."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    program = [sys.executable, "-m", "tests.stress.main", scenario, *args]
    return ["unshare", *user, *_NEW, *program]


def run(scenario: str, *args: str, timeout: float) -> str:
    """Run a scenario; return what it printed. Raises AssertionError if it failed."""
    done = subprocess.run(
        command(scenario, *args),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


class Enclosure:
    """The surroundings of a scenario, inside."""

    def __init__(self) -> None:
        for path in snapshot.DIRECTORIES:
            _empty(path)
        self._cgroups = _make_cgroups() if os.geteuid() == 0 else []
        self.directory = Path("/dev/shm/scenario")
        self.directory.mkdir()
        os.environ.pop("NSISOLATE_TEST_SESSION", None)
        os.environ.update(
            TMPDIR="/tmp",
            HOME="/dev/shm/scenario",
            XDG_RUNTIME_DIR="/run",
            PYTHONPATH=str(CHECKOUT),
        )
        self._before = self._take()
        self.slowest = 0.0

    def _take(self) -> set[str]:
        return {
            line
            for line in snapshot.take(self._cgroups)
            if not line.startswith(f"file {self.directory}") and not line.endswith("/few-left")
        }

    def check(self, what: str) -> None:
        """Raise LeftBehind unless all is as it was before, within a second."""
        found, passed = snapshot.left(self._before, self._take, WITHIN)
        if found:
            raise LeftBehind(f"after {what} there are left: {sorted(found)}")
        self.slowest = max(self.slowest, passed)

    def close(self) -> None:
        """Leave the cgroups."""
        for path in self._cgroups:
            above = Path(path).parent
            (above / "cgroup.procs").write_text("0")
            for where, _names, _files in os.walk(path, topdown=False):
                try:
                    os.rmdir(where)
                except OSError:
                    continue  # it is in use still, and has been reported
        shutil.rmtree(self.directory)


def _empty(path: str) -> None:
    """Mount a tmpfs on *path*, in which we are still there, if we are run from there."""
    needed = {str(CHECKOUT), sys.prefix, sys.base_prefix}
    # An environment may be in the checkout, and comes with it.
    outermost = {name for name in needed if not any(name.startswith(f"{n}/") for n in needed)}
    ours = {name: os.open(name, os.O_PATH) for name in outermost if name.startswith(f"{path}/")}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", path], check=True)
    for name, fd in ours.items():
        os.makedirs(name)
        source = f"/proc/self/fd/{fd}"
        subprocess.run(
            ["mount", "--no-canonicalize", "--rbind", source, name], pass_fds=[fd], check=True
        )
        os.close(fd)


def _make_cgroups() -> list[str]:
    """Move into a cgroup of our own in each hierarchy; return those that hold all that is made from here."""
    made = []
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _number, names, path = line.split(":", 2)
        own[names] = path
    name = f"stress-{uuid.uuid4().hex[:8]}"
    for names, path in own.items():
        top = _CGROUPS / names.removeprefix("name=") if names else _CGROUPS / "unified"
        top = top if top.is_dir() else _CGROUPS
        place = Path(f"{top}{path.rstrip('/')}/{name}")
        place.mkdir()
        if names == "cpuset":
            for file in ("cpuset.cpus", "cpuset.mems"):
                (place / file).write_text((place.parent / file).read_text())
        # On v2 what is made is beside us.
        inner = place / "scenario"
        if not names:
            inner.mkdir()
        (place if names else inner).joinpath("cgroup.procs").write_text("0")
        made.append(str(place))
    return made
