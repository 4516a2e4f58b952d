"""A busybox bundle, run by command lines."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from pytest_nsisolate.runtime import syscalls

from .places import CHECKOUT, MeasurementError, run

BUSYBOX = "/usr/bin/busybox"


def bundle(cache: Path) -> Path:
    """Return a bundle whose process is ``busybox true``."""
    directory = cache / "bundle"
    if (directory / "config.json").exists():
        return directory
    if not os.access(BUSYBOX, os.X_OK):
        raise MeasurementError("a bundle needs busybox: apt-get install busybox-static")
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("bin", "dev", "proc", "sys", "tmp"):
        (directory / "rootfs" / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, directory / "rootfs/bin/busybox")
    env = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    made = [sys.executable, "-m", "pytest_nsisolate", "spec", "--bundle", str(directory)]
    run([*made, *([] if os.geteuid() == 0 else ["--rootless"])], env=env)
    path = directory / "config.json"
    config = json.loads(path.read_text())
    config["process"] |= {"args": ["/bin/busybox", "true"], "terminal": False}
    # A cgroup differs from runtime to runtime more than all the rest; and crun refuses hosts with v1 and v2.
    config["linux"].pop("resources", None)
    path.write_text(json.dumps(config))
    return directory


def command(cache: Path, runtime: list[str]) -> list[str]:
    """Return the command that runs the bundle with a runtime."""
    return [*runtime, "run", "--bundle", str(bundle(cache)), f"benchmark-{os.getpid()}"]


def bubblewrap(cache: Path) -> list[str]:
    """Return the command that runs the bundle's process by bwrap, in namespaces of its own."""
    rootfs = str(bundle(cache) / "rootfs")
    mounts = ["--bind", rootfs, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    return ["bwrap", "--unshare-all", "--hostname", "bwrap", *mounts, "/bin/busybox", "true"]


def seconds(full: list[str]) -> float:
    """Run a command; return the seconds that it took."""
    return _run_apart(full)[0]


def _run_apart(full: list[str]) -> tuple[float, int]:
    """Run a command in a mount namespace; return the seconds, and the number on standard error or 0."""
    with tempfile.TemporaryFile() as said:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                _show_one_hierarchy()
                os.write(write, json.dumps(_time(full, said.fileno())).encode())
            finally:
                os._exit(0)
        os.close(write)
        with open(read) as stream:
            took = stream.read()
        os.waitpid(pid, 0)
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    seconds, status = json.loads(took or "[0, 256]")
    if status:
        code = os.waitstatus_to_exitcode(status)
        raise MeasurementError(f"{' '.join(full)} ended with {code}: {text}")
    return seconds, int(text) if text.isdigit() else 0


def _show_one_hierarchy() -> None:
    """Have cgroup v2 alone at /sys/fs/cgroup: crun refuses a host that has v1 controllers, too."""
    unified = "/sys/fs/cgroup/unified"
    if os.geteuid() == 0 and os.path.isdir(unified):
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount(unified, "/sys/fs/cgroup", flags=syscalls.MS_BIND)


def _time(command: list[str], error: int) -> tuple[float, int]:
    """Run a command; return its seconds and its wait status."""
    null = os.open(os.devnull, os.O_RDWR)
    streams = [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate((null, null, error))]
    before = time.perf_counter()
    env = {**os.environ}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed, with compiled modules
    pid = os.posix_spawnp(command[0], command, env, file_actions=streams)
    _pid, status = os.waitpid(pid, 0)
    return time.perf_counter() - before, status


def peak_kib(full: list[str]) -> int:
    """Return the largest resident set of a command and of its children, in KiB.

    busybox's ``time`` tells: what this interpreter starts begins with the memory of this interpreter. It
    takes the kernel's KiB for pages.
    """
    reported = _run_apart([BUSYBOX, "time", "-f", "%M", *full])[1]
    return reported * 1024 // os.sysconf("SC_PAGE_SIZE")
