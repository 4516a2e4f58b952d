"""The things to try: each is a function that raises what refuses it."""

from __future__ import annotations

import os

from .. import namespaces
from .. import syscalls as sys
from ..errors import SetupError, UnsupportedError
from ..mounts.pivot import pivot
from ..plan import IdMapping
from ..record import Record
from ..resources import Cpu, Memory, Resources
from .maps import subordinate_maps
from .trial import attempt, in_user_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: What a check is needed for, where isolated tests do without.
TESTS = "isolated tests"


class Check(Record):
    """One thing to try. *needed_for* is TESTS, or what is not to be had without it."""

    name: str
    needed_for: str
    action: Callable[[], object]
    after: str = "user namespace"


def _nothing() -> None:
    pass


def _user_namespace() -> None:
    namespaces.unshare(sys.CLONE_NEWUSER)


def _namespace(flag: int) -> Callable[[], None]:
    return lambda: in_user_namespace(flag, _nothing)


def _nested() -> None:
    # As deep as a container of the factory's: factory/__init__.py.
    in_user_namespace(0, lambda: in_user_namespace(0, lambda: in_user_namespace(0, _nothing)))


def _with_mounts(action: Callable[[], object], more: int = 0) -> None:
    def inside() -> None:
        sys.mount("", "/", flags=sys.MS_REC | sys.MS_PRIVATE)
        action()

    in_user_namespace(sys.CLONE_NEWNS | more, inside)


def _new_tmpfs() -> str:
    # Any directory that can be covered: what is on it is needed by nobody here.
    place = "/tmp" if os.path.isdir("/tmp") else "/dev"
    sys.mount("tmpfs", place, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "mode=0755,size=1m")
    return place


def _tmpfs() -> None:
    _with_mounts(_new_tmpfs)


def _proc() -> None:
    def mount() -> None:
        place = _new_tmpfs()
        sys.mount("proc", place, "proc", sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC)

    _with_mounts(mount, sys.CLONE_NEWPID)


def _copied_mounts() -> None:
    def copy() -> None:
        place = _new_tmpfs()
        flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_RECURSIVE
        fd = sys.open_tree(sys.AT_FDCWD, "/usr", flags)
        recursive = sys.AT_EMPTY_PATH | sys.AT_RECURSIVE
        sys.mount_setattr(fd, "", recursive, sys.MOUNT_ATTR_RDONLY, 0)
        os.mkdir(f"{place}/usr")
        sys.move_mount(fd, "", sys.AT_FDCWD, f"{place}/usr", sys.MOVE_MOUNT_F_EMPTY_PATH)

    _with_mounts(copy)


def _pivot_root() -> None:
    def move() -> None:
        fd = os.open(_new_tmpfs(), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        pivot(fd)

    _with_mounts(move)


def _overlay() -> None:
    def mount() -> None:
        place = _new_tmpfs()
        for name in ("upper", "work", "merged"):
            os.mkdir(f"{place}/{name}")
        layers = f"lowerdir=/usr,upperdir={place}/upper,workdir={place}/work,userxattr"
        sys.mount("overlay", f"{place}/merged", "overlay", 0, layers)

    _with_mounts(mount)


def _pidfd() -> None:
    def join() -> None:
        sys.setns(os.pidfd_open(os.getppid()), sys.CLONE_NEWUTS)

    in_user_namespace(sys.CLONE_NEWUTS, lambda: _in_child(join))


def _in_child(action: Callable[[], object]) -> None:
    refusal = attempt(action)
    if refusal is not None:
        raise SetupError("trial", refusal.call, refusal.errno, refusal.hint)


def _limit(resources: Resources) -> Callable[[], None]:
    def limit() -> None:
        from ..cgroups.removal import remove
        from ..cgroups.series import Series

        series = Series(f"nsisolate-doctor-{os.getpid()}")
        try:
            cgroup = series.open(resources)
            try:
                _in_child(cgroup.join)
            finally:
                remove(cgroup)
        finally:
            series.sweep()

    return limit


def _process_limit() -> None:
    from ..process_limit import counts_processes

    if not counts_processes():
        raise UnsupportedError("RLIMIT_NPROC does not count per user namespace for this caller")


def _ranges_of_ids() -> None:
    in_user_namespace(0, _nothing, subordinate_maps)


def _seccomp() -> None:
    from ..syscalls_seccomp import SECCOMP_FILTER_FLAG_TSYNC, seccomp_knows_flag

    if not seccomp_knows_flag(SECCOMP_FILTER_FLAG_TSYNC):
        raise UnsupportedError("this kernel takes no seccomp filters")


def _seccomp_binding() -> None:
    from ..seccomp.compile import known_architectures

    known_architectures()


def _id_mapped_mount() -> None:
    from ..mounts.host_binds import map_one
    from ..plan import Mount

    ids = (IdMapping(container_id=0, host_id=1000, size=1000),)
    mount = Mount(destination="/mnt", source="/usr", options=("bind", "idmap"))
    os.close(map_one(mount, ids, ids))


def _of_namespace(name: str, flag: int, needed_for: str = TESTS) -> Check:
    action = _namespace(flag)
    return Check(name=f"{name} namespace", needed_for=needed_for, action=action, after=_MAPS)


_MAPS = "id maps"
_MOUNTS = "mount namespace"
_MIB = 1 << 20
_LIMITS = {
    "memory": Resources(memory=Memory(limit=64 * _MIB)),
    "pids": Resources(pids_limit=64),
    "cpu": Resources(cpu=Cpu(quota=50_000, period=100_000)),
}

CHECKS = (
    Check(name="user namespace", needed_for=TESTS, action=_user_namespace, after=""),
    Check(name=_MAPS, needed_for=TESTS, action=_namespace(0)),
    Check(name="nested user namespaces", needed_for=TESTS, action=_nested, after=_MAPS),
    _of_namespace("mount", sys.CLONE_NEWNS),
    _of_namespace("pid", sys.CLONE_NEWPID),
    _of_namespace("uts", sys.CLONE_NEWUTS),
    _of_namespace("ipc", sys.CLONE_NEWIPC),
    _of_namespace("cgroup", sys.CLONE_NEWCGROUP),
    Check(name="mount a tmpfs", needed_for=TESTS, action=_tmpfs, after=_MOUNTS),
    Check(name="mount /proc", needed_for=TESTS, action=_proc, after="mount a tmpfs"),
    Check(name="copy mounts", needed_for=TESTS, action=_copied_mounts, after="mount a tmpfs"),
    Check(name="pivot_root", needed_for=TESTS, action=_pivot_root, after="mount a tmpfs"),
    Check(name="setns by pidfd", needed_for=TESTS, action=_pidfd, after="uts namespace"),
    Check(
        name="overlay",
        needed_for="changes of the project inside, root=True",
        action=_overlay,
        after="mount a tmpfs",
    ),
    _of_namespace("network", sys.CLONE_NEWNET, 'network="none"'),
    _of_namespace("time", sys.CLONE_NEWTIME, "linux.timeOffsets of a bundle"),
    *(
        Check(name=f"limit of {name}", needed_for=f"{name}=", action=_limit(limit), after="")
        for name, limit in _LIMITS.items()
    ),
    Check(
        name="limit of pids without a cgroup",
        needed_for="pids=, where there is no cgroup for it",
        action=_process_limit,
    ),
    Check(
        name="ranges of ids",
        needed_for="bundles with more than one uid and gid",
        action=_ranges_of_ids,
    ),
    Check(name="id-mapped mounts", needed_for="idmap of a bundle", action=_id_mapped_mount),
    Check(name="seccomp", needed_for="linux.seccomp of a bundle", action=_seccomp, after=""),
    Check(
        name="libseccomp",
        needed_for="linux.seccomp of a bundle",
        action=_seccomp_binding,
        after="",
    ),
)
