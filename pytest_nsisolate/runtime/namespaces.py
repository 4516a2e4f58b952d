"""Namespaces: joining, creating, and the id maps of a user namespace (user_namespaces(7))."""

from __future__ import annotations

import errno
import os

from . import syscalls as sys
from .errors import KernelCallError, SetupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .plan import IdMapping, Plan, TimeOffset

CLONE_FLAGS = {
    "user": sys.CLONE_NEWUSER,
    "cgroup": sys.CLONE_NEWCGROUP,
    "ipc": sys.CLONE_NEWIPC,
    "uts": sys.CLONE_NEWUTS,
    "network": sys.CLONE_NEWNET,
    "pid": sys.CLONE_NEWPID,
    "time": sys.CLONE_NEWTIME,
    "mount": sys.CLONE_NEWNS,
}
#: Names below /proc/PID/ns, where they differ from the spec's.
PROC_NAMES = {"network": "net", "mount": "mnt"}

_CAP_SETGID = 1 << 6
_CAP_SETUID = 1 << 7


def host_id(mappings: Sequence[IdMapping], container_id: int) -> int:
    """Return what an id inside is outside; the id itself if there is no map for it."""
    for mapping in mappings:
        if mapping.container_id <= container_id < mapping.container_id + mapping.size:
            return container_id - mapping.container_id + mapping.host_id
    return container_id


def describe(plan: Plan) -> str:
    """Say which namespaces the plan creates, and which it joins."""
    created = [namespace.type for namespace in plan.namespaces if not namespace.path]
    joined = [f"{ns.type} ({ns.path})" for ns in plan.namespaces if ns.path]
    return f"new namespaces: {', '.join(created)}; joined: {', '.join(joined)}"


def open_joined(plan: Plan) -> list[tuple[int, int]]:
    """Open the namespaces that the plan joins, as (fd, CLONE flag), before any of them is entered."""
    opened = []
    for namespace in plan.namespaces:
        if namespace.path:
            try:
                # What is no namespace may be a pipe, and wait for its other end.
                fd = os.open(namespace.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                raise SetupError(
                    "linux.namespaces",
                    f"open the {namespace.type} namespace {namespace.path}",
                    error.errno or 0,
                ) from error
            opened.append((fd, CLONE_FLAGS[namespace.type]))
    return opened


def join(opened: Sequence[tuple[int, int]]) -> None:
    """Enter the opened namespaces: the user namespace first, for its capabilities; mount last."""
    order = tuple(CLONE_FLAGS.values())
    for fd, flag in sorted(opened, key=lambda entry: order.index(entry[1])):
        try:
            sys.setns(fd, flag)
        except KernelCallError as error:
            hint = "the path is not that of such a namespace" if error.errno == errno.EINVAL else ""
            raise SetupError("linux.namespaces", error.call, error.errno or 0, hint) from error
        os.close(fd)


def new_flags(plan: Plan) -> int:
    """Return the CLONE flags of the namespaces that the plan creates."""
    flags = 0
    for namespace in plan.namespaces:
        if not namespace.path:
            flags |= CLONE_FLAGS[namespace.type]
    return flags


def unshare(flags: int) -> None:
    """Create namespaces, with the causes of a refusal spelled out."""
    if not flags:
        return
    try:
        sys.unshare(flags)
    except KernelCallError as error:
        hint = unshare_hint(error.errno or 0, flags)
        raise SetupError("linux.namespaces", error.call, error.errno or 0, hint) from error


def unshare_hint(number: int, flags: int) -> str:
    """Say why namespaces may have been refused here, and what lifts it."""
    if number in (errno.ENOSPC, errno.EUSERS):
        return (
            "the limit on namespaces is reached (not the disk): raise sysctl user.max_user_namespaces "
            "and its neighbours below /proc/sys/user, or nest less deeply"
        )
    if number == errno.EINVAL:
        return "this kernel lacks one of these namespaces"
    if number != errno.EPERM:
        return ""
    if _sysctl("kernel/unprivileged_userns_clone") == "0":
        return "run: sysctl -w kernel.unprivileged_userns_clone=1"
    if not flags & sys.CLONE_NEWUSER:
        return "creating these without root needs a user namespace: add it to linux.namespaces"
    if _is_chrooted():
        return "user namespaces cannot be created in a chroot"
    return (
        "a seccomp filter or a security module refuses it; in a container, run it with "
        "--security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    )


def maps_hint(number: int) -> str:
    """Say why the id maps may have been refused."""
    if _sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor restricts unprivileged user namespaces here; run: "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give the interpreter a profile"
        )
    if number == errno.EPERM:
        return "only ids that the caller may use can be mapped: its own, or those of /etc/subuid"
    return ""


def _sysctl(name: str) -> str:
    try:
        with open(f"/proc/sys/{name}", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def _is_chrooted() -> bool:
    try:
        root, init = os.stat("/"), os.stat("/proc/1/root/.")
    except OSError:
        return False
    return (root.st_dev, root.st_ino) != (init.st_dev, init.st_ino)


def write_time_offsets(offsets: Sequence[TimeOffset]) -> None:
    """Set the clocks of the time namespace that the next child will be in (time_namespaces(7))."""
    if not offsets:
        return
    lines = "".join(f"{o.clock} {o.secs} {o.nanosecs}\n" for o in offsets)
    write_file("/proc/self/timens_offsets", lines, "linux.timeOffsets")


def write_file(path: str, text: str, step: str, hint: str = "") -> None:
    """Write *text* in one write(2), as the files of /proc want it."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        call = f"write {text.strip()!r} to {path}"
        raise SetupError(step, call, error.errno or 0, hint) from error


def write_id_maps(
    pid: int, uid_mappings: Sequence[IdMapping], gid_mappings: Sequence[IdMapping]
) -> None:
    """Write the maps of the user namespace of *pid*, from its parent namespace.

    With CAP_SETUID and CAP_SETGID they are written as they are. Without, a single line for the caller's
    own id may be, once ``setgroups`` is denied (CVE-2014-8989); everything else goes through newuidmap
    and newgidmap, which know what /etc/subuid allows.
    """
    effective = sys.capget()[0]
    proc = f"/proc/{pid}"
    privileged_gid = bool(effective & _CAP_SETGID)
    if not privileged_gid and not _needs_helper(gid_mappings, os.getegid()):
        write_file(f"{proc}/setgroups", "deny", "id maps", maps_hint(errno.EPERM))
    for kind, mappings, own_id, privileged in (
        ("gid", gid_mappings, os.getegid(), privileged_gid),
        ("uid", uid_mappings, os.geteuid(), bool(effective & _CAP_SETUID)),
    ):
        if not mappings:
            continue
        if not privileged and _needs_helper(mappings, own_id):
            _run_map_helper(f"new{kind}map", pid, mappings)
        else:
            lines = "".join(f"{m.container_id} {m.host_id} {m.size}\n" for m in mappings)
            write_file(f"{proc}/{kind}_map", lines, "id maps", maps_hint(errno.EPERM))


def _needs_helper(mappings: Sequence[IdMapping], own_id: int) -> bool:
    return not (len(mappings) == 1 and mappings[0].size == 1 and mappings[0].host_id == own_id)


def _run_map_helper(program: str, pid: int, mappings: Sequence[IdMapping]) -> None:
    args = [program, str(pid)]
    for mapping in mappings:
        args += [str(mapping.container_id), str(mapping.host_id), str(mapping.size)]
    read_fd, write_fd = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write_fd, 2)]
    try:
        child = os.posix_spawnp(program, args, os.environ, file_actions=actions)
    except FileNotFoundError:
        os.close(read_fd)
        raise SetupError(
            "id maps",
            f"{program}: not found",
            hint="ranges of ids need it: apt-get install uidmap, and a line for you in /etc/subuid and "
            "/etc/subgid",
        ) from None
    finally:
        os.close(write_fd)
    with open(read_fd, encoding="utf-8", errors="replace") as stream:
        said = " ".join(stream.read().split())
    _pid, status = os.waitpid(child, 0)
    if status:
        raise SetupError(
            "id maps",
            f"{' '.join(args)}: {said or f'wait status {status}'}",
            hint="the ranges must lie within those that /etc/subuid and /etc/subgid give to the caller",
        )
