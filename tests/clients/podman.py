"""podman with everything in a room: storage, state, settings; as root, or as an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..oci.bundle import Finished, Running
from ..oci.identity import ORDINARY_UID
from ..terminal import Terminal
from . import image
from .calling import at_terminal, call, running, wait_for
from .room import Room, runtime_name

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Gives an ordinary user ids for containers, in a mount namespace: the machine's files stay as they are.
_AS_ORDINARY_USER = """
for file in /etc/subuid /etc/subgid; do mount --bind "$0" "$file"; done
id=$1
shift
exec setpriv --reuid="$id" --regid="$id" --clear-groups "$@"
"""

#: What makes podman work without systemd, and where limits cannot be raised.
_OWN_SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
env = ["NSISOLATE_TEST={room}"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"""
_SETTINGS = """
[engine]
runtime_supports_json = ["{name}"]
runtime_supports_nocgroup = ["{name}"]
[engine.runtimes]
{name} = ["{path}"]
"""
_NO_CGROUPS = "--cgroups=disabled"

for_everyone = pytest.mark.parametrize("podman", ["root", "user"], indirect=True)


class Podman:
    """podman, to be called like a function: ``podman("run", "--rm", image.NAME, "true")``."""

    def __init__(self, room: Room, *, ordinary_user: bool, images: Path | None = None) -> None:
        """Write the settings; there may be images in the storage of another room already."""
        self.room = room
        self._images = images
        self._runtime: list[str] = []
        self._prefix: list[str] = []
        self.variables: dict[str, str] = {}
        self.uid = os.geteuid()
        for name in ("home", "run", "tmp"):
            room.directory(name)
        name = runtime_name()
        self.use_settings(_SETTINGS.format(name=name, path=room.runtime))
        self._runtime = [f"--runtime={name}"]
        if ordinary_user and self.uid == 0:
            self.uid = ORDINARY_UID
            self._become_an_ordinary_user()

    def use_settings(self, settings: str) -> None:
        """Have podman find the runtime by settings of the table ``engine``, and by no option."""
        own = _OWN_SETTINGS.format(room=self.room.name)
        _, _, asked = settings.partition("[engine]\n")
        self.room.write(self.room.path / "containers.conf", f"{own}{asked}")
        self._runtime = []

    def load(self, archive: Path) -> None:
        """Load an image."""
        self.ok("load", "--quiet", "--input", str(archive))

    def __call__(self, *args: str, stdin: bytes = b"") -> Finished:
        """Call podman."""
        return call(self.command(*args), self.environment(), stdin)

    def ok(self, *args: str, stdin: bytes = b"") -> str:
        """Call podman, which must succeed; return what it printed, without the last end of line."""
        finished = self(*args, stdin=stdin)
        assert finished.code == 0, finished
        return finished.out.rstrip("\n")

    def output(self, script: str, *options: str, stdin: bytes = b"") -> str:
        """Run a script in a new container, which must succeed; return what it printed."""
        return self.ok("run", "--rm", *options, image.NAME, "sh", "-c", script, stdin=stdin)

    def start(self, script: str, *options: str, name: str = "box") -> str:
        """Run a script in a new container in the background, and wait until it has printed ``ready``."""
        self.ok("run", "--detach", "--name", name, *options, image.NAME, "sh", "-c", script)
        wait_for(lambda: "ready" in self.logs(name))
        return name

    def logs(self, name: str = "box") -> str:
        """Return what a container has printed."""
        return self.ok("logs", name)

    def state(self, name: str = "box") -> dict[str, Any]:
        """Return what podman says of a container's state."""
        found: dict[str, Any] = json.loads(self.ok("inspect", name))[0]["State"]
        return found

    @contextmanager
    def running(self, *args: str, **streams: int) -> Iterator[Running]:
        """Call podman and go on at once; what is still running in the end is killed."""
        with running(self.command(*args), self.environment(), **streams) as started:
            yield started

    @contextmanager
    def at_terminal(self, terminal: Terminal, *args: str) -> Iterator[Running]:
        """Call podman as a user would who sits at *terminal*."""
        with at_terminal(terminal, self.command(*args), self.environment()) as started:
            yield started

    def command(self, *args: str) -> list[str]:
        """Return the command line of a call: options of podman's own may come before the verb."""
        path = self.room.path
        verb = next(index for index, arg in enumerate(args) if not arg.startswith("--"))
        before, after = [*args[: verb + 1]], [*args[verb + 1 :]]
        if args[verb] in {"run", "create"} and self.has_cgroups and _NO_CGROUPS not in args:
            before.append(f"--cgroup-parent=/{self.room.name}")
        places = [f"--root={self.storage}", f"--runroot={path}/rr", f"--tmpdir={path}/tmp"]
        chosen = ["--storage-driver=vfs", *self._runtime]
        if self._images:
            chosen.append(f"--storage-opt=vfs.imagestore={self._images}")
        return [*self._prefix, "podman", *places, *chosen, *before, *after]

    def environment(self) -> dict[str, str]:
        """Return podman's environment."""
        path = self.room.path
        return {
            "PATH": _PATH,
            "HOME": str(path / "home"),
            "TMPDIR": str(path / "tmp"),
            "XDG_RUNTIME_DIR": str(path / "run"),
            "CONTAINERS_CONF": str(path / "containers.conf"),
            **self.variables,
        }

    @property
    def storage(self) -> Path:
        """Where images and containers are."""
        return self.room.path / "storage"

    @property
    def has_cgroups(self) -> bool:
        """Tell whether the containers have cgroups: an ordinary user's do not, unless given some."""
        return self.uid == 0

    def directory(self, name: str) -> Path:
        """Make a directory that belongs to the user who calls podman."""
        made = self.room.directory(name)
        os.chown(made, self.uid, -1)
        return made

    def close(self) -> None:
        """Remove all containers, and end what podman keeps for an ordinary user."""
        removed = self("rm", "--all", "--force", "--time=0")
        if self.uid != 0:
            self("system", "migrate")
        assert removed.code == 0, removed

    def _become_an_ordinary_user(self) -> None:
        name = pwd.getpwuid(self.uid).pw_name
        ids = self.room.write(self.room.path / "ids", f"{name}:200000:65536\n")
        for path in (self.room.path, *self.room.path.iterdir()):
            os.chown(path, self.uid, self.uid)
        self._prefix = ["unshare", "-m", "sh", "-ec", _AS_ORDINARY_USER, str(ids), str(self.uid)]


def has_ids_for_containers() -> bool:
    """Tell whether we have ids of our own in /etc/subuid; root gives some to the user of a test."""
    with open("/etc/subuid") as file:
        return any(line.startswith(f"{pwd.getpwuid(os.getuid()).pw_name}:") for line in file)
