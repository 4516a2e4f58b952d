"""Who calls the runtime: root of the machine, or somebody else."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_EVERYBODY = [(0, 0, 4294967295)]


def is_machine_root() -> bool:
    """Tell whether we are root, and not only in a user namespace."""
    return os.geteuid() == 0 and _uid_map() in (_EVERYBODY, [])


def uid_outside() -> int:
    """Return our uid as it is outside of our user namespace, if we are in one."""
    uid = os.geteuid()
    for inside, outside, size in _uid_map():
        if inside <= uid < inside + size:
            return outside + uid - inside
    return uid


def runtime_directory(uid_of: Callable[[], int] = os.geteuid) -> str:
    """Return the user's runtime directory, or an empty string if there is none.

    *uid_of* tells whose it is, where XDG_RUNTIME_DIR does not.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return runtime.rstrip("/")
    runtime = f"/run/user/{uid_of()}"
    return runtime if os.path.isdir(runtime) else ""


def _uid_map() -> list[tuple[int, int, int]]:
    """Return the lines of the map, or none where there is no such file."""
    try:
        with open("/proc/self/uid_map", "rb") as file:
            numbers = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))
