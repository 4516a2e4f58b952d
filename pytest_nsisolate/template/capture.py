"""Output goes to files that the host has open too, so that what a test printed survives its crash."""

from __future__ import annotations

import os
from typing import Any

import pytest


class SharedCapture:
    """Puts the host's files under pytest's own capturing.

    With ``--capture=fd`` pytest's temporary files are exchanged for the host's, descriptor by descriptor, so
    that pytest notices nothing. With the other methods there is nothing to share: ``sys`` keeps output in
    memory, ``no`` lets it through; the template's own noise between tests goes nowhere then.
    """

    def __init__(self, config: pytest.Config, files: tuple[int, int, int]) -> None:
        self._manager: Any = config.pluginmanager.getplugin("capturemanager")
        self._streams: list[int] = []
        capturing = getattr(self._manager, "_global_capturing", None)
        for stream, file in (("out", files[0]), ("err", files[1])):
            capture = getattr(capturing, stream, None)
            tmpfile = getattr(capture, "tmpfile", None)
            if hasattr(capture, "targetfd") and tmpfile is not None:
                os.dup2(file, tmpfile.fileno(), inheritable=False)
                os.dup2(file, capture.targetfd)
        for file in files[:2]:
            os.close(file)

    def start(self) -> None:
        """Capture from here on, and forget what was captured between tests."""
        if self._manager is not None:
            self._manager.resume_global_capture()
            self._manager.read_global_capture()

    def stop(self) -> tuple[str, str]:
        """Return what was captured since :meth:`start`."""
        if self._manager is None:
            return "", ""
        self._manager.resume_global_capture()
        captured = self._manager.read_global_capture()
        return captured.out, captured.err
