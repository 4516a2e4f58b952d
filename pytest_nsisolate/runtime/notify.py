"""Telling systemd that a container is ready: sd_notify(3), through the runtime that systemd has started.

::

    container process ── ROOT/ID/notify/notify ──> runtime ── $NOTIFY_SOCKET ──> service manager

The directory is bound, read-only, to where the service manager's socket is outside, so that whoever knows the
path finds it there; the socket in it is the runtime's, who passes on what a container may say.
"""

from __future__ import annotations

import _socket
import os
import select

from .errors import LifecycleError
from .gate import ShortPath
from .plan import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plan import Plan

NAME = "notify"
_DEFAULT_PLACE = "/run/nsisolate-notify"
#: Not MAINPID and the like: the container's pids are not those of the service manager, and its main process,
#: as long as there is one, is the runtime's.
_PASSED_ON = (
    b"READY=",
    b"RELOADING=",
    b"STOPPING=",
    b"STATUS=",
    b"ERRNO=",
    b"WATCHDOG=",
    b"EXTEND_TIMEOUT_USEC=",
    b"MONOTONIC_USEC=",
)
_LIMIT = 65536


def with_notify(plan: Plan, directory: str, address: str) -> Plan:
    """Return the plan of a container, with its state in *directory*, that may notify."""
    process = plan.process
    assert process is not None, "the caller has looked"
    place = address if address.startswith("/") else _DEFAULT_PLACE
    env = [entry for entry in process.env if not entry.startswith("NOTIFY_SOCKET=")]
    mount = Mount(
        destination=place,
        source=f"{directory}/{NAME}",
        options=("bind", "ro", "nosuid", "nodev", "noexec"),
    )
    return plan.replace(
        process=process.replace(env=(*env, f"NOTIFY_SOCKET={place}/{NAME}")),
        mounts=(*plan.mounts, mount),
    )


def make_directory(directory: str) -> None:
    """Make what is bound; whoever the container's user is may look into it."""
    path = f"{directory}/{NAME}"
    os.mkdir(path)
    os.chmod(path, 0o755)


class Relay:
    """The socket that the container writes to; *address* is the service manager's."""

    def __init__(self, directory: str, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
        path = f"{directory}/{NAME}"
        try:
            with ShortPath(path) as short:
                try:
                    os.unlink(f"{short}/{NAME}")  # of a start that has failed
                except FileNotFoundError:
                    pass
                self._socket.bind(f"{short}/{NAME}")
                os.chmod(f"{short}/{NAME}", 0o666)
        except OSError as error:
            raise LifecycleError(
                f"cannot make the notify socket in {path!r}: {error.strerror}"
            ) from None
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """Return the fd, to wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket; the container is not heard any more."""
        self._socket.close()

    def pass_on(self, main_pid: int = 0) -> bool:
        """Pass on what has come; True once the container has said that it is ready.

        *main_pid* is what the service manager is to watch from then on, if the runtime is about to exit.
        """
        ready = False
        while True:
            try:
                message = self._socket.recv(_LIMIT)
            except BlockingIOError:
                return ready
            lines = [line for line in message.split(b"\n") if line.startswith(_PASSED_ON)]
            if b"READY=1" in lines:
                ready = True
                if main_pid:
                    lines.insert(0, b"MAINPID=%d" % main_pid)
            if lines:
                self._send(b"\n".join(lines))

    def wait_until_ready(self, pid: int, pidfd: int) -> None:
        """Pass on until the container is ready, or has ended."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        while True:
            events = poll.poll()
            if self.pass_on(pid) or any(fd == pidfd for fd, _events in events):
                return

    def _send(self, message: bytes) -> None:
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
        try:
            sock.sendto(message, self._address)
        except OSError:
            pass  # the service manager has gone: there is nobody to tell
        finally:
            sock.close()
