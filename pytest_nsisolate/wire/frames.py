"""Frames on a stream socket: a kind byte, a 32-bit length, a payload; descriptors may come along.

::

    host                              template                         test
      │ ─── START + capture files ──────> │
      │ <──────────────────── READY ───── │ (or FAILED)
      │ ─── RUN + result socket ────────> │ collects, sets up wider scopes
      │ <──────────────── SETTING_UP ──── │ clones itself into a holder ─────> │
      │ <───────────────────── CLONED ─── │                                    │
      │ <──────────────────────────────── REPORT, LOG_REPORT, WARNING, ... ─── │
      │ ─── PRINTED ─────────────────────────────────────────────────────────> │ (only with one terminal for
      │                                   │                                    │ both) the report is printed
      │ <───────────────────────────────────────────────────────────── DONE ── │
      │ <────────────────────── ENDED ─── │ the container is gone
      │ ─── TEAR_DOWN ──────────────────> │ wider scopes that the next item does not need
      │ <────────────────── TORN_DOWN ─── │
      │ ─── MEASURE ────────────────────> │ coverage, at the end of the run loop
      │ <─────────────────── MEASURED ─── │
      │ ─── FINISH ─────────────────────> │ finishes its session
"""

from __future__ import annotations

import _socket
import array
import socket

from ..runtime.errors import ChannelError

# host to template: cloudpickle
START = 1
RUN = 2
TEAR_DOWN = 3
FINISH = 4
MEASURE = 5
# host to test
GO = 8  # a debugger may have the terminal
PRINTED = 9
# template to host: data
READY = 16
FAILED = 17
SETTING_UP = 18
CLONED = 19
ENDED = 20
TORN_DOWN = 21
MEASURED = 22
# test to host: data
REPORT = 32
LOG_REPORT = 33
WARNING = 34
STOP = 35
DONE = 36
COVERAGE = 37
XML = 38
CACHE = 39
DEBUGGER = 40
COLLECTED = 41
#: Instead of all the others: a step of entering the sandbox failed.
NOT_ENTERED = 42

HEADER = 5
#: A report with its output; what a hostile test could make the host hold at a time.
LIMIT = 256 * 1024 * 1024
_CHUNK = 256 * 1024
_MAX_FDS = 8

#: Methods of sockets, kept: tests mock those of ``socket.socket``, maybe until after their report.
_SENDALL, _SENDMSG = _socket.socket.sendall, _socket.socket.sendmsg
_RECV, _RECVMSG = _socket.socket.recv, _socket.socket.recvmsg


def send(sock: socket.socket, kind: int, payload: bytes = b"", fds: tuple[int, ...] = ()) -> None:
    """Send one frame. Raises ChannelError if the other side is gone."""
    if len(payload) > LIMIT:
        raise ChannelError(f"a message of {len(payload)} bytes is over the limit of {LIMIT}")
    frame = bytes((kind,)) + len(payload).to_bytes(4, "big") + payload
    try:
        if fds:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
            sent = _SENDMSG(sock, [frame], [rights])
            frame = frame[sent:]
        if frame:
            _SENDALL(sock, frame)
    except OSError as error:
        raise ChannelError(f"the other side is gone ({error.strerror})") from error


def receive_kind(sock: socket.socket) -> int | None:
    """Wait for a frame without a payload; return its kind, or None if the other side is gone."""
    header = _RECV(sock, HEADER, socket.MSG_WAITALL)
    return header[0] if header else None


class FrameReader:
    """Reads frames from a stream socket. ``take`` never blocks; ``fill`` reads what is there.

    Messages over *limit* bytes are refused; descriptors are received with *fds* only.
    """

    def __init__(self, sock: socket.socket, *, limit: int = LIMIT, fds: bool = False) -> None:
        self._socket = sock
        self._limit = limit
        self._takes_fds = fds
        self._buffer = bytearray()
        self._fds: list[int] = []
        self.at_end = False

    def fileno(self) -> int:
        """Return the socket's fd, for polling."""
        return self._socket.fileno()

    def fill(self) -> None:
        """Read once; sets *at_end* at the end of the stream."""
        # Descriptors that nobody asked for are dropped by the kernel: there is no room for them.
        space = socket.CMSG_SPACE(_MAX_FDS * array.array("i").itemsize) if self._takes_fds else 0
        try:
            data, ancillary, _flags, _address = _RECVMSG(
                self._socket, _CHUNK, space, socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            data, ancillary = b"", []
        for level, kind, raw in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(raw[: len(raw) - len(raw) % fds.itemsize])
                self._fds += fds
        if not data:
            self.at_end = True
        self._buffer += data

    def take(self) -> tuple[int, bytes] | None:
        """Return the next whole frame, or None. Raises ChannelError for one that is too long."""
        if len(self._buffer) < HEADER:
            return None
        length = int.from_bytes(self._buffer[1:HEADER], "big")
        if length > self._limit:
            raise ChannelError(f"a message of {length} bytes is over the limit of {self._limit}")
        if len(self._buffer) < HEADER + length:
            return None
        kind = self._buffer[0]
        payload = bytes(self._buffer[HEADER : HEADER + length])
        del self._buffer[: HEADER + length]
        return kind, payload

    def take_fds(self) -> list[int]:
        """Return the descriptors that came so far; they are the caller's now."""
        fds, self._fds = self._fds, []
        return fds

    def receive(self) -> tuple[int, bytes]:
        """Wait for a frame. Raises ChannelError at the end of the stream."""
        while True:
            frame = self.take()
            if frame is not None:
                return frame
            if self.at_end:
                raise ChannelError("the other side is gone")
            self.fill()
