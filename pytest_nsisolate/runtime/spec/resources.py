"""``linux.resources`` and ``linux.cgroupsPath`` of ``config.json``, and what ``update`` reads."""

from __future__ import annotations

from ..errors import SpecError
from ..resources import (
    BlockIO,
    Cpu,
    DeviceRule,
    HugepageLimit,
    Memory,
    NetworkClass,
    NetworkPriority,
    Rdma,
    Resources,
    ThrottleDevice,
    WeightDevice,
)
from .reader import INT64_MAX, UINT32_MAX, UINT64_MAX, Reader, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from ..record import Record

    R = TypeVar("R", bound=Record)


#: Of a CPU or memory node; kernels are built for 8192 and 1024 of them at most.
_DIGITS = 5


def read_cgroups_path(linux: Reader) -> str:
    """Return ``cgroupsPath``: a path, or the systemd manager's ``slice:prefix:name``."""
    path = linux.string("cgroupsPath")
    if ".." in path.split("/"):
        raise linux.wrong("cgroupsPath", f"{show(path)} goes up with '..'")
    if path and not path.replace(".", "").strip("/"):
        raise linux.wrong(
            "cgroupsPath", f"{show(path)} is the root cgroup, which is not a container's"
        )
    return path


def read_resources(reader: Reader) -> Resources | None:
    """Return the limits that the object *reader* describes, or None if there are none."""
    pids = reader.object("pids")
    if reader.has("pids"):
        pids.required("limit")
    found = Resources(
        memory=_memory(reader.object("memory")),
        cpu=_cpu(reader.object("cpu")),
        pids_limit=_int64(pids, "limit"),
        block_io=_block_io(reader.object("blockIO")),
        hugepage_limits=reader.array("hugepageLimits", _hugepage_limit),
        network=_network(reader.object("network")),
        rdma=_rdma(reader.object("rdma")),
        unified=_unified(reader),
        devices=reader.array("devices", read_device_rule),
    )
    return _or_none(found)


def _or_none(record: R) -> R | None:
    return None if record == type(record)() else record


def _number(reader: Reader, key: str, low: int, high: int) -> int | None:
    return reader.integer(key, low, high, 0) if reader.has(key) else None


def _int64(reader: Reader, key: str) -> int | None:
    return _number(reader, key, -INT64_MAX - 1, INT64_MAX)


def _uint64(reader: Reader, key: str) -> int | None:
    return _number(reader, key, 0, UINT64_MAX)


def _bytes(reader: Reader, key: str) -> int | None:
    return _number(reader, key, -1, INT64_MAX)


def _flag(reader: Reader, key: str) -> bool | None:
    return reader.boolean(key) if reader.has(key) else None


def _memory(reader: Reader) -> Memory | None:
    memory = Memory(
        limit=_bytes(reader, "limit"),
        reservation=_bytes(reader, "reservation"),
        swap=_bytes(reader, "swap"),
        kernel=_bytes(reader, "kernel"),
        kernel_tcp=_bytes(reader, "kernelTCP"),
        swappiness=_number(reader, "swappiness", 0, 100),
        disable_oom_killer=_flag(reader, "disableOOMKiller"),
        use_hierarchy=_flag(reader, "useHierarchy"),
        check_before_update=_flag(reader, "checkBeforeUpdate"),
    )
    # 0 is what clients write for "not set".
    if memory.limit and memory.limit > 0 and memory.swap and 0 < memory.swap < memory.limit:
        raise reader.wrong("swap", f"{memory.swap} (memory and swap) is below limit {memory.limit}")
    return _or_none(memory)


def _cpu(reader: Reader) -> Cpu | None:
    cpu = Cpu(
        shares=_uint64(reader, "shares"),
        quota=_int64(reader, "quota"),
        burst=_uint64(reader, "burst"),
        period=_uint64(reader, "period"),
        realtime_runtime=_int64(reader, "realtimeRuntime"),
        realtime_period=_uint64(reader, "realtimePeriod"),
        cpus=_id_list(reader, "cpus"),
        mems=_id_list(reader, "mems"),
        idle=_number(reader, "idle", 0, 1),
    )
    if cpu.burst and cpu.quota and 0 < cpu.quota < cpu.burst:
        raise reader.wrong("burst", f"{cpu.burst} is above the quota of {cpu.quota}")
    return _or_none(cpu)


def _id_list(reader: Reader, key: str) -> str:
    return id_list(reader.string(key).strip(), reader.field(key))


def id_list(text: str, path: str) -> str:
    """Return *text* if it is a list such as ``0-3,7`` (cpuset(7), "List format")."""
    for part in text.split(",") if text else ():
        bounds = part.strip().split("-")
        if len(bounds) > 2 or not all(b.isdecimal() and b.isascii() for b in bounds):
            raise SpecError(path, f"{show(text)} is not a list such as '0-3,7'")
        if any(len(bound) > _DIGITS for bound in bounds):
            raise SpecError(path, f"{show(text)} has a number of more than {_DIGITS} digits in it")
        if len(bounds) == 2 and int(bounds[0]) > int(bounds[1]):
            raise SpecError(path, f"{show(text)} has a range that ends before it begins")
    return text


def _weight(reader: Reader, key: str) -> int | None:
    # 0 is what clients write for "not set".
    raw = reader.raw(key)
    if type(raw) is int and raw == 0:
        return 0
    return _number(reader, key, 10, 1000)


def _block_io(reader: Reader) -> BlockIO | None:
    throttles = {
        f"throttle_{way}_{kind.lower()}_device": reader.array(
            f"throttle{way.capitalize()}{kind}Device", _throttle
        )
        for way in ("read", "write")
        for kind in ("Bps", "IOPS")
    }
    found = BlockIO(
        weight=_weight(reader, "weight"),
        leaf_weight=_weight(reader, "leafWeight"),
        weight_device=reader.array("weightDevice", _weight_device),
        **throttles,
    )
    return _or_none(found)


def _device_numbers(reader: Reader) -> tuple[int, int]:
    reader.required("major", "minor")
    return reader.uint32("major"), reader.uint32("minor")


def _weight_device(value: object, path: str) -> WeightDevice:
    reader = Reader(value, path)
    major, minor = _device_numbers(reader)
    if not reader.has("weight") and not reader.has("leafWeight"):
        raise reader.wrong("weight", "or leafWeight is required")
    return WeightDevice(
        major=major,
        minor=minor,
        weight=_weight(reader, "weight"),
        leaf_weight=_weight(reader, "leafWeight"),
    )


def _throttle(value: object, path: str) -> ThrottleDevice:
    reader = Reader(value, path)
    major, minor = _device_numbers(reader)
    reader.required("rate")
    return ThrottleDevice(major=major, minor=minor, rate=reader.integer("rate", 0, UINT64_MAX, 0))


def _hugepage_limit(value: object, path: str) -> HugepageLimit:
    reader = Reader(value, path)
    reader.required("pageSize", "limit")
    size = reader.required_string("pageSize")
    number = size[:-2]
    is_number = number.isdecimal() and number.isascii() and number[0] != "0"
    if size[-2:] not in ("KB", "MB", "GB") or not is_number:
        raise reader.wrong("pageSize", f"{show(size)} is not a size such as '2MB'")
    return HugepageLimit(page_size=size, limit=reader.integer("limit", 0, UINT64_MAX, 0))


def _network(reader: Reader) -> NetworkClass | None:
    return _or_none(
        NetworkClass(
            class_id=_number(reader, "classID", 0, UINT32_MAX),
            priorities=reader.array("priorities", _priority),
        )
    )


def _priority(value: object, path: str) -> NetworkPriority:
    reader = Reader(value, path)
    reader.required("name", "priority")
    return NetworkPriority(name=reader.required_string("name"), priority=reader.uint32("priority"))


def _rdma(reader: Reader) -> tuple[Rdma, ...]:
    found = []
    for name in reader.names():
        limits = reader.entry(name)
        handles = _number(limits, "hcaHandles", 0, UINT32_MAX)
        objects = _number(limits, "hcaObjects", 0, UINT32_MAX)
        if handles is None and objects is None:
            raise reader.wrong(name, "needs hcaHandles, hcaObjects, or both")
        found.append(Rdma(device=name, hca_handles=handles, hca_objects=objects))
    return tuple(found)


def _unified(reader: Reader) -> tuple[tuple[str, str], ...]:
    pairs = reader.string_map("unified")
    for name, _value in pairs:
        if "/" in name or name in (".", ".."):
            raise SpecError(f"{reader.field('unified')}.{name}", "is not the name of a cgroup file")
    return pairs


def read_device_rule(value: object, path: str) -> DeviceRule:
    """Return one entry of ``linux.resources.devices``."""
    reader = Reader(value, path)
    reader.required("allow")
    allow = reader.boolean("allow")
    access = reader.string("access") or "rwm"
    if "a" in access and not allow:
        access = "rwm"  # in cgroup v1 "a" is all, and some write it here too; taken for no less than it says
    if set(access) - set("rwm"):
        raise reader.wrong("access", f"{show(access)} is not made of r, w and m")
    numbers = {}
    for key in ("major", "minor"):
        number = _number(reader, key, -1, UINT32_MAX)
        numbers[key] = None if number == -1 else number  # -1 is how Go programs write "any"
    return DeviceRule(
        allow=allow,
        type=reader.choice("type", ("a", "b", "c")) or "a",
        access=access,
        **numbers,
    )
