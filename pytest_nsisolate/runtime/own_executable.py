"""Letting go of the interpreter that we run in, so that a container cannot write to it (CVE-2019-5736).

A container's program may be ``/proc/self/exe``, by whatever detour (a symlink, the first line of a script):
that is then our interpreter, on the host's own mount, and whoever owns it in there can write to the host's
file, or change its mode. The same goes for ``/proc/PID/exe`` of a process of ours that a container sees.

runc copies itself and executes the copy; for an interpreter that would cost its start-up a second time.
So the process goes on as it is, and only what the kernel knows of it changes: its memory is exchanged
for the same without the file, segment by segment, and then ``/proc/self/exe`` made an empty file that nobody
can write to (PR_SET_MM of prctl(2), which is for checkpoints and takes CAP_SYS_ADMIN in our user namespace).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from . import syscalls as sys
from .errors import KernelCallError, SetupError
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .plan import IdMapping, Plan

_STEP = "interpreter"
_HINT = (
    "the container's root could write to the Python interpreter of the runtime: use a user namespace in "
    "which its owner has no id, or an interpreter of another owner"
)
#: A static interpreter's own state is larger; a launcher of a shared one's has nothing that changes.
_NO_STATE = 65536
#: Of the fields of /proc/PID/stat (proc(5)), counted from 1.
_STAT_FIELDS = {
    "start_code": 26,
    "end_code": 27,
    "start_stack": 28,
    "start_data": 45,
    "end_data": 46,
    "start_brk": 47,
    "arg_start": 48,
    "arg_end": 49,
    "env_start": 50,
    "env_end": 51,
}
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Segment(Record):
    """A part of our memory that is backed by our file, from *offset* on; *constant*: as it is there."""

    start: int
    length: int
    prot: int
    offset: int
    constant: bool


class Interpreter(Record):
    """What was found out of ourselves while /proc was the host's.

    *file_fd* is our file by a mount of its own, or -1; *empty_fd* the file that is to take its place.
    """

    segments: tuple[Segment, ...]
    fields: tuple[tuple[str, int], ...]
    file_fd: int
    empty_fd: int


def note(plan: Plan) -> Interpreter | None:
    """Look at ourselves, before any namespace is entered; None if the container cannot write to us."""
    try:
        found = os.stat("/proc/self/exe")
    except OSError:
        return None  # no /proc, which everything else needs more than this
    if not _can_write(found, plan):
        return None
    from . import syscalls_memory  # noqa: F401 - now: later there may be no Python, or a hostile one

    with open("/proc/self/stat", encoding="utf-8") as file:
        words = file.read().rpartition(")")[2].split()
    return Interpreter(
        segments=_segments(os.readlink("/proc/self/exe")),
        fields=tuple((name, int(words[number - 3])) for name, number in _STAT_FIELDS.items()),
        file_fd=_open_apart(),
        empty_fd=_empty_file(),
    )


def _can_write(found: os.stat_result, plan: Plan) -> bool:
    if found.st_mode & stat.S_IWOTH or not plan.creates("user"):
        # Without a user namespace it is root who asks; of one that is joined the maps are not known.
        return True
    return _has(plan.uid_mappings, found.st_uid) or (
        bool(found.st_mode & stat.S_IWGRP) and _has(plan.gid_mappings, found.st_gid)
    )


def _has(mappings: Sequence[IdMapping], host_id: int) -> bool:
    return any(m.host_id <= host_id < m.host_id + m.size for m in mappings)


def _segments(name: str) -> tuple[Segment, ...]:
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.rstrip("\n").split(None, 5) for line in file]
    bits = {"r": 1, "w": 2, "x": 4}
    found: list[Segment] = []
    for line in lines:
        if len(line) < 6 or line[5] != name:
            continue
        start, end = (int(text, 16) for text in line[0].split("-"))
        prot = sum(bits.get(letter, 0) for letter in line[1])
        found.append(
            Segment(
                start=start,
                length=end - start,
                prot=prot,
                offset=int(line[2], 16),
                constant=not prot & 2,
            )
        )
    # What lies right before the data and is read-only now was written to by the dynamic linker (RELRO).
    return tuple(
        segment.replace(constant=False)
        if any(other.prot & 2 and other.start == segment.start + segment.length for other in found)
        else segment
        for segment in found
    )


def _open_apart() -> int:
    """Open our file by a read-only mount of its own, which is another path to the kernel."""
    flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC
    try:
        tree_fd = sys.open_tree(sys.AT_FDCWD, "/proc/self/exe", flags)
    except KernelCallError:
        return -1  # it takes root; without, there are copies
    try:
        sys.mount_setattr(tree_fd, "", sys.AT_EMPTY_PATH, sys.MOUNT_ATTR_RDONLY, 0)
        return os.open(f"/proc/self/fd/{tree_fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    finally:
        os.close(tree_fd)


def let_go(ourselves: Interpreter | None) -> None:
    """Make of this process one whose executable leads nowhere. Raises SetupError.

    It has to have all capabilities in its user namespace, and only one thread.
    """
    if ourselves is None:
        return
    from . import syscalls_memory as memory

    try:
        for segment in ourselves.segments:
            _exchange(segment, ourselves.file_fd)
        noted = memory.MemoryMap(exe_fd=ourselves.empty_fd, **dict(ourselves.fields))
        memory.set_memory_map(noted)
    except KernelCallError as error:
        raise SetupError(_STEP, error.call, error.errno or 0, _HINT) from error
    finally:
        os.close(ourselves.empty_fd)
        if ourselves.file_fd >= 0:
            os.close(ourselves.file_fd)


def _exchange(segment: Segment, file_fd: int) -> None:
    from . import syscalls_memory as memory

    start, length, prot = segment.start, segment.length, segment.prot
    if segment.constant and file_fd >= 0:
        memory.map_file(start, length, prot, file_fd, segment.offset)
    elif not prot & memory.PROT_WRITE:
        memory.copy_constant(start, length, prot)
    elif memory.can_switch_contexts():
        memory.copy_at_once(start, length)
    elif length <= _NO_STATE:
        memory.copy_simply(start, length)
    else:
        raise SetupError(_STEP, "makecontext: not in this C library", errno.ENOSYS, _HINT)


def _empty_file() -> int:
    """Return an fd of a file that may be executed, is empty, and stays so."""
    try:
        made = os.memfd_create("nsisolate", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.fchmod(made, 0o555)
            fcntl.fcntl(made, fcntl.F_ADD_SEALS, _SEALS)
            # Open for writing, it could not be executed.
            return os.open(f"/proc/self/fd/{made}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(made)
    except OSError as error:
        raise SetupError(_STEP, "memfd_create", error.errno or 0, _HINT) from error
