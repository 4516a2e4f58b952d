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
    from typing import Any, Self

_CHUNK = 65536
_END_OF_INPUT = b"\x04"


class TerminalProxy:
    """Copies between our standard streams and the pty's *master*; restores our terminal at the end.

    Input that the container does not read is kept, a chunk at the most, and no more is taken then, so that
    neither its output nor a signal waits for it.
    """

    def __init__(self, master: int) -> None:
        self._master = master
        self._saved: list[Any] | None = None
        self._typed = b""
        self._input_ended = False
        self._output_ended = False
        os.set_blocking(master, False)

    def __enter__(self) -> Self:
        """Make our own terminal raw, if there is one."""
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
        """Restore our own terminal."""
        if self._saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
        os.close(self._master)

    def register(self, poll: select.poll) -> None:
        """Register what is to be polled for next."""
        for fd in (self._master, 0):
            try:
                poll.unregister(fd)
            except KeyError:
                pass
        if not self._output_ended:
            poll.register(self._master, select.POLLIN | (select.POLLOUT if self._typed else 0))
        if not self._typed and not self._input_ended:
            poll.register(0, select.POLLIN)

    def copy(self, fd: int, events: int) -> None:
        """Copy what can be copied now that *fd*, one of the registered ones, has *events*."""
        if fd == 0:
            self._read_input()
        elif events & ~select.POLLOUT:
            self._output_ended = not self._copy_output()
        if self._typed and (fd == 0 or events & select.POLLOUT):
            self._type()

    def drain(self) -> None:
        """Copy what the container left in the pty when it ended."""
        while self._copy_output():
            pass

    def copy_size(self) -> None:
        """Give the pty the size of our own terminal, if we have one."""
        if os.isatty(0):
            size = fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8)
            if any(size[:4]):
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _read_input(self) -> None:
        try:
            self._typed = os.read(0, _CHUNK)
        except OSError:
            self._typed = b""  # closed, or a terminal that hung up
        if not self._typed:
            # A terminal has no end of file; what stands for it is typed.
            self._input_ended = True
            self._typed = _END_OF_INPUT

    def _type(self) -> None:
        try:
            self._typed = self._typed[os.write(self._master, self._typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self._typed = b""  # EIO: nobody is there to read it any more

    def _copy_output(self) -> bool:
        try:
            data = os.read(self._master, _CHUNK)
        except OSError as error:
            # EIO: nobody has the slave open any more.
            if error.errno in (errno.EIO, errno.EAGAIN):
                return False
            raise
        while data:
            data = data[os.write(1, data) :]
        return True
