"""Id maps of ``config.json``: ``linux.uidMappings`` and its kin, as user_namespaces(7) has them."""

from __future__ import annotations

from itertools import pairwise

from ..errors import SpecError
from ..plan import IdMapping
from .reader import UINT32_MAX, Reader

#: The kernel takes no more lines in one map.
_MOST = 340


def read_id_mappings(reader: Reader, key: str) -> tuple[IdMapping, ...]:
    """Return the array of id maps under *key*, which do not overlap on either side."""
    mappings = reader.array(key, _id_mapping)
    path = reader.field(key)
    if len(mappings) > _MOST:
        raise SpecError(path, f"{len(mappings)} entries are more than the kernel's {_MOST}")
    for side in ("container_id", "host_id"):
        _refuse_overlaps(mappings, side, path)
    return mappings


def _id_mapping(value: object, path: str) -> IdMapping:
    reader = Reader(value, path)
    reader.required("containerID", "hostID", "size")
    mapping = IdMapping(
        container_id=reader.uint32("containerID"),
        host_id=reader.uint32("hostID"),
        size=reader.integer("size", 1, UINT32_MAX, 1),
    )
    for key, first in (("containerID", mapping.container_id), ("hostID", mapping.host_id)):
        # The last number of all, -1, is nobody's id.
        if first + mapping.size > UINT32_MAX:
            most = UINT32_MAX - 1
            raise reader.wrong("size", f"{mapping.size} ids from {key} {first} on go above {most}")
    return mapping


def _refuse_overlaps(mappings: tuple[IdMapping, ...], side: str, path: str) -> None:
    key = "containerID" if side == "container_id" else "hostID"
    firsts = [getattr(mapping, side) for mapping in mappings]
    order = sorted(range(len(mappings)), key=firsts.__getitem__)
    for before, after in pairwise(order):
        if firsts[before] + mappings[before].size > firsts[after]:
            earlier, later = sorted((before, after))
            raise SpecError(
                f"{path}[{later}].{key}",
                f"{firsts[later]} and the following ids overlap with those of entry {earlier}",
            )
