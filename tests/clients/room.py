"""A directory for one test and one client, with the runtime in it as the client gets it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

from ..oci.runtime_under_test import is_ours, runtime_command
from ..plugin.processes import with_marker

CGROUPS = Path("/sys/fs/cgroup")
_PATIENCE = 10.0


class Room:
    """Where a client keeps everything, under a name that nothing else on the machine has.

    The runtime is a script that notes how it was called, so that a failure shows what the client wanted.
    """

    def __init__(self, *, own_root: bool) -> None:
        """Make the directory; with *own_root* the runtime's state is in there, whatever the client says."""
        # Letters and digits, which containerd wants of a namespace.
        self.name = f"nsisolate-clients-{uuid.uuid4().hex[:10]}"
        # A short one: podman allows its run directory 50 characters.
        self.path = Path(tempfile.mkdtemp(prefix="c"))
        self.path.chmod(0o755)
        self.runtime_root = self.path / "runtime"
        self.runtime = self.path / runtime_name()
        self._calls = self.path / "calls"
        program, *rest = runtime_command()
        command = [shutil.which(program) or program, *rest]
        if own_root:
            command += ["--root", str(self.runtime_root)]
        # The client's environment is not ours, and at times it passes on none at all.
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PYTHON", "COVERAGE"))}
        variables = [f"{k}={v}" for k, v in (kept | {"NSISOLATE_TEST": self.name}).items()]
        self.write(self._calls, "")
        self.write(
            self.runtime,
            "#!/bin/sh\n"
            f"""printf '%s\\n' "$*" >>{self._calls}\n"""
            f"export {shlex.join(variables)}\n"
            f"""exec {shlex.join(command)} "$@"\n""",
        )
        self.runtime.chmod(0o755)

    def write(self, path: Path, text: str) -> Path:
        """Write a file below the room."""
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def directory(self, name: str) -> Path:
        """Make a directory."""
        path = self.path / name
        path.mkdir()
        return path

    def calls(self) -> list[str]:
        """Return the arguments of each call of the runtime."""
        return self._calls.read_text().splitlines()

    def calls_of(self, verb: str) -> list[str]:
        """Return the arguments of each call of one of the runtime's verbs."""
        return [call for call in self.calls() if verb in call.split()]

    def remains(self) -> list[str]:
        """Return a sentence for whatever a container has left; wait a moment for what is about to go."""
        deadline = time.monotonic() + _PATIENCE
        while (found := self._remains()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def cgroups(self) -> list[Path]:
        """Return the cgroups that containers of the room have, without those of the client itself."""
        ours = [Path(path) for path, _, _ in os.walk(CGROUPS) if self.name in Path(path).parts]
        return [path for path in ours if path.name not in {self.name, "conmon"}]

    def close(self) -> None:
        """Remove the directory, and the cgroups that the client made for all of its containers.

        What containers have left, which is a failure, goes too.
        """
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for line in self._mounts():
            subprocess.run(["umount", "--lazy", line.split()[4]], check=False)
        deadline = time.monotonic() + _PATIENCE
        while not self._remove_cgroups() and time.monotonic() < deadline:
            time.sleep(0.02)
        shutil.rmtree(self.path)

    def _remains(self) -> list[str]:
        return [
            *(f"process {_command(pid)}" for pid in self._processes()),
            *(f"mount {line}" for line in self._mounts()),
            *(f"cgroup {path}" for path in self.cgroups()),
            *(f"file {path}" for path in self.runtime_root.rglob("*") if path.name != self.name),
        ]

    def _processes(self) -> list[int]:
        """Return all but those that the client has without containers too."""
        found = {*with_marker(f"NSISOLATE_TEST={self.name}"), *with_marker(f"{self.path}/")}
        own = ("containerd ", "catatonit -P")
        return [pid for pid in found if not _command(pid).startswith(own)]

    def _mounts(self) -> list[str]:
        table = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line for line in table if str(self.path) in line]

    def _remove_cgroups(self) -> bool:
        """Tell whether there are none any more; the kernel refuses while a process is ending."""
        for path, _, _ in os.walk(CGROUPS, topdown=False):
            if self.name in Path(path).parts:
                with suppress(OSError):
                    os.rmdir(path)
        return not any(self.name in names for _, names, _ in os.walk(CGROUPS))


def runtime_name() -> str:
    """Return the name that a client's settings have for the runtime under test."""
    return "nsisolate" if is_ours() else Path(runtime_command()[0]).name


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
