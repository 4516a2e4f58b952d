""":class:`~.resources.Resources` to ``linux.resources``, and other plain records to objects."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..record import Record
    from ..resources import Resources

#: Fields whose names are not just the snake-case twins.
_NAMES = {
    "kernel_tcp": "kernelTCP",
    "disable_oom_killer": "disableOOMKiller",
    "class_id": "classID",
    "block_io": "blockIO",
    "io_class": "class",
    "clos_id": "closID",
    "enable_cmt": "enableCMT",
    "enable_mbm": "enableMBM",
    "throttle_read_iops_device": "throttleReadIOPSDevice",
    "throttle_write_iops_device": "throttleWriteIOPSDevice",
}


def resources_config(resources: Resources | None) -> dict[str, object] | None:
    """Return the JSON object of *resources*."""
    if resources is None:
        return None
    config = {
        name: _value(getattr(resources, name))
        for name in ("memory", "cpu", "block_io", "hugepage_limits", "network", "devices")
    }
    config["pids"] = None if resources.pids_limit is None else {"limit": resources.pids_limit}
    config["unified"] = dict(resources.unified)
    config["rdma"] = {rdma.device: _record(rdma.replace(device="")) for rdma in resources.rdma}
    return {_NAMES.get(k, _camel(k)): v for k, v in config.items() if v not in (None, [], {})}


def record_config(record: Record | None) -> dict[str, object] | None:
    """Return the JSON object of a record whose fields are the properties' snake-case twins."""
    return None if record is None else _record(record)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _record(record: Record) -> dict[str, object]:
    values = {name: _value(getattr(record, name)) for name in type(record)._fields}
    return {_NAMES.get(k, _camel(k)): v for k, v in values.items() if v not in (None, "", [])}


def _value(value: object) -> object:
    if isinstance(value, tuple):
        return [_value(entry) for entry in value]
    return value if value is None or isinstance(value, (int, str)) else _record(value)  # type: ignore[arg-type]
