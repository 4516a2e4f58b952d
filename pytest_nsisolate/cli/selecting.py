"""Containers by a regular expression, as crun has it."""

from __future__ import annotations

from .arguments import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings


def matching(patterns: list[str], settings: Settings) -> list[str]:
    """Return the ids of the containers that any of *patterns* matches. Raises UsageError."""
    import re

    from ..runtime.lifecycle.state import containers

    try:
        compiled = [re.compile(pattern) for pattern in patterns]
    except re.error as error:
        raise UsageError(f"--regex: {error}") from None
    names = [directory.id for directory in containers(settings.state_root())]
    return [name for name in names if any(pattern.search(name) for pattern in compiled)]
