"""A machine that runs: QEMU, and ssh into it. What it changes on its disk is forgotten."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from .image import USER, Image, MachineError

_PROGRAMS = ("qemu-system-x86_64", "ssh")
_BOOT_PATIENCE = 600.0


class Machine:
    """A machine of an image. As a context manager: booted, and powered off."""

    def __init__(self, image: Image, *, memory: int, cpus: int, kvm: bool) -> None:
        if missing := [name for name in _PROGRAMS if not shutil.which(name)]:
            raise MachineError(
                f"{', '.join(missing)} missing: apt-get install qemu-system-x86 openssh-client"
            )
        self._image = image
        self._size = ("-m", str(memory), "-smp", str(cpus))
        # Without KVM, QEMU emulates: about ten times slower, and everywhere the same.
        accelerator = ("kvm", "-cpu", "host") if kvm else ("tcg,thread=multi", "-cpu", "max")
        self._accelerator = ("-accel", *accelerator)
        self._console = Path(tempfile.mkstemp(prefix="console-", suffix=".log")[1])
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Boot, and wait until both accounts can be used. Raises MachineError."""
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Power off."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._console.unlink(missing_ok=True)

    def _boot(self) -> None:
        image = self._image
        command = ["qemu-system-x86_64", *self._accelerator, *self._size, "-machine", "q35"]
        command += ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
        command += ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
        command += ["-append", "console=ttyS0 root=/dev/vda rw quiet panic=-1"]
        command += ["-drive", f"file={image.disk},format=raw,if=virtio,snapshot=on"]
        network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self._port}-:22"
        command += ["-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile="]
        command += ["-device", "virtio-rng-pci", "-serial", f"file:{self._console}"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _BOOT_PATIENCE
        ready = "systemctl is-system-running --wait; systemctl start user@1000.service"
        while self.run("root", f"date -s @{time.time():.0f} && {ready}", lambda _line: None):
            if self._process.poll() is not None:
                raise MachineError(f"qemu ended with {self._process.returncode}; {self._last()}")
            if time.monotonic() > deadline:
                raise MachineError(f"the machine does not come up; {self._last()}")
            time.sleep(1)

    def _last(self) -> str:
        lines = self._console.read_text(errors="replace").splitlines()
        return "its console: " + "\n".join(lines[-20:])

    def run(self, user: str, script: str, show: Callable[[str], None]) -> int:
        """Let a shell of *user* run *script*, and *show* each line that it prints.

        Return its exit code, 255 if there is no connection.
        """
        with subprocess.Popen(
            [*self._ssh(user), f"exec 2>&1; {script}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                show(line.rstrip("\n"))
        return running.returncode

    def copy(self, source: Path, destination: str, *names: str) -> None:
        """Copy *names*, or all, of a directory to a new one that everybody may read."""
        pack = ["tar", "-C", str(source), "--exclude=__pycache__", "-cf", "-", *(names or (".",))]
        place = shlex.quote(destination)
        # The clocks of an emulated machine and of its host drift apart.
        options = "--no-same-owner --warning=no-timestamp"
        unpack = f"mkdir -p {place} && tar -C {place} -xf - {options} && chmod -R a+rX {place}"
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as packing:
            done = subprocess.run([*self._ssh("root"), unpack], stdin=packing.stdout, check=False)
        if done.returncode or packing.returncode:
            raise MachineError(f"cannot copy {source} to {destination}")

    def _ssh(self, user: str) -> list[str]:
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "ConnectTimeout": "20",
        }
        settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        command = ["ssh", "-q", "-F", "/dev/null", "-i", str(self._image.key), *settings]
        return [*command, "-p", str(self._port), f"{user}@127.0.0.1"]


def in_delegated_scope(user: str, command: str) -> str:
    """Return the script that runs *command* as *user*: an ordinary one gets a cgroup to manage."""
    if user != USER:
        return command
    return f"systemd-run --user --scope -q -p Delegate=yes sh -c {shlex.quote(command)}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
