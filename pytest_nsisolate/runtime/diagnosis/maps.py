"""Maps of ids to try."""

from __future__ import annotations

import os

from ..errors import UnsupportedError
from ..plan import IdMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    Maps = tuple[tuple[IdMapping, ...], tuple[IdMapping, ...]]


def own_maps() -> Maps:
    """Return maps of uids and gids that hold nothing but our own."""
    uid, gid = os.geteuid(), os.getegid()
    return (
        (IdMapping(container_id=uid, host_id=uid, size=1),),
        (IdMapping(container_id=gid, host_id=gid, size=1),),
    )


def subordinate_maps() -> Maps:
    """Return maps in which our own id is 0 and others follow: for root any, else /etc/subuid's."""
    return _map_of("subuid", os.geteuid()), _map_of("subgid", os.getegid())


def _map_of(file: str, own: int) -> tuple[IdMapping, ...]:
    first, size = 100_000, 65_536
    if os.geteuid():
        first, size = _subordinate(file)
    return (
        IdMapping(container_id=0, host_id=own, size=1),
        IdMapping(container_id=1, host_id=first, size=size),
    )


def _subordinate(file: str) -> tuple[int, int]:
    from ..cgroups.group import read
    from .facts import user_name

    for line in read(f"/etc/{file}").splitlines():
        words = line.split(":")
        if len(words) == 3 and words[0] in (user_name(), str(os.geteuid())):
            return int(words[1]), int(words[2])
    raise UnsupportedError(f"/etc/{file} has no line for {user_name()}")
