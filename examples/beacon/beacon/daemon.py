"""Goes into the background, with a pid file, and comes to an end."""

import os
import signal
import time
from collections.abc import Callable
from http.server import HTTPServer
from pathlib import Path


class DaemonError(Exception):
    """The daemon cannot be started or stopped."""


def running(pid_file: Path) -> int | None:
    """Return the daemon's pid, if it is running."""
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid


def start(listen: Callable[[], HTTPServer], pid_file: Path) -> None:
    """Start the daemon; return when it answers."""
    if pid := running(pid_file):
        raise DaemonError(f"already running as {pid}")
    ready, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            _run(listen, pid_file, writer)
        os._exit(0)
    os.wait()
    os.close(writer)
    with os.fdopen(ready) as reader:
        message = reader.read()
    if message != "ready":
        raise DaemonError(message or "died while starting")


def _run(listen: Callable[[], HTTPServer], pid_file: Path, writer: int) -> None:
    try:
        os.chdir("/")
        server = listen()
        pid_file.write_text(f"{os.getpid()}\n")
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.write(writer, b"ready")
        os.close(writer)
        server.serve_forever()
    except BaseException as error:
        os.write(writer, str(error).encode())
    finally:
        os._exit(1)


def stop(pid_file: Path, *, patience: float = 5) -> None:
    """Stop the daemon; return when it is gone."""
    pid = running(pid_file)
    if pid is None:
        raise DaemonError("not running")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while running(pid_file):
        if time.monotonic() > deadline:
            raise DaemonError(f"{pid} does not end")
        time.sleep(0.01)
    pid_file.unlink()
