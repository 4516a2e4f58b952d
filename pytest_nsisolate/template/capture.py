"""Output goes to files that the host has open too, so that what a test printed survives its crash."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from ..pytest_private import exchange_capture_file, global_captures


class Streams:
    """The standard streams that the template was started with, put away until a test runs.

    What the template prints between tests (a conftest that prints when it is imported, say) the host has
    printed already; it goes to a log, which is shown if the template dies.
    """

    def __init__(self, log: int) -> None:
        self._log = log
        self._real = {stream: os.dup(stream) for stream in (1, 2)}
        self._places = {1: [1], 2: [2]}
        self.put_away()

    @property
    def stderr(self) -> int:
        """The descriptor of the standard error that the user sees."""
        return self._real[2]

    def live_in(self, stream: int, fd: int) -> None:
        """Let *fd* be where *stream* is put back to: pytest's capturing keeps it there."""
        self._places[stream] = [fd]

    def put_away(self) -> None:
        """Send what is not captured to the log."""
        _flush()
        for stream, places in self._places.items():
            for fd in places:
                os.dup2(self._log, fd, inheritable=fd == stream)

    def put_back(self) -> None:
        """Send what is not captured to where the user sees it."""
        _flush()
        for stream, places in self._places.items():
            for fd in places:
                os.dup2(self._real[stream], fd, inheritable=fd == stream)

    def forget_log(self) -> None:
        """In a clone: close the log."""
        os.close(self._log)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


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
        self._manager: Any = config.pluginmanager.getplugin("capturemanager")
        self.is_started = False
        self._captures: list[tuple[Any, int, int]] = []
        for stream, capture in global_captures(config).items():
            own = os.dup(capture.tmpfile.fileno())
            self._captures.append((capture, files[stream - 1], own))
            streams.live_in(stream, capture.targetfd_save)

    def start(self) -> None:
        """Capture into the host's files from here on, and forget what was captured between tests."""
        self.is_started = True
        self._streams.put_back()
        for capture, file, _own in self._captures:
            exchange_capture_file(capture, file)
        if self._manager is not None:
            self._manager.resume_global_capture()
            self._manager.read_global_capture()

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

    def stop(self) -> tuple[str, str]:
        """Return what was captured since :meth:`start`."""
        if self._manager is None:
            return "", ""
        self._manager.resume_global_capture()
        captured = self._manager.read_global_capture()
        self.detach()
        return captured.out, captured.err
