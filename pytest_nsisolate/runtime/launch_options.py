"""How a container is launched, apart from what it is: what a verb's command line says."""

from __future__ import annotations

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .gate import Gate

    Detail = Callable[[str], None]


def silent(_message: str) -> None:
    """Say nothing of what is done."""


class LaunchOptions(Record):
    """*id* and *bundle* are for the hooks; *preserve_fds* are kept open, from 3 on.

    *attended*: the container ends with its launcher. *gate*: where it waits after its launcher has said
    GO, for somebody else to start it. *pivot* False: pivot_root(2) is replaced by moving the mount.
    *detail* says what is done, wherever the process is that does it; not behind the gate.
    """

    id: str = ""
    bundle: str = "/"
    preserve_fds: int = 0
    pivot: bool = True
    session_keyring: bool = True
    attended: bool = True
    gate: Gate | None = None
    detail: Detail = silent
