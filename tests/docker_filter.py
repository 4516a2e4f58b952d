"""Runs a command line under a seccomp filter like Docker's default one: no namespaces, no mounts, no clone3.

``python docker_filter.py COMMAND ...``; it takes the calls that matter here from the profile, and returns the
errnos that it returns.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

from pytest_nsisolate.runtime import syscalls
from pytest_nsisolate.runtime.syscalls_seccomp import seccomp_set_mode_filter

_NAMESPACES = 0x7E020000
_NUMBERS = {
    "x86_64": {
        "unshare": 272,
        "setns": 308,
        "mount": 165,
        "umount2": 166,
        "pivot_root": 155,
        "clone": 56,
    },
    "aarch64": {
        "unshare": 97,
        "setns": 268,
        "mount": 40,
        "umount2": 39,
        "pivot_root": 41,
        "clone": 220,
    },
}
_EVERYWHERE = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "mount_setattr": 442}
_CLONE3 = 435
_LOAD, _IS, _HAS_ANY, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


def program(machine: str) -> bytes:
    """Return the filter's instructions."""
    numbers = dict(_NUMBERS[machine])
    clone = numbers.pop("clone")
    lines = [(_LOAD, 0, 0, 0)]
    for number in [*numbers.values(), *_EVERYWHERE.values()]:
        lines += [(_IS, 0, 1, number), (_RETURN, 0, 0, _FAIL | errno.EPERM)]
    lines += [(_IS, 0, 1, _CLONE3), (_RETURN, 0, 0, _FAIL | errno.ENOSYS)]
    # The flags are the first argument, which is at 16 in struct seccomp_data.
    lines += [(_IS, 0, 3, clone), (_LOAD, 0, 0, 16), (_HAS_ANY, 0, 1, _NAMESPACES)]
    lines += [(_RETURN, 0, 0, _FAIL | errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


if __name__ == "__main__":
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1, name="PR_SET_NO_NEW_PRIVS, 1")
    seccomp_set_mode_filter(0, program(os.uname().machine))
    os.execvp(sys.argv[1], sys.argv[1:])
