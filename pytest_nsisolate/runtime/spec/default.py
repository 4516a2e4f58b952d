"""The plan that ``nsisolate spec`` writes: a shell in ``rootfs``, contained as runc and crun would."""

from __future__ import annotations

import os

from ..plan import (
    DEFAULT_MASKED_PATHS,
    DEFAULT_READONLY_PATHS,
    Capabilities,
    IdMapping,
    Mount,
    Namespace,
    Plan,
    Process,
    Rlimit,
    Root,
)
from ..resources import DeviceRule, Resources

_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")

_PROC = Mount(destination="/proc", type="proc", source="proc")
_DEV = Mount(
    destination="/dev",
    type="tmpfs",
    source="tmpfs",
    options=("nosuid", "strictatime", "mode=755", "size=65536k"),
)
_SHM = Mount(
    destination="/dev/shm",
    type="tmpfs",
    source="shm",
    options=("nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
)
_MQUEUE = Mount(
    destination="/dev/mqueue",
    type="mqueue",
    source="mqueue",
    options=("nosuid", "noexec", "nodev"),
)
_SYS = Mount(
    destination="/sys",
    type="sysfs",
    source="sysfs",
    options=("nosuid", "noexec", "nodev", "ro"),
)
_CGROUP = Mount(
    destination="/sys/fs/cgroup",
    type="cgroup",
    source="cgroup",
    options=("nosuid", "noexec", "nodev", "relatime", "ro"),
)
_HOST_SYS = Mount(
    destination="/sys",
    type="none",
    source="/sys",
    options=("rbind", "nosuid", "noexec", "nodev", "rro"),
)


def _pts(*options: str) -> Mount:
    return Mount(
        destination="/dev/pts",
        type="devpts",
        source="devpts",
        options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", *options),
    )


def _namespaces(*types: str) -> tuple[Namespace, ...]:
    """Return them, and a cgroup namespace where cgroup v2 is all there is, as runc and crun have it."""
    more = ("cgroup",) if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else ()
    return tuple(Namespace(type=kind) for kind in (*types, *more))


def default_plan(*, rootless: bool) -> Plan:
    """Return the default plan; *rootless* for a caller without privileges.

    Without privileges there is a user namespace that maps root to the caller, the network is the
    host's (so /sys has to be the host's too), no group 5 for the terminals, and no rule for devices.
    """
    caps = _CAPABILITIES
    process = Process(
        args=("sh",),
        env=(
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TERM=xterm",
        ),
        terminal=True,
        capabilities=Capabilities(bounding=caps, effective=caps, permitted=caps),
        no_new_privileges=True,
        rlimits=(Rlimit(type="RLIMIT_NOFILE", soft=1024, hard=1024),),
    )
    plan = Plan(
        root=Root(path="rootfs", readonly=True),
        process=process,
        hostname="nsisolate",
        mounts=(_PROC, _DEV, _pts("gid=5"), _SHM, _MQUEUE, _SYS, _CGROUP),
        namespaces=_namespaces("pid", "network", "ipc", "uts", "mount"),
        masked_paths=DEFAULT_MASKED_PATHS,
        readonly_paths=DEFAULT_READONLY_PATHS,
        resources=Resources(devices=(DeviceRule(allow=False),)),
    )
    if not rootless:
        return plan
    return plan.replace(
        resources=None,
        mounts=(_PROC, _DEV, _pts(), _SHM, _MQUEUE, _HOST_SYS),
        namespaces=_namespaces("pid", "ipc", "uts", "mount", "user"),
        uid_mappings=(IdMapping(container_id=0, host_id=os.geteuid(), size=1),),
        gid_mappings=(IdMapping(container_id=0, host_id=os.getegid(), size=1),),
    )
