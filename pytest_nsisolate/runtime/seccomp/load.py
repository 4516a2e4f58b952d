"""Putting the filter in force, and telling the listener."""

from __future__ import annotations

import os

from .. import syscalls_seccomp as sys
from ..errors import KernelCallError, SetupError
from ..plan import SPEC_VERSION
from .compile import compile_profile
from .records import FLAGS, Seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_STEP = "seccomp"
#: In the container process state, until the pid is known; no pid has so many digits.
_PID = 10**18
#: The version of the container process state, which is as old as this: so it is in config-linux.md's example
#: (runtime-spec 1.1), and so crun sends it.
_VERSION = "0.2.0"


class Filter:
    """A compiled filter, and the connection to its listener: made in the launcher, loaded in init.

    *socket_fd* is the connection, or -1.
    """

    def __init__(self, profile: Seccomp, state: Mapping[str, object]) -> None:
        self._code = compile_profile(profile)
        self._notified = profile.notified
        self._flags = 0
        for flag in profile.flags:
            self._flags |= FLAGS[flag]
        self._message = ""
        self.socket_fd = _connect(profile)
        if self.socket_fd >= 0:
            # One thread needs no synchronising, which the kernel would want to report differently.
            self._flags = self._flags & ~sys.SECCOMP_FILTER_FLAG_TSYNC
            self._flags |= sys.SECCOMP_FILTER_FLAG_NEW_LISTENER
            self._message = _process_state(profile, state)
        else:
            # Without a listener nobody waits, and the kernel refuses the flag.
            self._flags &= ~sys.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

    def note_pid(self, proc_fd: int) -> None:
        """Note our pid as the runtime sees it; *proc_fd* is its /proc."""
        if self._message:
            pid = os.readlink("self", dir_fd=proc_fd)
            self._message = self._message.replace(str(_PID), pid)

    def close(self) -> None:
        """Close the launcher's copy of the connection."""
        if self.socket_fd >= 0:
            os.close(self.socket_fd)
            self.socket_fd = -1

    def load(self) -> None:
        """Put the filter in force for this process.

        Between that and the listener's being told, no call may be made that it is to be asked about.
        """
        message = sys.DescriptorMessage(self._message.encode())
        try:
            listener_fd = sys.seccomp_set_mode_filter(self._flags, self._code)
        except KernelCallError as error:
            hint = ""
            if error.errno == 13:
                hint = "without CAP_SYS_ADMIN a filter needs process.noNewPrivileges"
            raise SetupError(_STEP, error.call, error.errno or 0, hint) from error
        if self.socket_fd >= 0:
            self._tell(message, listener_fd)

    def _tell(self, message: sys.DescriptorMessage, listener_fd: int) -> None:
        send = message.sendmmsg if "sendmsg" in self._notified else message.sendmsg
        try:
            send(self.socket_fd, listener_fd)
        except KernelCallError as error:
            call = f"send the descriptor to linux.seccomp.listenerPath: {error.call}"
            raise SetupError(_STEP, call, error.errno or 0) from error
        try:
            os.close(
                self.socket_fd
            )  # the listener may wait for the end; its own descriptor goes with execve
        except OSError:
            pass  # as the profile has it


def _connect(profile: Seccomp) -> int:
    """Return a connection to the listener, or -1 where there is none, and none is needed.

    It is told of any filter, as with crun; but one that asks it nothing does not depend on it.
    """
    import _socket

    if not profile.listener_path:
        return -1
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(profile.listener_path)
    except OSError as error:
        connection.close()
        if not profile.notified:
            return -1
        call = f"failed to connect with seccomp agent at linux.seccomp.listenerPath {profile.listener_path!r}"
        raise SetupError(_STEP, call, error.errno or 0) from error
    fd = connection.detach()
    os.set_inheritable(fd, False)
    return fd


def _process_state(profile: Seccomp, state: Mapping[str, object]) -> str:
    """Return the container process state (config-linux.md), with a stand-in for the pid."""
    import json

    process: dict[str, object] = {"ociVersion": _VERSION, "fds": ["seccompFd"], "pid": _PID}
    if profile.listener_metadata:
        process["metadata"] = profile.listener_metadata
    process["state"] = {"ociVersion": SPEC_VERSION, "status": "creating", "pid": _PID, **state}
    return json.dumps(process)
