"""The plan: everything that a container is, as frozen data, before anything happens.

Names are the runtime-spec's, in snake case; a plan is what :mod:`.spec` makes of ``config.json``
and can be written back as one. There is no I/O here.
"""

from __future__ import annotations

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .execution.records import (
        CpuAffinity,
        IntelRdt,
        IoPriority,
        MemoryPolicy,
        NetDevice,
        Personality,
        Scheduler,
    )
    from .resources import Resources
    from .seccomp.records import Seccomp

#: The version of the runtime-spec that these names are of.
SPEC_VERSION = "1.3.0"
#: The version that a plan is written with, unless it was read with another: the lowest whose readers know
#: what we write. Runtimes refuse what is newer than they are, and crun 1.8 (Debian 12) stops at 1.0.
WRITTEN_VERSION = "1.0.2"

#: The namespace types of config-linux.md, in the order in which they have to be entered:
#: the user namespace first, because its capabilities are needed for the rest, mount last,
#: because the paths of the others are resolved in the caller's mount namespace.
NAMESPACE_TYPES = ("user", "cgroup", "ipc", "uts", "network", "pid", "time", "mount")

#: Default masks (the runtime-spec's example, and what runc and crun write).
DEFAULT_MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
DEFAULT_READONLY_PATHS = (
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)


class IdMapping(Record):
    """``size`` ids from ``container_id`` on, inside, are those from ``host_id`` on, outside."""

    container_id: int
    host_id: int
    size: int


class Namespace(Record):
    """A namespace to create, or, when *path* is given, to join."""

    type: str
    path: str = ""


class Mount(Record):
    """One entry of ``mounts``; *options* are as in the spec, unparsed."""

    destination: str
    source: str = ""
    type: str = ""
    options: tuple[str, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()


class Device(Record):
    """A device node: *type* is ``c``, ``b``, ``u`` or ``p``."""

    type: str
    path: str
    major: int = 0
    minor: int = 0
    file_mode: int = 0o666
    uid: int = 0
    gid: int = 0


class Root(Record):
    """The root file system: an absolute host path, and whether it is mounted read-only."""

    path: str
    readonly: bool = False


class Rlimit(Record):
    """A POSIX resource limit, by the name that ``getrlimit(2)`` gives it."""

    type: str
    soft: int
    hard: int


class Capabilities(Record):
    """The five sets, as names (``CAP_CHOWN``)."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class User(Record):
    """Ids inside the container; *umask* None keeps the runtime's default of 0o022.

    *keep_groups*: the caller's supplementary groups stay, as crun's annotation asks for.
    """

    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()
    keep_groups: bool = False


class ConsoleSize(Record):
    """The terminal's size in characters."""

    height: int
    width: int


class Process(Record):
    """The container process."""

    args: tuple[str, ...]
    cwd: str = "/"
    env: tuple[str, ...] = ()
    user: User = User()
    terminal: bool = False
    console_size: ConsoleSize | None = None
    capabilities: Capabilities | None = None
    no_new_privileges: bool = False
    rlimits: tuple[Rlimit, ...] = ()
    oom_score_adj: int | None = None
    scheduler: Scheduler | None = None
    io_priority: IoPriority | None = None
    exec_cpu_affinity: CpuAffinity | None = None
    apparmor_profile: str = ""
    selinux_label: str = ""


#: Of a container that is created without one, and so cannot be started.
NO_PROCESS = Process(args=())


class Hook(Record):
    """A program that the runtime calls; *timeout* in seconds, None for as long as it takes."""

    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


class Hooks(Record):
    """The six kinds of hooks, each in the order in which they are called."""

    prestart: tuple[Hook, ...] = ()
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


class TimeOffset(Record):
    """What a time namespace adds to a clock."""

    clock: str
    secs: int = 0
    nanosecs: int = 0


class Plan(Record):
    """A container, whole. *process* None: the payload is not a program but a callable."""

    root: Root
    namespaces: tuple[Namespace, ...] = ()
    process: Process | None = None
    hostname: str | None = None
    domainname: str | None = None
    mounts: tuple[Mount, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    time_offsets: tuple[TimeOffset, ...] = ()
    devices: tuple[Device, ...] = ()
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    rootfs_propagation: str = ""
    sysctl: tuple[tuple[str, str], ...] = ()
    cgroups_path: str = ""
    resources: Resources | None = None
    seccomp: Seccomp | None = None
    personality: Personality | None = None
    memory_policy: MemoryPolicy | None = None
    mount_label: str = ""
    intel_rdt: IntelRdt | None = None
    net_devices: tuple[NetDevice, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    hooks: Hooks = Hooks()
    oci_version: str = WRITTEN_VERSION

    def is_older_than(self, major: int, minor: int) -> bool:
        """Tell whether the config was written for an earlier version of the spec."""
        own = self.oci_version.split(".")
        return (int(own[0]), int(own[1])) < (major, minor)

    def creates(self, namespace: str) -> bool:
        """Tell whether a new namespace of that type is made."""
        return any(ns.type == namespace and not ns.path for ns in self.namespaces)

    def has(self, namespace: str) -> bool:
        """Tell whether a namespace of that type is made or joined."""
        return any(ns.type == namespace for ns in self.namespaces)
