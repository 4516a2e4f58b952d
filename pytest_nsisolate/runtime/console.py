"""The console socket: where a detached container's terminal is handed to whoever will attend it."""

from __future__ import annotations

import _socket
import os

from .errors import SetupError


def send_master(path: str, master: int) -> None:
    """Send the pty's master to the unix socket *path*, as runc does, and close it."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    directory = -1
    try:
        directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_CLOEXEC)
        # A short name: the address of a socket has 108 bytes at the most (unix(7)).
        sock.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        payload = master.to_bytes(4, "little", signed=True)
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, payload)]
        sock.sendmsg([b"/dev/ptmx"], rights)
    except OSError as error:
        raise SetupError("terminal", f"connect to {path}", error.errno or 0) from error
    finally:
        if directory >= 0:
            os.close(directory)
        sock.close()
        os.close(master)
