"""Output goes to files that the host has open too, so that what a test printed survives its crash."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from ..pytest_private_output import (
    exchange_capture_file,
    forget_captured,
    global_captures,
    is_suspended,
)


class Streams:
    """The standard streams that the template was started with, put away until a test runs.

    What the template prints between tests (a conftest that prints when it is imported, say) the host has
    printed already; it goes to a log, which is shown if the template dies.
    """

    def __init__(self, log: int) -> None:
        self._log = log
        self._real = {stream: os.dup(stream) for stream in (1, 2)}
        self._captures: dict[int, Any] = {}
        self.put_away()

    @property
    def stderr(self) -> int:
        """The descriptor of the standard error that the user sees."""
        return self._real[2]

    def live_in(self, stream: int, capture: Any) -> None:
        """Note that *stream* is where *capture* keeps it, and in its own place while that is suspended."""
        self._captures[stream] = capture

    def put_away(self) -> None:
        """Send what is not captured to the log."""
        self._send({1: self._log, 2: self._log})

    def put_back(self) -> None:
        """Send what is not captured to where the user sees it."""
        self._send(self._real)

    def _send(self, targets: dict[int, int]) -> None:
        flush_streams()
        for stream, target in targets.items():
            capture = self._captures.get(stream)
            if capture is not None:
                os.dup2(target, capture.targetfd_save, inheritable=False)
            if capture is None or is_suspended(capture):
                os.dup2(target, stream)

    def forget_log(self) -> None:
        """In a clone: close the log. What is put away from here on is lost."""
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, self._log, inheritable=False)
        os.close(null)


def flush_streams() -> None:
    """Print what was printed, as far as the streams can."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # a test has closed it, or put something of its own in its place


class SharedCapture:
    """Puts the host's files under pytest's own capturing.

    With ``--capture=fd`` pytest's temporary files are exchanged for the host's, descriptor by descriptor, so
    that pytest notices nothing. With the other methods there is nothing to share: ``sys`` keeps output in
    memory, ``no`` lets it through.

    While a clone is at work the files are its alone: the template, on its way out of the item's protocol,
    would read and empty them.
    """

    def __init__(self, config: pytest.Config, files: tuple[int, int], streams: Streams) -> None:
        self._streams = streams
        self._config = config
        self.is_started = False
        self._captures: list[tuple[Any, int, int]] = []
        for stream, capture in global_captures(config).items():
            own = os.dup(capture.tmpfile.fileno())
            self._captures.append((capture, files[stream - 1], own))
            streams.live_in(stream, capture)

    def start(self) -> None:
        """Capture into the host's files from here on, and forget what was captured between tests.

        As between any two phases, nothing is captured until the next one begins.
        """
        self.is_started = True
        for capture, file, _own in self._captures:
            exchange_capture_file(capture, file)
        forget_captured(self._config)

    def detach(self) -> None:
        """Capture into pytest's own files."""
        self.is_started = False
        for capture, _file, own in self._captures:
            exchange_capture_file(capture, own)
        self._streams.put_away()

    def leave_to_clone(self) -> None:
        """In a clone: let go of the template's own files."""
        for _capture, _file, own in self._captures:
            os.close(own)
        self._streams.forget_log()
