"""The kernel's key rings (keyrings(7)), beside :mod:`.syscalls`."""

from __future__ import annotations

import errno
import os

from .errors import KernelCallError
from .libc import c_char_p, c_int, c_long
from .syscalls import _fail, _libc

_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219}
_KEYCTL_JOIN_SESSION_KEYRING = 1


def keyctl_join_session_keyring(name: str | None) -> None:
    """Join the session keyring *name*, or create it: keyctl(2), KEYCTL_JOIN_SESSION_KEYRING.

    With None it is a new one without a name, which nobody else can join.
    """
    number = _SYS_KEYCTL.get(os.uname().machine)
    if number is None:
        raise KernelCallError(errno.ENOSYS, f"keyctl on {os.uname().machine}")
    label = c_char_p(None if name is None else os.fsencode(name))
    operation = c_int(_KEYCTL_JOIN_SESSION_KEYRING)
    if _libc.syscall(c_long(number), operation, label) < 0:
        _fail(f"keyctl(KEYCTL_JOIN_SESSION_KEYRING, {name!r})")
