"""Handing a descriptor over on a unix socket: a terminal to who will attend it, a pidfd to who will wait."""

from __future__ import annotations

import _socket
import os

from .errors import SetupError


def send_master(path: str, master: int) -> None:
    """Send the pty's master to the unix socket *path*, as runc does, and close it."""
    _send(path, master, b"/dev/ptmx", "terminal")


def send_pidfd(path: str, pid: int) -> None:
    """Send a pidfd of *pid*, our child, to the unix socket *path*, as runc does."""
    _send(path, os.pidfd_open(pid), b"pidfd", "pidfd")


def _send(path: str, fd: int, name: bytes, step: str) -> None:
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    directory = -1
    try:
        directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_CLOEXEC)
        # A short name: the address of a socket has 108 bytes at the most (unix(7)).
        sock.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        payload = fd.to_bytes(4, "little", signed=True)
        sock.sendmsg([name], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, payload)])
    except OSError as error:
        raise SetupError(step, f"connect to {path}", error.errno or 0) from error
    finally:
        if directory >= 0:
            os.close(directory)
        sock.close()
        os.close(fd)
