"""Doing something in a throw-away child, to see whether it works."""

from __future__ import annotations

import _signal
import json
import os
import select

from .. import namespaces
from .. import syscalls as sys
from ..errors import NsisolateError, SetupError, explain
from ..record import Record
from .maps import own_maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from .maps import Maps

#: Seconds after which something that hangs is taken for not working.
_PATIENCE = 20.0


class Refusal(Record):
    """The call that failed, as written, the errno or 0, and what else was said."""

    call: str
    errno: int = 0
    hint: str = ""

    def __str__(self) -> str:
        """Return ``call: EPERM: Operation not permitted``."""
        return f"{self.call}: {explain(self.errno)}" if self.errno else self.call


def attempt(action: Callable[[], object]) -> Refusal | None:
    """Do *action* in a child process; return what refused it, or None."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_fd)
        _act(action, write_fd)
    os.close(write_fd)
    try:
        return _result(read_fd)
    finally:
        os.close(read_fd)
        os.kill(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)


def _act(action: Callable[[], object], write_fd: int) -> NoReturn:
    refusal: dict[str, object] | None = None
    try:
        action()
    except SetupError as error:
        refusal = {"call": error.call, "errno": error.errno, "hint": error.hint}
    except NsisolateError as error:
        refusal = {"call": str(error)}
    except OSError as error:
        call = getattr(error, "call", "") or f"{error.filename or 'a system call'}"
        refusal = {"call": call, "errno": error.errno or 0}
    except BaseException as error:
        refusal = {"call": f"{type(error).__name__}: {error}"}
    finally:
        os.write(write_fd, json.dumps(refusal).encode())
        os._exit(0)


def _result(read_fd: int) -> Refusal | None:
    if not select.select([read_fd], [], [], _PATIENCE)[0]:
        return Refusal(call=f"no answer within {_PATIENCE:g} s")
    text = os.read(read_fd, 65536)
    if not text:
        return Refusal(call="the process that tried it was killed")
    found = json.loads(text)
    return None if found is None else Refusal(**found)


def in_user_namespace(
    flags: int, action: Callable[[], object], maps: Callable[[], Maps] = own_maps
) -> None:
    """Do *action* in a new user namespace with *maps*, and with the namespaces of *flags*.

    The caller is a child that :func:`attempt` has made. Raises what refuses it.
    """
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()

    def inside() -> None:
        sys.prctl(sys.PR_SET_PDEATHSIG, _signal.SIGKILL, name="PR_SET_PDEATHSIG, SIGKILL")
        os.close(ready_read)
        os.close(go_write)
        namespaces.unshare(sys.CLONE_NEWUSER)
        os.write(ready_write, b"0")
        if not os.read(go_read, 1):
            os._exit(1)
        namespaces.unshare(flags)
        if not flags & sys.CLONE_NEWPID:
            action()
            return
        _raise(attempt(action))

    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_fd)
        _act(inside, write_fd)
    for fd in (write_fd, ready_write, go_read):
        os.close(fd)
    try:
        if os.read(ready_read, 1):
            namespaces.write_id_maps(pid, *maps())
            os.write(go_write, b"0")
        _raise(_result(read_fd))
    finally:
        os.kill(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)


def _raise(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise SetupError("trial", refusal.call, refusal.errno, refusal.hint)
