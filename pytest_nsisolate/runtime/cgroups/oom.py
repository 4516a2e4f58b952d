"""Being told when a cgroup is out of memory."""

from __future__ import annotations

import contextlib
import os
import select

from ..errors import SetupError
from .group import Cgroup, read, write
from .locate import UNIFIED


class OutOfMemory:
    """The events of one cgroup; none, where it has no memory controller.

    v1 signals an eventfd(2) (memory.oom_control, by cgroup.event_control), once more when the cgroup is
    removed. v2 wakes up who polls memory.events until that descriptor has read it; kills are counted.
    """

    def __init__(self, cgroup: Cgroup) -> None:
        v1, v2 = cgroup.directory("memory"), cgroup.directory(UNIFIED)
        self._directory = v1 or v2 or ""
        self._is_v1 = v1 is not None
        self._kills = self._count_kills()
        self.fd = -1
        self.awaited = select.POLLIN if self._is_v1 else select.POLLPRI
        try:
            if self._is_v1:
                self._register()
            elif os.path.exists(f"{self._directory}/memory.events"):
                self.fd = os.open(f"{self._directory}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
                self._take_note()
        except FileNotFoundError:
            pass  # the container has just ended

    def _register(self) -> None:
        control = os.open(f"{self._directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            write(f"{self._directory}/cgroup.event_control", f"{self.fd} {control}", "")
        except SetupError:
            self.close()  # kills can still be counted
        finally:
            os.close(control)

    def close(self) -> None:
        """Be told no more."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def happened(self) -> bool:
        """Tell whether the cgroup has been out of memory since the last call."""
        self._take_note()
        kills, before = self._count_kills(), self._kills
        self._kills = max(kills, before)
        return self._signalled() or kills > before

    def _take_note(self) -> None:
        """Let v2 wake us up for what comes from here on."""
        if not self._is_v1 and self.fd >= 0:
            with contextlib.suppress(OSError):  # the cgroup is gone
                os.pread(self.fd, 4096, 0)

    def _signalled(self) -> bool:
        if not self._is_v1 or self.fd < 0:
            return False
        try:
            signals = os.eventfd_read(self.fd)
        except BlockingIOError:
            return False
        return signals > (0 if os.path.exists(self._directory) else 1)

    def _count_kills(self) -> int:
        file = "memory.oom_control" if self._is_v1 else "memory.events"
        for line in read(f"{self._directory}/{file}").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0
