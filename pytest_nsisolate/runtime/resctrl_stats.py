"""What a class of service is allowed and uses, in the words of ``runc events --stats``."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .resctrl import ClassOfService

#: Resource in a schema line, name of the information, of the root's schema, of the class's.
_RESOURCES = (
    ("L3", "l3_cache_info", "l3_cache_schema_root", "l3_cache_schema"),
    ("MB", "mem_bw_info", "mem_bw_schema_root", "mem_bw_schema"),
)
_CACHE_COUNTERS = ("llc_occupancy",)
_BANDWIDTH_COUNTERS = ("mbm_total_bytes", "mbm_local_bytes")


def class_stats(service: ClassOfService | None, top: str | None = None) -> dict[str, object]:
    """Return the statistics; none for a container without a class of service."""
    from .resctrl import mount_point

    if service is None or not service.directory:
        return {}
    top = top or mount_point()
    if top is None:
        return {}
    found: dict[str, object] = {}
    for resource, info, root_schema, schema in _RESOURCES:
        directory = f"{top}/info/{resource}"
        if os.path.isdir(directory):
            found[info] = _information(directory)
            found[root_schema] = _schema(top, resource)
            found[schema] = _schema(service.directory, resource)
    monitored = next((p for p in service.made if "/mon_groups/" in p), service.directory)
    for name, counters in (("mbm_stats", _BANDWIDTH_COUNTERS), ("cmt_stats", _CACHE_COUNTERS)):
        if nodes := _counters(f"{monitored}/mon_data", counters):
            found[name] = nodes
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def _information(directory: str) -> dict[str, object]:
    names = ("cbm_mask", "min_cbm_bits", "num_closids", "bandwidth_gran", "delay_linear")
    texts = {name: _read(f"{directory}/{name}") for name in (*names, "min_bandwidth")}
    return {
        name: int(text) if text.isdecimal() and name != "cbm_mask" else text
        for name, text in texts.items()
        if text
    }


def _schema(directory: str, resource: str) -> str:
    for line in _read(f"{directory}/schemata").splitlines():
        if line.strip().startswith(f"{resource}:"):
            return line.strip()
    return ""


def _counters(directory: str, names: tuple[str, ...]) -> list[dict[str, object]]:
    nodes = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    found = []
    for node in nodes:
        texts = {name: _read(f"{directory}/{node}/{name}") for name in names}
        if values := {name: int(text) for name, text in texts.items() if text.isdecimal()}:
            found.append(dict[str, object](values))
    return found
