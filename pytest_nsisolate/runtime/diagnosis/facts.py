"""Facts about the caller's surroundings that explain refusals."""

from __future__ import annotations

import os

from .. import syscalls as sys
from ..cgroups.group import read
from ..errors import UnsupportedError
from ..mounts.mountinfo import unescaped
from ..record import Record
from .trial import attempt

_CHROOTED = "the root is not the mount namespace's"
_KINDS = {"docker": "docker", "podman": "podman", "lxc": "lxc", "systemd-nspawn": "nspawn"}


class Facts(Record):
    """What was found; an empty text, or 0, where there is nothing of it.

    *container* is docker, podman, kubernetes, lxc, nspawn or container (another one); *seccomp* and
    *no_new_privs* are those of /proc/self/status; *unified* is
    cgroup v2 alone; *proc_masks* are the mount points below /proc.
    """

    container: str = ""
    seccomp: int = 0
    no_new_privs: int = 0
    chrooted: bool = False
    unmapped: bool = False
    root: bool = False
    systemd: bool = False
    unified: bool = False
    user: str = ""
    kernel: str = ""
    proc_masks: tuple[str, ...] = ()


def gather() -> Facts:
    """Return the facts."""
    status = _status()
    return Facts(
        container=_container(),
        seccomp=int(status.get("Seccomp", "0")),
        no_new_privs=int(status.get("NoNewPrivs", "0")),
        chrooted=is_chrooted(),
        unmapped=not _is_mapped(os.geteuid()),
        root=os.geteuid() == 0,
        systemd=os.path.isdir("/run/systemd/system"),
        unified=os.path.exists("/sys/fs/cgroup/cgroup.controllers"),
        user=user_name(),
        kernel=os.uname().release,
        proc_masks=_mounts_on_proc(),
    )


def sysctl(name: str) -> str:
    """Return a sysctl's value, such as ``user.max_user_namespaces``, or an empty text."""
    return read(f"/proc/sys/{name.replace('.', '/')}").strip()


def _status() -> dict[str, str]:
    lines = (line.partition(":") for line in read("/proc/self/status").splitlines())
    return {name: value.strip() for name, _colon, value in lines}


def _container() -> str:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    if os.path.exists("/run/.containerenv"):
        return "podman"
    if os.path.exists("/.dockerenv"):
        return "docker"
    said = os.environ.get("container", "")  # noqa: SIM112 - that is its name
    said = said or read("/run/systemd/container").strip()
    return _KINDS.get(said, "container" if said else "")


def is_chrooted() -> bool:
    """Tell whether our root is another one than that of our mount namespace.

    Who may enter that namespace again is put to its root, which tells for sure. Others compare with the
    first process, if they may, and else look for a root in the table of mounts.
    """
    refusal = attempt(_compare_roots)
    if refusal is None or refusal.call == _CHROOTED:
        return refusal is not None
    try:
        root, init = os.stat("/"), os.stat("/proc/1/root/.")
    except OSError:
        mounts = read("/proc/self/mountinfo").splitlines()
        return bool(mounts) and not any(line.split()[4] == "/" for line in mounts)
    return (root.st_dev, root.st_ino) != (init.st_dev, init.st_ino)


def _compare_roots() -> None:
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    before = os.open("/", os.O_PATH | os.O_CLOEXEC)
    fdinfo = os.open("/proc/self/fdinfo", os.O_RDONLY | os.O_CLOEXEC)
    sys.setns(own, sys.CLONE_NEWNS)
    after = os.open("/", os.O_PATH | os.O_CLOEXEC)
    if _mount_of(before, fdinfo) != _mount_of(after, fdinfo):
        raise UnsupportedError(_CHROOTED)


def _mount_of(fd: int, fdinfo: int) -> list[str]:
    with open(
        os.open(str(fd), os.O_RDONLY | os.O_CLOEXEC, dir_fd=fdinfo), encoding="utf-8"
    ) as file:
        return [line for line in file if line.startswith("mnt_id:")]


def _is_mapped(uid: int) -> bool:
    text = read("/proc/self/uid_map")
    ranges = [[int(word) for word in line.split()] for line in text.splitlines()]
    return not os.path.exists("/proc/self/uid_map") or any(
        first <= uid < first + size for first, _outside, size in ranges
    )


def user_name() -> str:
    """Return our name, or the uid if it has none."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _mounts_on_proc() -> tuple[str, ...]:
    points = (unescaped(line.split()[4]) for line in read("/proc/self/mountinfo").splitlines())
    return tuple(dict.fromkeys(point for point in points if point.startswith("/proc/")))
