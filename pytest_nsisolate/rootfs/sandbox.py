"""A test's sandbox: from what was asked for to a plan and the skeleton of its root."""

from __future__ import annotations

import os
import tempfile

from ..runtime import capabilities
from ..runtime.mounts.skeleton import Entry
from ..runtime.plan import (
    DEFAULT_MASKED_PATHS,
    DEFAULT_READONLY_PATHS,
    Capabilities,
    IdMapping,
    Mount,
    Namespace,
    Plan,
    Process,
    Root,
    User,
)
from ..runtime.record import Record
from ..runtime.syscalls import capget
from .etc import Identity, etc_entries, etc_mounts, identity_of_caller, identity_of_root
from .interpreter import interpreter_paths
from .kinds import OWN_DIRECTORIES, Sandbox
from .layout import Layout, copy_on_write, in_order, mounts_below, read_only, writable
from .system import private_mounts, system_entries, system_mounts

#: Where the factory of :mod:`..runtime.factory` would put a plan's overlays if it did not choose itself.
SCRATCH = "/.nsisolate/scratch"

#: What a rootfs= directory has itself; of the host's, only what the interpreter imports from is added.
_OF_ROOTFS = ("/bin", "/usr", "/usr/bin", "/usr/local", "/usr/local/bin", "/usr/sbin")


class Prepared(Record):
    """A sandbox as the runtime wants it."""

    plan: Plan
    skeleton: tuple[Entry, ...]


def prepare(sandbox: Sandbox, *, cwd: str, scratch: str = SCRATCH) -> Prepared:
    """Return the plan of *sandbox* and the skeleton of its root.

    *scratch* is where overlays keep what is written; its owner makes the directories.
    """
    home = os.path.abspath(os.path.expanduser("~"))
    identity = identity_of_root(home) if sandbox.root else identity_of_caller(home)
    layout = _layout(sandbox, identity, scratch)
    namespaces = ["user", "pid", "mount", "uts", "ipc", "cgroup"]
    if sandbox.network == "none":
        namespaces.append("network")
    caps = _capabilities(sandbox)
    plan = Plan(
        root=Root(path="/", readonly=not sandbox.rootfs),
        namespaces=tuple(Namespace(type=kind) for kind in namespaces),
        hostname=sandbox.hostname,
        mounts=layout.mounts,
        uid_mappings=_mappings(identity.uid, os.geteuid(), "uid"),
        gid_mappings=_mappings(identity.gid, os.getegid(), "gid"),
        masked_paths=DEFAULT_MASKED_PATHS,
        readonly_paths=DEFAULT_READONLY_PATHS,
        process=Process(
            args=("/bin/sh",),
            cwd=cwd,
            user=User(
                uid=identity.uid,
                gid=identity.gid,
                umask=_umask(),
                additional_gids=_additional_gids(sandbox),
            ),
            capabilities=Capabilities(
                bounding=caps, effective=caps, permitted=caps, inheritable=caps, ambient=caps
            ),
        ),
    )
    return Prepared(plan=plan, skeleton=layout.entries)


def _layout(sandbox: Sandbox, identity: Identity, scratch: str) -> Layout:
    if sandbox.rootfs:
        base = [copy_on_write("/", f"{scratch}/root", sandbox.rootfs), read_only("/sys")]
        entries: list[Entry] = []
    else:
        base, entries = _generated_root(sandbox, identity, scratch)
    private = private_mounts(identity.home, tempfile.gettempdir())
    mounts = [*base, *private]
    mounts += _import_mounts(mounts, {mount.destination for mount in private}, sandbox, scratch)
    for number, path in enumerate(project_directories(sandbox.project)):
        if sandbox.overlay and not mounts_below(path):
            mounts.append(copy_on_write(path, f"{scratch}/project{number}"))
        else:
            mounts.append(read_only(path))
    mounts += [writable(path) for path in (*sandbox.shared, *sandbox.writable)]
    return Layout(entries=tuple(entries), mounts=in_order(mounts))


def _generated_root(
    sandbox: Sandbox, identity: Identity, scratch: str
) -> tuple[list[Mount], list[Entry]]:
    entries = [
        *system_entries(),
        *etc_entries(identity, sandbox.hostname, host_network=sandbox.network == "host"),
    ]
    mounts = [
        *system_mounts(scratch=scratch, changeable=sandbox.root and sandbox.overlay),
        *etc_mounts(),
    ]
    return mounts, entries


def _import_mounts(
    others: list[Mount], private: set[str], sandbox: Sandbox, scratch: str
) -> list[Mount]:
    """Return the mounts of what the interpreter imports from.

    Some people import from their home or from /tmp itself, which have to stay writable all the same.
    """
    taken = {mount.destination for mount in others}
    mounts = []
    for number, path in enumerate(interpreter_paths()):
        if sandbox.rootfs and path in _OF_ROOTFS:
            continue
        if path in private and sandbox.overlay:
            mounts.append(copy_on_write(path, f"{scratch}/import{number}"))
        elif path not in taken:
            mounts.append(read_only(path))
    return mounts


def project_directories(paths: tuple[str, ...]) -> list[str]:
    """Return *paths* without those inside another, and without those that would be the sandbox's own."""
    found: list[str] = []
    for path in sorted({os.path.realpath(p) for p in paths}):
        if path in OWN_DIRECTORIES or any(path.startswith(outer + "/") for outer in found):
            continue
        found.append(path)
    return found


def readonly_projects(sandbox: Sandbox) -> list[str]:
    """Return, as sentences, which project directories can only be shown read-only here, and why."""
    said = []
    for path in project_directories(sandbox.project):
        if not sandbox.overlay:
            said.append(f"{path} is read-only inside: there is no overlay for user namespaces here")
        elif mounts_below(path):
            said.append(
                f"{path} is read-only inside: {mounts_below(path)[0]} is a mount of its own"
            )
    return said


def _effective() -> int:
    return capget()[0]


def _may(name: str) -> bool:
    return bool(_effective() & 1 << capabilities.NUMBERS[name])


def _mappings(inside: int, outside: int, kind: str) -> tuple[IdMapping, ...]:
    """Return the id maps: everything that a privileged caller has, one's own id otherwise."""
    if not _may("CAP_SETUID") or not _may("CAP_SETGID"):
        return (IdMapping(container_id=inside, host_id=outside, size=1),)
    # Every id that exists out here is itself in there.
    return tuple(
        IdMapping(container_id=first, host_id=first, size=size) for first, size in _own_ids(kind)
    )


def _own_ids(kind: str) -> list[tuple[int, int]]:
    """Return the ranges of ids that exist in the caller's user namespace, as (first, size)."""
    with open(f"/proc/self/{kind}_map", encoding="utf-8") as file:
        return [(int(first), int(size)) for first, _parent, size in map(str.split, file)]


def _capabilities(sandbox: Sandbox) -> tuple[str, ...]:
    """Return the capabilities inside: all, save those over files that the caller lacks outside."""
    held = _effective()
    return tuple(
        name
        for name in capabilities.NAMES
        if sandbox.root or name not in capabilities.DAC or held & 1 << capabilities.NUMBERS[name]
    )


def _umask() -> int:
    # Reading it by os.umask would change it for a moment, for every thread.
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1], 8) for line in file if line.startswith("Umask:"))


def _additional_gids(sandbox: Sandbox) -> tuple[int, ...]:
    if not _may("CAP_SETGID") or sandbox.root or _are_groups_denied():
        return ()
    ids = _own_ids("gid")
    # The others, of which only the overflow id is shown, cannot be set.
    return tuple(
        gid for gid in os.getgroups() if any(first <= gid < first + size for first, size in ids)
    )


def _are_groups_denied() -> bool:
    """Tell whether nobody in the caller's user namespace can set groups: nor in one that is made in there."""
    with open("/proc/self/setgroups", encoding="utf-8") as file:
        return file.read().strip() == "deny"
