"""podman with everything in a room: storage, state, settings; as root, or as an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

from .. import capabilities
from ..oci.bundle import Finished
from ..oci.identity import ORDINARY_UID
from . import image
from .calling import call, wait_for
from .room import Room, runtime_name

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: The ids of an ordinary user's containers, in a private mount namespace: the machine's files stay as they are.
_AS_ORDINARY_USER = """
for file in /etc/subuid /etc/subgid; do mount --bind "$0" "$file"; done
id=$1
shift
exec setpriv --reuid="$id" --regid="$id" --clear-groups "$@"
"""


class Podman:
    """podman, to be called like a function: ``podman("run", "--rm", image.NAME, "true")``."""

    def __init__(self, room: Room, *, ordinary_user: bool, archive: Path) -> None:
        """Write the settings and load the image."""
        self.room = room
        self._prefix: list[str] = []
        for name in ("home", "run", "tmp"):
            room.directory(name)
        self._write_settings()
        if ordinary_user and capabilities.is_root():
            self._become_an_ordinary_user()
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

    def command(self, *args: str) -> list[str]:
        """Return the command line of a call."""
        path = self.room.path
        verb, *rest = args
        if verb in {"run", "create"} and self.may_use_cgroups:
            rest = ["--cgroup-parent", f"/{self.room.name}", *rest]
        places = [f"--root={path}/storage", f"--runroot={path}/runroot", f"--tmpdir={path}/tmp"]
        chosen = ["--storage-driver=vfs", f"--runtime={runtime_name()}"]
        return [*self._prefix, "podman", *places, *chosen, verb, *rest]

    def environment(self) -> dict[str, str]:
        """Return podman's environment."""
        path = self.room.path
        return {
            "PATH": _PATH,
            "HOME": str(path / "home"),
            "TMPDIR": str(path / "tmp"),
            "XDG_RUNTIME_DIR": str(path / "run"),
            "CONTAINERS_CONF": str(path / "containers.conf"),
        }

    @property
    def may_use_cgroups(self) -> bool:
        """Tell whether the containers get cgroups: an ordinary user's do not, unless delegated some."""
        return not self._prefix and capabilities.is_root()

    def close(self) -> None:
        """Remove all containers, and end what podman keeps for an ordinary user."""
        removed = self("rm", "--all", "--force", "--time=0")
        self("system", "migrate")
        assert removed.code == 0, removed

    def _write_settings(self) -> None:
        path, name = self.room.path, runtime_name()
        self.room.write(
            path / "containers.conf",
            f"""
            [containers]
            default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
            env = ["NSISOLATE_TEST={self.room.name}"]
            netns = "none"
            [engine]
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            lock_type = "file"
            runtime_supports_json = ["{name}"]
            runtime_supports_nocgroup = ["{name}"]
            [engine.runtimes]
            {name} = ["{self.room.runtime}"]
            """,
        )

    def _become_an_ordinary_user(self) -> None:
        ids = self.room.write(self.room.path / "ids", f"{pwd.getpwuid(ORDINARY_UID).pw_name}:200000:65536\n")
        for path in (self.room.path, *self.room.path.iterdir()):
            os.chown(path, ORDINARY_UID, ORDINARY_UID)
        self._prefix = ["unshare", "-m", "sh", "-ec", _AS_ORDINARY_USER, str(ids)]
        self._prefix.append(str(ORDINARY_UID))


def start_in_background(podman: Podman, *args: str, **streams: Any) -> subprocess.Popen[bytes]:
    """Call podman and go on at once."""
    return subprocess.Popen(
        podman.command(*args), env=podman.environment(), cwd="/", **streams
    )
