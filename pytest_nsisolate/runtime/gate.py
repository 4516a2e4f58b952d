"""The gate of a container that was created and not started yet: a socket in its state directory.

Init listens there, so that the process that created it can exit; ``start`` connects, and from then on is
the other end of the channel. Whoever can reach the directory may start the container: its owner.
"""

from __future__ import annotations

import _socket
import os

from .channel import GO, Channel
from .errors import ChannelError

_NAME = "gate"


class Gate:
    """The listening end, made by the creator and inherited by init."""

    def __init__(self, sock: _socket.socket) -> None:
        self._socket = sock

    @staticmethod
    def make(directory: str) -> Gate:
        """Make the gate of the container whose state is in *directory*."""
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        with ShortPath(directory) as short:
            sock.bind(f"{short}/{_NAME}")
            os.chmod(f"{short}/{_NAME}", 0o600)  # whatever the umask is
        sock.listen(1)
        return Gate(sock)

    def fileno(self) -> int:
        """Return the fd."""
        return self._socket.fileno()

    def wait(self) -> Channel:
        """Wait until somebody says GO; return the channel to them."""
        while True:
            fd, _address = self._socket._accept()  # type: ignore[attr-defined]  # noqa: SLF001
            channel = Channel.from_fd(fd)
            try:
                channel.receive(GO)
            except ChannelError:
                channel.close()  # they died first; somebody else may come
                continue
            return channel


def knock(directory: str) -> Channel:
    """Open the gate; return the channel on which init tells how it goes. Raises OSError."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    with ShortPath(directory) as short:
        sock.connect(f"{short}/{_NAME}")
    channel = Channel(sock)
    channel.send(GO)
    return channel


def remove(directory: str) -> None:
    """Remove the gate, once nobody listens there any more."""
    try:
        os.unlink(f"{directory}/{_NAME}")
    except FileNotFoundError:
        pass


class ShortPath:
    """A short name for a directory: the address of a socket has 108 bytes at the most (unix(7))."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> str:
        """Return the name, which is good until the exit."""
        return f"/proc/self/fd/{self._fd}"

    def __exit__(self, *_exception: object) -> None:
        """Let go of the directory."""
        os.close(self._fd)
