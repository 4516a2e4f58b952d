"""Bundles for the tests: a base config.json that each test edits, and a busybox rootfs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .identity import Identity, demotion
from .runtime_under_test import runtime_command

#: Seconds after which something is not going to happen any more; machines that are emulated need longer.
TIMEOUT = 10 * int(os.environ.get("NSISOLATE_TEST_SLOWNESS", "1"))
BUSYBOX = "/usr/bin/busybox"
APPLETS = (
    "sh ls cat ps id pwd env mount umount hostname dnsdomainname sleep kill readlink stat touch rm mkdir "
    "mknod grep head tail sort wc tr cut find test true false dd cp mv ln chmod chown date uptime nproc "
    "tty stty nc ip ifconfig su setsid unshare free df tee od seq printf echo realpath sync yes awk sed"
).split()

CAPABILITIES = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
]

Config = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """How a run of the runtime ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was printed, line by line."""
        return self.out.splitlines()


def base_config(identity: Identity) -> Config:
    """Return a config.json that works for *identity*, and that a test may change at will."""
    config: Config = {
        "ociVersion": "1.0.0",
        "root": {"path": "rootfs"},
        "process": {
            "args": ["true"],
            "cwd": "/",
            "env": ["PATH=/bin"],
            "user": {"uid": 0, "gid": 0},
            "capabilities": {
                name: list(CAPABILITIES) for name in ("bounding", "effective", "permitted")
            },
        },
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
            },
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
        },
    }
    if identity.user_namespace:
        linux = config["linux"]
        linux["namespaces"].append({"type": "user"})
        linux["uidMappings"] = [
            {"containerID": 0, "hostID": identity.mapped_uid, "size": identity.mapped_size}
        ]
        linux["gidMappings"] = [
            {"containerID": 0, "hostID": identity.mapped_gid, "size": identity.mapped_size}
        ]
    return config


@dataclass
class Bundle:
    """A bundle directory, its config, and the runs of it.

    *settings* go before the verb, *variables* into the runtime's own environment.
    """

    path: Path
    identity: Identity
    config: Config
    id: str = field(default_factory=lambda: f"nsisolate-test-{uuid.uuid4().hex[:12]}")
    started: list[Running] = field(default_factory=list)
    settings: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def rootfs(self) -> Path:
        """The root file system, as the host sees it."""
        return self.path / "rootfs"

    @property
    def state_directory(self) -> Path:
        """Where our own runtime keeps the container's state."""
        run = (
            Path("/run") if os.geteuid() == 0 and not self.identity.is_ordinary_user else self.path
        )
        return run / "nsisolate" / self.id

    @property
    def process(self) -> Config:
        """``process`` of the config."""
        process: Config = self.config["process"]
        return process

    @property
    def linux(self) -> Config:
        """``linux`` of the config."""
        linux: Config = self.config["linux"]
        return linux

    def mount(
        self, destination: str, kind: str = "", source: str = "", options: list[str] | None = None
    ) -> None:
        """Add a mount at the end."""
        entry: Config = {"destination": destination, "options": options or []}
        entry |= {key: value for key, value in (("type", kind), ("source", source)) if value}
        self.config["mounts"].append(entry)

    def bind(self, source: Path | str, destination: str, *options: str) -> None:
        """Add a bind mount."""
        self.mount(destination, "none", str(source), [*(options or ("bind",))])

    def add_capabilities(self, *names: str) -> None:
        """Give the container process more capabilities."""
        for kind in ("bounding", "effective", "permitted"):
            self.process["capabilities"][kind] += names

    def namespace(self, kind: str, path: str | None = None) -> None:
        """Create, or with *path* join, a namespace."""
        self.drop_namespace(kind)
        self.linux["namespaces"].append({"type": kind} | ({"path": path} if path else {}))

    def drop_namespace(self, kind: str) -> None:
        """Stay in the host's namespace of that type."""
        kept = [ns for ns in self.linux["namespaces"] if ns["type"] != kind]
        self.linux["namespaces"] = kept

    def directory(self, name: str, *, mode: int = 0o755) -> Path:
        """Make a directory beside the rootfs that belongs to the container's root."""
        path = self.path / name
        path.mkdir()
        path.chmod(mode)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Give a file to the container's root."""
        if os.geteuid() == 0:
            os.chown(
                path, self.identity.mapped_uid, self.identity.mapped_gid, follow_symlinks=False
            )

    def command(self) -> list[str]:
        """Return the command line that runs the container, once the config is written."""
        self.write_config()
        return [*runtime_command(), *self.settings, "run", "--bundle", str(self.path), self.id]

    def write_config(self) -> None:
        """Write the config, with the bundle's id in the environment of the process."""
        marked = json.loads(json.dumps(self.config))
        if isinstance(marked.get("process"), dict):
            marked["process"].setdefault("env", []).append(f"NSISOLATE_TEST={self.id}")
        (self.path / "config.json").write_text(json.dumps(marked))

    def environment(self) -> dict[str, str]:
        """Return the runtime's own environment."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PYTHON", "LANG", "COVERAGE"))}
        return kept | {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.path),
            "XDG_RUNTIME_DIR": str(self.path),
            "NSISOLATE_TEST": self.id,
            **self.variables,
        }

    def start(self, script: str | None = None, **options: Any) -> Running:
        """Start the container and return at once."""
        if script is not None:
            self.process["args"] = ["sh", "-c", script]
        streams: dict[str, Any] = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        popen = subprocess.Popen(
            self.command(),
            cwd="/",
            env=self.environment(),
            **demotion(self.identity),
            **(streams | options),
        )
        running = Running(popen)
        self.started.append(running)
        return running

    def run(self, script: str | None = None, *, stdin: str = "") -> Finished:
        """Run the container to its end, with ``sh -c script`` as its process if that is given."""
        return self.start(script).finish(stdin)

    def output(self, script: str, *, stdin: str = "") -> str:
        """Run a script that must succeed; return what it printed, stripped."""
        finished = self.run(script, stdin=stdin)
        assert finished.code == 0, finished
        return finished.out.strip()


@dataclass
class Running:
    """A container that has been started."""

    popen: subprocess.Popen[bytes]

    @property
    def launcher_pid(self) -> int:
        """The pid of the runtime's own process."""
        return self.popen.pid

    def line(self) -> str:
        """Wait for one line of output."""
        stream = self.popen.stdout
        assert stream is not None
        found = bytearray()
        while not found.endswith(b"\n"):
            ready, _, _ = select.select([stream], [], [], TIMEOUT)
            assert ready, f"no line within {TIMEOUT} s, only {bytes(found)!r}"
            byte = os.read(stream.fileno(), 1)
            assert byte, f"end of output, after {bytes(found)!r}; {self.finish()}"
            found += byte
        return found.decode().rstrip("\r\n")

    def container_pid(self) -> int:
        """Return the pid of the container process, as the host sees it."""
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text()
        (pid,) = children.split()
        return int(pid)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the runtime."""
        self.popen.send_signal(number)

    def finish(self, stdin: str = "") -> Finished:
        """Wait for the end."""
        out, err = self.popen.communicate(stdin.encode(), timeout=TIMEOUT)
        return Finished(self.popen.returncode, (out or b"").decode(), (err or b"").decode())


def wait_until_gone(pidfd: int, seconds: float = TIMEOUT) -> bool:
    """Wait until the process behind a pidfd has ended."""
    ready, _, _ = select.select([pidfd], [], [], seconds)
    return bool(ready)
