"""A terminal for what is tested: what its user would sit at."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path


class Terminal:
    """A pseudo-terminal, of which the tests hold one end and what they start the other."""

    def __init__(self, patience: float) -> None:
        """Open it; what does not come within *patience* seconds is a failure."""
        self.master, self.slave = pty.openpty()
        self.seen = b""
        self._patience = patience

    @property
    def streams(self) -> dict[str, int]:
        """The arguments of Popen that make it the standard streams."""
        return dict.fromkeys(("stdin", "stdout", "stderr"), self.slave)

    def launch(self, command: list[str], cwd: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a program as a shell would: the terminal controls it, so that Ctrl-C reaches it."""

        def control() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            # Ignored by what a shell script starts in the background, such as us perhaps.
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        return subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=control,
            cwd=cwd,
            env=env,
        )

    def size(self, rows: int, columns: int) -> None:
        """Change the window size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type text."""
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until *text* has come; return everything since the last call, up to it."""
        assert self.shows(text, self._patience), f"{text!r} did not come, only {self.seen!r}"
        before, found, self.seen = self.seen.partition(text.encode())
        return (before + found).decode()

    def shows(self, text: str, seconds: float) -> bool:
        """Tell whether *text* comes within that time; it is kept for the next call."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self.master], [], [], left)
            if not ready:
                return False
            self.seen += os.read(self.master, 65536)
        return True

    def close(self) -> None:
        """Close both ends."""
        os.close(self.master)
        os.close(self.slave)
