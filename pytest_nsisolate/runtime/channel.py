"""The channel between launcher and init.

::

    launcher                                init
        │                                     │ open the namespaces to join, join, unshare(user)
        │ <──────────────── WANT_MAPS ─────── │ (only with a new user namespace)
        │ ─── MAPS_WRITTEN ─────────────────> │ unshare the rest, fork into the pid namespace
        │ <──────────────── FORKED pid ────── │ the first process exits, its child goes on; this
        │                                     │ may come after what its child says
        │ <──────────────── TERMINAL + fd ─── │ (only with process.terminal)
        │ <──────────────── BUILT ─────────── │ (only with hooks for the runtime's namespaces) the root
        │ ─── HOOKS_DONE ───────────────────> │ is built; createContainer hooks, pivot_root
        │ <──────────────── READY ─────────── │ everything is done, the process has its privileges
        │ ─── GO ───────────────────────────> │ startContainer hooks, execve; or with a gate (gate.py)
        │ <──────────────── end of file ───── │ that first. execve closes the socket, and the gate too

    start                                   init, at the gate
        │ ─── connects, GO ─────────────────> │ startContainer hooks
        │ <──────────────── READY ─────────── │ execve; without READY, an end of file means that it has died
        │ <──────────────── end of file ───── │

At any point init may say FAILED (a step of the set-up) or EXEC_FAILED, and is gone. Every message is one
record of a SOCK_SEQPACKET socket: a type byte, then fields, each a 32-bit length and UTF-8 text.
Anything else, or anything out of order, is a :class:`ChannelError`.
"""

from __future__ import annotations

import _socket  # socket itself costs 6 ms to import
import os

from .errors import ChannelError, NsisolateError, PayloadError, SetupError, call_of, explain

WANT_MAPS = 1
MAPS_WRITTEN = 2
FORKED = 3
TERMINAL = 4
READY = 5
GO = 6
FAILED = 7
EXEC_FAILED = 8
BUILT = 9
HOOKS_DONE = 10

# Between the factory, its template and the host (drawn in factory/factory.py).
WANT_HOLDER = 16
HOLDER = 17
END_HOLDER = 18
HOLDER_ENDED = 19
KILL_HOLDER = 20
SIGNAL = 21
TEMPLATE_ENDED = 22
CHECK_HOLDER = 23
HOLDER_CHECKED = 24

_NAMES = {
    WANT_MAPS: "WANT_MAPS",
    MAPS_WRITTEN: "MAPS_WRITTEN",
    FORKED: "FORKED",
    TERMINAL: "TERMINAL",
    READY: "READY",
    GO: "GO",
    FAILED: "FAILED",
    EXEC_FAILED: "EXEC_FAILED",
    BUILT: "BUILT",
    HOOKS_DONE: "HOOKS_DONE",
    WANT_HOLDER: "WANT_HOLDER",
    HOLDER: "HOLDER",
    END_HOLDER: "END_HOLDER",
    HOLDER_ENDED: "HOLDER_ENDED",
    KILL_HOLDER: "KILL_HOLDER",
    SIGNAL: "SIGNAL",
    TEMPLATE_ENDED: "TEMPLATE_ENDED",
    CHECK_HOLDER: "CHECK_HOLDER",
    HOLDER_CHECKED: "HOLDER_CHECKED",
}
#: How many fields each message has.
_FIELDS = {
    FORKED: 1,
    FAILED: 4,
    EXEC_FAILED: 2,
    HOLDER: 2,
    END_HOLDER: 1,
    HOLDER_ENDED: 1,
    KILL_HOLDER: 1,
    SIGNAL: 2,
    TEMPLATE_ENDED: 1,
    CHECK_HOLDER: 1,
    HOLDER_CHECKED: 2,
}
_LIMIT = 65536
#: Characters, of which each may take four bytes.
_FIELD_LIMIT = 4000


def encode(kind: int, *fields: str) -> bytes:
    """Return the record of a message."""
    parts = [bytes((kind,))]
    for field in fields:
        raw = field.encode("utf-8", "surrogatepass")
        parts += (len(raw).to_bytes(4, "big"), raw)
    return b"".join(parts)


def decode(record: bytes) -> tuple[int, tuple[str, ...]]:
    """Return the type and the fields of a record; ChannelError if it is not one."""
    if not record or record[0] not in _NAMES:
        raise ChannelError(f"an unknown message: {record[:40]!r}")
    fields = []
    position = 1
    while position < len(record):
        end = position + 4 + int.from_bytes(record[position : position + 4], "big")
        if position + 4 > len(record) or end > len(record):
            raise ChannelError(f"a message that ends in mid-field: {record[:40]!r}")
        try:
            fields.append(record[position + 4 : end].decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise ChannelError(f"a message that is not text: {record[:40]!r}") from None
        position = end
    if len(fields) != _FIELDS.get(record[0], 0):
        raise ChannelError(f"{_NAMES[record[0]]} with {len(fields)} fields")
    return record[0], tuple(fields)


class Channel:
    """One end of the channel."""

    def __init__(self, sock: _socket.socket) -> None:
        self._socket = sock

    @staticmethod
    def pair() -> tuple[Channel, Channel]:
        """Return two connected ends."""
        try:
            left, right = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        except OSError as error:
            call = "socketpair(AF_UNIX, SOCK_SEQPACKET)"
            raise SetupError("channel", call, error.errno or 0) from error
        return Channel(left), Channel(right)

    @staticmethod
    def from_fd(fd: int) -> Channel:
        """Return the end whose socket is *fd*, which it owns from now on."""
        return Channel(_socket.socket(fileno=fd))

    def fileno(self) -> int:
        """Return the fd, for polling."""
        return self._socket.fileno()

    def shut_down(self) -> None:
        """End the conversation for all who have a copy of this end."""
        try:
            self._socket.shutdown(_socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def send(self, kind: int, *fields: str, fd: int | None = None) -> None:
        """Send a message, and with it a file descriptor if one is given."""
        ancillary = []
        if fd is not None:
            payload = fd.to_bytes(4, "little", signed=True)
            ancillary.append((_socket.SOL_SOCKET, _socket.SCM_RIGHTS, payload))
        try:
            self._socket.sendmsg([encode(kind, *(f[:_FIELD_LIMIT] for f in fields))], ancillary)
        except OSError as error:
            raise ChannelError(f"the other side is gone: {explain(error.errno or 0)}") from error

    def send_error(self, error: BaseException) -> None:
        """Send what went wrong, so that :meth:`receive` raises it on the other side."""
        if isinstance(error, PayloadError):
            self.send(EXEC_FAILED, str(error), str(error.exit_code))
        elif isinstance(error, SetupError):
            self.send(FAILED, error.step, error.call, str(error.errno), error.hint)
        elif isinstance(error, NsisolateError):
            self.send(FAILED, "set-up", str(error), "0", "")
        else:
            number = getattr(error, "errno", None) or 0
            self.send(FAILED, "set-up", call_of(error), str(number), "")

    def receive(self, *expected: int) -> tuple[int, tuple[str, ...], int | None]:
        """Receive one message: its type, its fields and its file descriptor if it had one.

        Raises what the other side reports as its failure, and ChannelError for everything that is
        not in *expected*.
        """
        record, fd = self._receive_record()
        if not record:
            raise ChannelError("the container's init died during the set-up")
        kind, fields = decode(record)
        if kind in (FAILED, EXEC_FAILED):
            raise _error_of(kind, fields)
        if kind not in expected:
            if fd is not None:
                os.close(fd)
            raise ChannelError(f"{_NAMES[kind]} is out of order")
        return kind, fields, fd

    def is_abandoned(self) -> bool:
        """Tell, without waiting, whether the other side has closed its end."""
        try:
            return not self._socket.recv(1, _socket.MSG_DONTWAIT | _socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def receive_end(self) -> None:
        """Wait for the end of the conversation; raise what the other side reports instead."""
        record, fd = self._receive_record()
        if fd is not None:
            os.close(fd)
        if record:
            raise _error_of(*decode(record))

    def _receive_record(self) -> tuple[bytes, int | None]:
        try:
            record, ancillary, flags, _address = self._socket.recvmsg(
                _LIMIT, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            return b"", None
        except OSError as error:
            raise ChannelError(f"recvmsg: {explain(error.errno or 0)}") from error
        if flags & (_socket.MSG_TRUNC | _socket.MSG_CTRUNC):
            raise ChannelError("a message that is too long")
        fd = None
        for level, kind, payload in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                fd = int.from_bytes(payload[:4], "little", signed=True)
        return record, fd


def _error_of(kind: int, fields: tuple[str, ...]) -> NsisolateError:
    try:
        if kind == EXEC_FAILED:
            return PayloadError(fields[0], int(fields[1]))
        if kind == FAILED:
            return SetupError(fields[0], fields[1], int(fields[2]), fields[3])
    except ValueError:
        pass
    return ChannelError(f"{_NAMES[kind]} is out of order or malformed")
