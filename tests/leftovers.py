"""The whole run of the tests must leave nothing behind: no process, mount, cgroup or file.

Each session has a directory for temporary files of its own and a variable in its environment, by which
what it has started is told from everything else that goes on on the machine at the same time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable

#: Carried by every process that a session starts, and set in those that need no check of their own.
VARIABLE = "NSISOLATE_TEST_SESSION"

#: Where names that begin like ours may not appear: what does not ask for the temporary directory.
_SHARED_DIRECTORIES = ("/dev/shm", "/run", "/run/user", "/tmp", "/var/run", "/var/tmp")
_OURS = ("nsisolate", ".nsisolate", "pytest-nsisolate")
_CGROUPS = "/sys/fs/cgroup"
#: Seconds for what is about to go; and for what another session, at the same time, may be at work with.
_PATIENCE = 5.0
_PATIENCE_WITH_OTHERS = 90.0
_SESSION = "nsisolate-session-"


class Leftovers:
    """What was there before the session, to be compared with what is there after it."""

    def __init__(self) -> None:
        self._session = uuid.uuid4().hex
        temporary = tempfile.gettempdir()
        self._old_tmpdir = os.environ.get("TMPDIR")
        self.directory = tempfile.mkdtemp(prefix=_SESSION)
        # As /tmp itself: some tests run as somebody else.
        os.chmod(self.directory, 0o1777)
        os.environ[VARIABLE] = self._session
        os.environ["TMPDIR"] = self.directory
        # pytest's own directories stay where people look for them after a failure.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", temporary)
        tempfile.tempdir = None
        self._mounts = _mounts()
        self._cgroups = _cgroups()
        self._names = _shared_names()

    def find(self) -> list[str]:
        """Return a sentence for each thing that was left; wait a moment for what is about to go."""
        checks: list[Callable[[], list[str]]] = [
            lambda: [f"process {text}" for text in _processes(self._session)],
            lambda: [f"mount {line}" for line in _mounts() - self._mounts],
            lambda: [f"cgroup {path}" for path in _cgroups() - self._cgroups],
            lambda: [f"file {path}" for path in _shared_names() - self._names],
            lambda: [f"file {self.directory}/{name}" for name in os.listdir(self.directory)],
        ]
        # What is there at the first look, and still at the last, is left; what comes in between is not ours.
        left = [set(check()) for check in checks]
        deadline = time.monotonic() + self._patience()
        while any(left) and time.monotonic() < deadline:
            time.sleep(0.05)
            left = [
                before & set(check()) if before else before
                for before, check in zip(left, checks, strict=True)
            ]
        return sorted(set().union(*left))

    def _patience(self) -> float:
        beside = os.listdir(os.path.dirname(self.directory))
        others = {name for name in beside if name.startswith(_SESSION)}
        return _PATIENCE_WITH_OTHERS if others - {os.path.basename(self.directory)} else _PATIENCE

    def close(self) -> None:
        """Undo what the constructor did."""
        for path, names, _files in os.walk(self.directory):
            for name in names:
                # Some, such as an overlay's work, let nobody in, and are of no use to anybody now.
                if not os.path.islink(f"{path}/{name}"):
                    os.chmod(f"{path}/{name}", 0o700)
        shutil.rmtree(self.directory, ignore_errors=True)
        os.environ.pop(VARIABLE, None)
        if self._old_tmpdir is None:
            os.environ.pop("TMPDIR", None)
        else:
            os.environ["TMPDIR"] = self._old_tmpdir
        tempfile.tempdir = None


def _processes(session: str) -> list[str]:
    """Return the processes of the session except ourselves: they have its variable."""
    marker = f"{VARIABLE}={session}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if marker not in file.read().split(b"\0"):
                    continue
            with open(f"/proc/{name}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
            found.append(f"{name} {command}")
        except OSError:
            continue  # it is somebody else's, or has just ended
    return found


def _mounts() -> set[str]:
    with open("/proc/self/mountinfo") as file:
        # Without the mount's number, and without those below, which only say how mounts are related.
        return {
            " ".join(line.split()[3:5] + line.rpartition(" - ")[2].split()[:2]) for line in file
        }


def _cgroups() -> set[str]:
    """Return the cgroups whose name says that they are ours."""
    return {
        os.path.join(path, name)
        for path, names, _files in os.walk(_CGROUPS)
        for name in names
        if name.startswith(_OURS)
    }


def _shared_names() -> set[str]:
    found = set()
    for directory in {os.path.realpath(path) for path in _SHARED_DIRECTORIES}:
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        # Other sessions, which may run at the same time, look after their own.
        ours = [n for n in names if n.startswith(_OURS) and not n.startswith(_SESSION)]
        found |= {os.path.join(directory, name) for name in ours}
    return found
