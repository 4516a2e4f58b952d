"""Private namespaces for a run, so that a broken runtime does no harm.

A run has its own mount, UTS, IPC, PID and cgroup namespaces, its own /run and /dev, and sees of the cgroups
only those that were made for it, in the view that the suite wants. The outer half is enter(), in the command;
the inner half is prepare(), in the first process of the PID namespace.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import cgroups
from .plan import Plan
from .suite import GID_START, ID_COUNT, UID_START

_NAMESPACES = "--mount --uts --ipc --pid --cgroup".split()
_RUN = Path(__file__).with_name("run.py")

#: Of /dev, what is a file system of its own.
_DEV_MOUNTS = {"pts", "shm", "mqueue", "hugepages"}

#: One of crun's tests wants process ids of five digits.
_FIRST_PID = 20_000

#: runc 1.1.5 makes it, and its own test "list with non-existent root" fails the next time.
_LEFT_BY_RUNC = ("/non-existent-dir/state", "/non-existent-dir")


def enter(plan_file: Path, own: cgroups.Own) -> int:
    """Run the inner process for the plan in *plan_file*, in the cgroups *own*; return its exit code."""
    command = [
        "unshare",
        *_NAMESPACES,
        "--fork",
        "--kill-child",
        "--propagation",
        "private",
        "--mount-proc",
    ]
    command += [sys.executable, "-P", str(_RUN), "--inside", str(plan_file)]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, env=environment, cwd="/", preexec_fn=own.join) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            raise


def prepare(plan: Plan) -> None:
    """Make the mounts, and what else the namespaces hold; for the first process in them."""
    _mount_cgroups(plan)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    _mount_dev()
    for name in ("lock", "user"):
        Path("/run", name).mkdir()
    for name in _LEFT_BY_RUNC:
        if os.path.isdir(name):
            os.rmdir(name)
    subprocess.run(["hostname", "conformance"], check=True)
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(_FIRST_PID))
    if plan.user != 0:
        _add_user(plan.user, plan.id_maps)
        if plan.delegation:
            cgroups.delegate(plan.user)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _mount_cgroups(plan: Plan) -> None:
    """Replace /sys/fs/cgroup by the run's own cgroups, as the view has them."""
    if set(plan.cgroups) == {"."}:
        _mount("--bind", plan.cgroups["."], str(cgroups.ROOT))
        return
    if plan.view == "v2":
        subprocess.run(["umount", "-R", "-l", str(cgroups.ROOT)], check=True)
        _mount("-t", "cgroup2", "cgroup2", str(cgroups.ROOT))
        return
    with tempfile.TemporaryDirectory(prefix="nsi-") as name:
        stage = Path(name)
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", name)
        for path in cgroups.ROOT.iterdir():
            if path.is_symlink():
                (stage / path.name).symlink_to(os.readlink(path))
        for mount, own in plan.cgroups.items():
            if plan.view == "v1" and (Path(own) / "cgroup.controllers").exists():
                continue
            (stage / mount).mkdir()
            _mount("--bind", own, str(stage / mount))
        subprocess.run(["umount", "-R", "-l", str(cgroups.ROOT)], check=True)
        _mount("--move", name, str(cgroups.ROOT))


def _mount_dev() -> None:
    """Give the run device nodes of its own: a runtime may change their owners, as runc 1.1.5 does."""
    stage = Path("/run/dev")
    stage.mkdir()
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(stage))
    for path in Path("/dev").iterdir():
        if path.name not in _DEV_MOUNTS:
            subprocess.run(
                ["cp", "-a", str(path), str(stage)], check=False, stderr=subprocess.DEVNULL
            )
    os.chown(stage / "null", 0, 0)
    for name in ("pts", "shm", "mqueue"):
        (stage / name).mkdir()
    _mount("--bind", "/dev/pts", str(stage / "pts"))
    _mount("-t", "tmpfs", "-o", "mode=1777,nosuid,nodev", "tmpfs", str(stage / "shm"))
    _mount("-t", "mqueue", "mqueue", str(stage / "mqueue"))
    _mount("--move", str(stage), "/dev")
    stage.rmdir()


def _add_user(user: int, id_maps: bool) -> None:
    """Let the run see a user called rootless, with subordinate ids if *id_maps*."""
    directory = Path(tempfile.mkdtemp(prefix="etc-", dir="/run"))
    directory.chmod(0o755)
    for name, entry in (
        ("passwd", f"rootless:x:{user}:{user}::/tmp:/bin/bash"),
        ("group", f"rootless:x:{user}:"),
    ):
        kept = [line for line in _lines(f"/etc/{name}") if line.split(":")[2:3] != [str(user)]]
        (directory / name).write_text("\n".join([*kept, entry, ""]))
    for name, start in (("subuid", UID_START), ("subgid", GID_START)):
        (directory / name).write_text(f"rootless:{start}:{ID_COUNT}\n" if id_maps else "")
    for path in directory.iterdir():
        target = Path("/etc", path.name)
        if not target.exists():
            target.touch()
        _mount("--bind", str(path), str(target))


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def unmount_since(before: set[str]) -> list[str]:
    """Unmount what has been mounted since mounts() was *before*; return the mount points."""
    new = [point for point in reversed(_mount_points()) if point not in before]
    for point in new:
        subprocess.run(["umount", "-l", point], check=False, stderr=subprocess.DEVNULL)
    return new


def _mount_points() -> list[str]:
    lines = _lines("/proc/self/mountinfo")
    return [line.split()[4].encode().decode("unicode_escape") for line in lines]


def mounts() -> set[str]:
    """Return the mount points there are."""
    return set(_mount_points())
