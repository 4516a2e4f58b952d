"""Output goes to files that the host has open too, so that what a test printed survives its crash."""

from __future__ import annotations

import os
from typing import Any

import pytest


class SharedCapture:
    """Puts the host's files under pytest's own capturing.

    With ``--capture=fd`` pytest's temporary files are exchanged for the host's, descriptor by descriptor, so
    that pytest notices nothing. With the other methods there is nothing to share: ``sys`` keeps output in
    memory, ``no`` lets it through.

    While a clone is at work the files are its alone: the template, on its way out of the item's protocol,
    would read and empty them.
    """

    def __init__(self, config: pytest.Config, files: tuple[int, int]) -> None:
        self._manager: Any = config.pluginmanager.getplugin("capturemanager")
        self._captures: list[tuple[Any, int, int]] = []
        capturing = getattr(self._manager, "_global_capturing", None)
        for stream, file in (("out", files[0]), ("err", files[1])):
            capture = getattr(capturing, stream, None)
            if hasattr(capture, "targetfd") and hasattr(capture, "tmpfile"):
                own = os.dup(capture.tmpfile.fileno())
                self._captures.append((capture, file, own))

    def attach(self) -> None:
        """Capture into the host's files."""
        for capture, file, _own in self._captures:
            _exchange(capture, file)

    def detach(self) -> None:
        """Capture into pytest's own files."""
        for capture, _file, own in self._captures:
            _exchange(capture, own)

    def start(self) -> None:
        """Capture from here on, and forget what was captured between tests."""
        if self._manager is not None:
            self.attach()
            self._manager.resume_global_capture()
            self._manager.read_global_capture()

    def stop(self) -> tuple[str, str]:
        """Return what was captured since :meth:`start`."""
        if self._manager is None:
            return "", ""
        self._manager.resume_global_capture()
        captured = self._manager.read_global_capture()
        self.detach()
        return captured.out, captured.err


def _exchange(capture: Any, file: int) -> None:
    os.dup2(file, capture.tmpfile.fileno(), inheritable=False)
    # While capturing is suspended, the target is the original stream and stays that.
    if capture._state == "started":
        os.dup2(file, capture.targetfd)
