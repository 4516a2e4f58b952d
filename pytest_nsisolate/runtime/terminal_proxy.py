"""The container's pseudoterminal, seen from outside: bytes and the window size go back and forth."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import termios
import tty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_CHUNK = 65536
_END_OF_INPUT = b"\x04"


class TerminalProxy:
    """Copies between our standard streams and the pty's *master*; restores our terminal at the end."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._saved: list[object] | None = None

    def __enter__(self) -> Self:
        if os.isatty(0):
            self._saved = termios.tcgetattr(0)
            tty.setraw(0)
        self.copy_size()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
        os.close(self._master)

    def register(self, poll: select.poll) -> None:
        """Register what is to be polled."""
        poll.register(self._master, select.POLLIN)
        poll.register(0, select.POLLIN)

    def copy(self, fd: int, poll: select.poll) -> None:
        """Copy what can be read from *fd*, one of the registered ones."""
        if fd == self._master:
            if not self._copy_output():
                poll.unregister(fd)
            return
        data = os.read(0, _CHUNK)
        if not data:
            # A terminal has no end of file; what stands for it is typed.
            poll.unregister(0)
            data = _END_OF_INPUT
        _write_all(self._master, data)

    def drain(self) -> None:
        """Copy what the container left in the pty when it ended."""
        os.set_blocking(self._master, False)
        while self._copy_output():
            pass

    def copy_size(self) -> None:
        """Give the pty the size of our own terminal, if we have one."""
        if os.isatty(0):
            size = fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8)
            if any(size[:4]):
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _copy_output(self) -> bool:
        try:
            data = os.read(self._master, _CHUNK)
        except OSError as error:
            # EIO: nobody has the slave open any more.
            if error.errno in (errno.EIO, errno.EAGAIN):
                return False
            raise
        _write_all(1, data)
        return bool(data)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
