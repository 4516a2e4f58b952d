"""Which file of which controller gets which value: the plan of a cgroup's limits."""

from __future__ import annotations

from ..errors import UnsupportedError
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from ..resources import Resources


class Write(Record):
    """One value for one file.

    *field* is the property of config.json that asks for it. *otherwise* is what to write where there
    is no such file; with *optional*, nothing. *implied* allows the kernel to refuse, too, because another
    limit that is set holds this one. With *checked*, the file is read back: some only look as if they
    took a limit.
    """

    field: str
    controller: str
    version: int
    file: str
    value: str
    otherwise: Write | None = None
    optional: bool = False
    implied: bool = False
    checked: bool = False


#: Property of linux.resources, controller on v1, controller on v2.
_SECTIONS = (
    ("memory", "memory", "memory"),
    ("cpu", "cpu", "cpu"),
    ("cpuset", "cpuset", "cpuset"),
    ("pids_limit", "pids", "pids"),
    ("block_io", "blkio", "io"),
    ("hugepage_limits", "hugetlb", "hugetlb"),
    ("class_id", "net_cls", ""),
    ("priorities", "net_prio", ""),
    ("rdma", "rdma", "rdma"),
)


def writes(
    resources: Resources, v1_controllers: Collection[str], v2_controllers: Collection[str]
) -> list[Write]:
    """Return the writes for *resources* on a machine with these controllers, in their order.

    Device rules are not among them. Raises UnsupportedError for what no controller here can do.
    """
    found: list[Write] = []
    for section, name_v1, name_v2 in _SECTIONS:
        if not _asks(resources, section):
            continue
        if name_v1 in v1_controllers:
            from . import v1

            found += getattr(v1, section)(resources)
        elif name_v2 and name_v2 in v2_controllers:
            from . import v2

            found += getattr(v2, section)(resources)
        else:
            raise UnsupportedError(
                f"linux.resources.{_field(section)}: the cgroup controller {name_v1!r} is not there, "
                "or is not handed down to the container's cgroup"
            )
    return found + _unified(resources, v2_controllers)


def _field(section: str) -> str:
    names = {
        "cpuset": "cpu.cpus",
        "pids_limit": "pids",
        "block_io": "blockIO",
        "hugepage_limits": "hugepageLimits",
        "class_id": "network.classID",
        "priorities": "network.priorities",
    }
    return names.get(section, section)


def _asks(resources: Resources, section: str) -> bool:
    if section in ("cpu", "cpuset"):
        cpu = resources.cpu
        if cpu is None:
            return False
        return bool(cpu.cpus or cpu.mems) if section == "cpuset" else _has_cpu_times(resources)
    if section in ("class_id", "priorities"):
        network = resources.network
        return network is not None and getattr(network, section) not in (None, ())
    return getattr(resources, section) not in (None, ())


def _has_cpu_times(resources: Resources) -> bool:
    assert resources.cpu is not None
    return resources.cpu.replace(cpus="", mems="") != type(resources.cpu)()


def _unified(resources: Resources, v2_controllers: Collection[str]) -> list[Write]:
    found = []
    for name, value in resources.unified:
        controller = name.partition(".")[0]
        field = f"unified.{name}"
        if controller != "cgroup" and controller not in v2_controllers:
            problem = f"the requested cgroup controller `{controller}` is not available"
            raise UnsupportedError(
                f"linux.resources.{field}: invalid configuration: {problem} in cgroup v2 here"
            )
        for line in value.splitlines() or [""]:
            found.append(
                Write(field=field, controller=controller, version=2, file=name, value=line)
            )
    return found
