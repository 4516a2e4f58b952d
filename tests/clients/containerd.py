"""A containerd of the test's own, and ctr to call it."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..oci.bundle import Finished, Running
from ..terminal import Terminal
from . import image
from .calling import TIMEOUT, at_terminal, call, running, wait_for
from .room import Room

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What is of no use here, and takes its time to start or complains.
_DISABLED = """
"io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
"io.containerd.tracing.processor.v1.otlp", "io.containerd.snapshotter.v1.aufs",
"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
"io.containerd.snapshotter.v1.zfs",
"""


class Containerd:
    """ctr, to be called like a function: ``ctr("tasks", "list")``."""

    def __init__(self, room: Room) -> None:
        """Start the daemon."""
        self.room = room
        room.directory("fifos")
        self._socket = room.path / "socket"
        self._settings = room.write(
            room.path / "config.toml",
            f"""
            version = 2
            root = "{room.path}/root"
            state = "{room.path}/state"
            disabled_plugins = [{_DISABLED}]
            [grpc]
            address = "{self._socket}"
            """,
        )
        self._log = room.path / "containerd.log"
        self._daemon = self._start()

    def load(self, archive: Path) -> None:
        """Import the image."""
        self.ok("images", "import", str(archive))

    def __call__(self, *args: str, stdin: bytes = b"") -> Finished:
        """Call ctr."""
        return call(self.command(*args), self.environment(), stdin)

    def ok(self, *args: str, stdin: bytes = b"") -> str:
        """Call ctr, which must succeed; return what it printed, without the last end of line."""
        finished = self(*args, stdin=stdin)
        assert finished.code == 0, finished
        return finished.out.rstrip("\n")

    def run(self, *command: str, options: list[str] | None = None, stdin: bytes = b"") -> Finished:
        """Run a command in a new container, and remove that."""
        return self(*self.run_arguments(*command, options=options), stdin=stdin)

    def run_arguments(self, *command: str, options: list[str] | None = None) -> list[str]:
        """Return the arguments of ctr that do so."""
        return ["run", "--rm", *self.options(), *(options or []), image.NAME, "box", *command]

    def output(self, script: str, *options: str, stdin: bytes = b"") -> str:
        """Run a script in a new container, which must succeed; return what it printed."""
        finished = self.run("sh", "-c", script, options=[*options], stdin=stdin)
        assert finished.code == 0, finished
        return finished.out.rstrip("\n")

    def start(self, script: str, *options: str, name: str = "box") -> str:
        """Run a script in a new container in the background, and wait until it has printed ``ready``."""
        chosen = [f"--log-uri=file://{self._log_of(name)}", *self.options(), *options]
        self.ok("run", "--detach", *chosen, image.NAME, name, "sh", "-c", script)
        wait_for(lambda: "ready" in self.log(name))
        return name

    def exec(
        self,
        *command: str,
        options: list[str] | None = None,
        name: str = "box",
        stdin: bytes = b"",
    ) -> Finished:
        """Run a further process in a container."""
        return self(*self.exec_arguments(*command, options=options, name=name), stdin=stdin)

    def exec_arguments(
        self, *command: str, options: list[str] | None = None, name: str = "box"
    ) -> list[str]:
        """Return the arguments of ctr that do so."""
        fifos = f"--fifo-dir={self.room.path}/fifos"
        chosen = ["--exec-id=further", fifos, *(options or [])]
        return ["tasks", "exec", *chosen, name, *command]

    def log(self, name: str = "box") -> str:
        """Return what a container in the background has printed."""
        log = self._log_of(name)
        return log.read_text() if log.exists() else ""

    def tasks(self) -> dict[str, tuple[int, str]]:
        """Return the pid and the status of each task."""
        _, *lines = self.ok("tasks", "list").splitlines()
        found = [line.split() for line in lines]
        return {name: (int(pid), status) for name, pid, status in found}

    def remove(self, *options: str, name: str = "box") -> int:
        """Remove a task; return its exit code, which ctr has in a sentence."""
        said = self("tasks", "delete", *options, name)
        assert said.code == 0, said
        code = re.search(r"non-zero exit code (\d+)", said.err)
        return int(code[1]) if code else 0

    def options(self) -> list[str]:
        """Return the options that each container of the room is made with."""
        path = self.room.path
        return [
            f"--runc-binary={self.room.runtime}",
            f"--runc-root={self.room.runtime_root}",
            "--snapshotter=native",
            f"--fifo-dir={path}/fifos",
            f"--env=NSISOLATE_TEST={self.room.name}",
        ]

    @contextmanager
    def running(self, *args: str) -> Iterator[Running]:
        """Call ctr and go on at once; what is still running in the end is killed."""
        with running(self.command(*args), self.environment()) as started:
            yield started

    @contextmanager
    def at_terminal(self, terminal: Terminal, *args: str) -> Iterator[Running]:
        """Call ctr as a user would who sits at *terminal*."""
        with at_terminal(terminal, self.command(*args), self.environment()) as started:
            yield started

    def command(self, *args: str) -> list[str]:
        """Return the command line of a call."""
        return ["ctr", f"--address={self._socket}", f"--namespace={self.room.name}", *args]

    def environment(self) -> dict[str, str]:
        """Return the environment of ctr and of the daemon."""
        return {"PATH": _PATH, "NSISOLATE_TEST": self.room.name}

    def restart(self) -> None:
        """End the daemon and start it again, as an upgrade would."""
        self._stop()
        self._daemon = self._start()

    def close(self) -> None:
        """Remove all containers, and end the daemon."""
        try:
            for name in self.tasks():
                self("tasks", "delete", "--force", name)
            for name in self.ok("containers", "list", "--quiet").split():
                self.ok("containers", "delete", name)
        finally:
            self._stop()

    def said(self) -> str:
        """Return what the daemon has to say."""
        return self._log.read_text()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            daemon = subprocess.Popen(
                ["containerd", "--config", str(self._settings)],
                env=self.environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(self._listens)
        return daemon

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self._socket)) == 0

    def _stop(self) -> None:
        self._daemon.terminate()
        self._daemon.wait(TIMEOUT)

    def _log_of(self, name: str) -> Path:
        return self.room.path / f"{name}.log"
