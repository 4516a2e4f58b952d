"""From a refusal and the facts to its likely cause and the commands that lift it."""

from __future__ import annotations

import errno

from ..record import Record
from .facts import Facts, sysctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .trial import Refusal

_NO_RIGHTS = (errno.EPERM, errno.EACCES)
_APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"
#: What a container needs to be run with to make containers itself.
_OF_CONTAINER = {
    "docker": (
        "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined "
        "--security-opt apparmor=unconfined ..."
    ),
    "podman": "podman run --security-opt seccomp=unconfined --security-opt unmask=ALL ...",
    "kubernetes": (
        "in the pod's spec: hostUsers: false; in the container's securityContext: procMount: Unmasked, "
        "seccompProfile: {type: Unconfined}"
    ),
    "lxc": "lxc config set CONTAINER security.nesting=true",
    "nspawn": "systemd-nspawn --system-call-filter='@mount @privileged' --capability=all ...",
}
_NAMES = {"mount": "mnt", "network": "net"}


class Remedy(Record):
    """The likely *cause*, and *commands* that lift it: all of them to be run, or written, as they are."""

    cause: str
    commands: tuple[str, ...] = ()


def remedy(check: str, refusal: Refusal, facts: Facts) -> Remedy:
    """Return the remedy for the *refusal* of a check; one without a cause if none is known."""
    number = refusal.errno
    if check.startswith("limit of"):
        return _of_limits(check, refusal, facts)
    if check in _SPECIAL:
        return _SPECIAL[check](refusal, facts)
    if number in (errno.ENOSPC, errno.EUSERS):
        return _of_namespace_counts(check, number)
    if number in _NO_RIGHTS and check != "pivot_root":
        return _of_rights(check, facts)
    if number == errno.EINVAL and check == "pivot_root":
        return Remedy(cause="the root is an initramfs, or we are in a chroot", commands=_MOVE_ROOT)
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENODEV):
        if number == errno.ENOSYS and facts.seccomp:
            return _of_filter(facts)
        return Remedy(
            cause=f"this kernel, {facts.kernel}, does not have it: Linux 5.12 or later is needed"
        )
    return Remedy(cause=refusal.hint)


def _of_namespace_counts(check: str, number: int) -> Remedy:
    kind = check.removeprefix("nested ").partition(" ")[0]
    name = f"user.max_{_NAMES.get(kind, kind if kind != 'id' else 'user')}_namespaces"
    there = sysctl(name)
    if number == errno.EUSERS or not there.isdecimal():
        return Remedy(cause="user namespaces are nested 32 deep here, and no kernel takes more")
    enough = max(2 * int(there), 15_000)
    return Remedy(
        cause=f"{name} is {there} here: the limit on namespaces, not the disk; in a container, or a user "
        "namespace, the one around it may have the lower limit",
        commands=(f"sysctl -w {name}={enough}",),
    )


def _of_rights(check: str, facts: Facts) -> Remedy:
    if sysctl("kernel.unprivileged_userns_clone") == "0" and not facts.root:
        return _of_sysctl("kernel.unprivileged_userns_clone", "0", "1")
    if facts.unmapped:
        return Remedy(
            cause="our own id has no map in the user namespace that we are in",
            commands=("unshare --user --map-current-user ...",),
        )
    if facts.chrooted and check == "user namespace":
        return Remedy(cause="the kernel makes no user namespaces in a chroot", commands=_MOVE_ROOT)
    if check == "mount /proc" and facts.proc_masks and not facts.container:
        found = " ".join(facts.proc_masks)
        return Remedy(
            cause=f"a new /proc can only be mounted where none is covered, and there are mounts on {found}",
            commands=(f"umount {found}",),
        )
    if sysctl(_APPARMOR) == "1" and not facts.root:
        return _of_sysctl(_APPARMOR, "1", "0")
    if facts.container or facts.seccomp:
        given = _of_filter(facts)
        if check == "mount /proc" and facts.proc_masks:
            masks = " ".join(facts.proc_masks)
            return given.replace(cause=f"{given.cause}: there are mounts on {masks}")
        return given
    return Remedy(
        cause="a security module (AppArmor, SELinux, ...) refuses it; its log says which",
        commands=("journalctl -k --grep='apparmor|avc' --since=-5min",),
    )


def _of_sysctl(name: str, there: str, wanted: str) -> Remedy:
    return Remedy(
        cause=f"{name} is {there}",
        commands=(
            f"sysctl -w {name}={wanted}",
            f"echo {name}={wanted} > /etc/sysctl.d/60-nsisolate.conf",
        ),
    )


#: Enters a directory as the root of a mount namespace, which a user namespace can be made in.
_MOVE_ROOT = (
    (
        "unshare --mount sh -c 'mount --rbind DIR DIR && cd DIR && mkdir -p .old && pivot_root . .old && "
        "umount -l .old && exec COMMAND'"
    ),
)


def _of_filter(facts: Facts) -> Remedy:
    kind = facts.container or "container"
    cause = f"the container that we are in ({kind}) keeps it from us"
    if facts.seccomp and not facts.container:
        cause = "whoever has started this has loaded a seccomp filter that refuses it"
    elif facts.seccomp:
        cause += " by its seccomp filter, or by what it has put on /proc"
    every = tuple(_OF_CONTAINER[name] for name in ("docker", "podman"))
    return Remedy(cause=cause, commands=(_OF_CONTAINER[kind],) if kind in _OF_CONTAINER else every)


def _of_limits(check: str, refusal: Refusal, facts: Facts) -> Remedy:
    if check == "limit of pids without a cgroup":
        return Remedy(
            cause="it never holds for root, and counts for all of a user's processes before Linux 5.14"
        )
    if refusal.errno == errno.EROFS:
        return Remedy(
            cause="the cgroups are read-only here",
            commands=("docker run --privileged ...", "podman run --privileged ..."),
        )
    if not facts.unified:
        return Remedy(
            cause="this machine has its controllers on cgroup v1, where they are root's alone",
            commands=("run it as root, or boot with systemd.unified_cgroup_hierarchy=1",),
        )
    if facts.systemd:
        return Remedy(
            cause="no cgroup is delegated to the caller",
            commands=("systemd-run --user --scope -p Delegate=yes COMMAND",),
        )
    return Remedy(
        cause="it takes root, or a cgroup v2 that belongs to the caller, from above the one that he is in",
        commands=(
            f"mkdir -p /sys/fs/cgroup/{facts.user}/session",
            (
                f"echo '+memory +pids +cpu' | tee /sys/fs/cgroup/cgroup.subtree_control "
                f"/sys/fs/cgroup/{facts.user}/cgroup.subtree_control"
            ),
            f"chown -R {facts.user} /sys/fs/cgroup/{facts.user}",
            f"echo PID_OF_THE_SHELL > /sys/fs/cgroup/{facts.user}/session/cgroup.procs",
        ),
    )


def _of_overlay(_refusal: Refusal, _facts: Facts) -> Remedy:
    return Remedy(
        cause="overlays in user namespaces take Linux 5.11, and the module; the project is read-only inside",
        commands=("modprobe overlay",),
    )


def _of_ranges(refusal: Refusal, facts: Facts) -> Remedy:
    if "not found" in refusal.call:
        return Remedy(cause="newuidmap is not installed", commands=("apt-get install uidmap",))
    return Remedy(
        cause="no ranges of ids are given to the caller",
        commands=(f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {facts.user}",),
    )


def _of_id_maps(_refusal: Refusal, _facts: Facts) -> Remedy:
    return Remedy(cause="it takes root of the machine, and a file system that can map ids")


def _of_binding(_refusal: Refusal, _facts: Facts) -> Remedy:
    return Remedy(
        cause="libseccomp, or Python's binding of it, is not installed",
        commands=("apt-get install libseccomp2", "pip install 'pytest-nsisolate[seccomp]'"),
    )


_SPECIAL = {
    "overlay": _of_overlay,
    "ranges of ids": _of_ranges,
    "id-mapped mounts": _of_id_maps,
    "libseccomp": _of_binding,
}
