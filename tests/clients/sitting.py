"""What a user does at a terminal that a client has given a container."""

from __future__ import annotations

import signal

from ..oci.bundle import Running
from ..terminal import Terminal
from .calling import TIMEOUT, wait_for

#: Answers each line that is typed, the last one by its exit.
ANSWERS = """
tty
while read line; do
    case $line in size) stty size ;; exit) exit 5 ;; *) echo "got $line" ;; esac
done
"""


def sit_at(terminal: Terminal, started: Running) -> None:
    """Check that a container that runs ANSWERS has a terminal, and that its size is the user's."""
    terminal.wait_for("/dev/pts/0")
    # Clients set the size when the container runs already.
    wait_for(lambda: _has_size(terminal, started, 33, 99))
    terminal.size(44, 111)
    wait_for(lambda: _has_size(terminal, started, 44, 111))
    terminal.type("hello\r")
    terminal.wait_for("got hello")
    terminal.type("exit\r")
    assert started.popen.wait(TIMEOUT) == 5


def _has_size(terminal: Terminal, started: Running, rows: int, columns: int) -> bool:
    # The kernel has told the client of a change, but maybe before that was listening.
    started.send(signal.SIGWINCH)
    terminal.type("size\r")
    return terminal.shows(f"{rows} {columns}", 0.2)
