"""What is done to a container's unit while it is there, and its end."""

from __future__ import annotations

import os

from .bus import Systemd
from .properties import properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...resources import Resources


def limit(unit: str, resources: Resources, *, on_v1: bool) -> None:
    """Tell systemd of the limits. Raises SetupError and UnsupportedError."""
    found = properties(resources, on_v1=on_v1)
    if found:
        with Systemd() as systemd:
            systemd.set_properties(unit, found)


def attach(unit: str, directory: str) -> None:
    """Move the calling process into *directory*, the unit's cgroup or one below it.

    For where the kernel does not let us: an ordinary user may move a process within what is delegated to him
    only (cgroups(7)), and a login session is not. From there the manager of his units gets him in, with
    the help of the machine's.
    """
    _above, _slash, below = directory.partition(f"/{unit}")
    with Systemd() as systemd:
        systemd.attach(unit, below, os.getpid())


def stop(unit: str) -> None:
    """Stop the unit, whose processes have been killed, so that its name is free again."""
    with Systemd() as systemd:
        systemd.stop(unit)
