"""What a cgroup has used, in the words of ``runc events --stats``."""

from __future__ import annotations

import os

from .group import Cgroup, read
from .locate import UNIFIED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_LIMIT = 2**64 - 1


def stats(cgroup: Cgroup) -> dict[str, object]:
    """Return the statistics, those parts of it for which there is a controller."""
    v2 = cgroup.directory(UNIFIED) or ""
    has = {controller for controller, _path in cgroup.directories}
    found: dict[str, object] = {}
    found["cpu"] = _cpu_v1(cgroup) if "cpuacct" in has or "cpu" in has else _cpu_v2(v2)
    found["memory"] = _memory_v1(cgroup) if "memory" in has else _memory_v2(v2)
    pids = cgroup.directory("pids") or v2
    found["pids"] = _without_none(
        {"current": _number(f"{pids}/pids.current"), "limit": _number(f"{pids}/pids.max")}
    )
    blkio = cgroup.directory("blkio")
    found["blkio"] = _blkio_v1(blkio) if blkio else _io_v2(v2)
    found["hugetlb"] = _hugetlb(cgroup.directory("hugetlb") or v2)
    return found


def _without_none(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _number(path: str) -> int | None:
    text = read(path).strip()
    return int(text) if text.isdecimal() else None


def _pairs(path: str) -> dict[str, int]:
    """Read a file of ``name value`` lines."""
    words = (line.split() for line in read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdecimal()}


def _throttling(stat: dict[str, int], time: str, scale: int) -> dict[str, object]:
    return {
        "periods": stat.get("nr_periods", 0),
        "throttledPeriods": stat.get("nr_throttled", 0),
        "throttledTime": stat.get(time, 0) * scale,
    }


def _cpu_v1(cgroup: Cgroup) -> dict[str, object]:
    used, cpu = cgroup.directory("cpuacct") or "", cgroup.directory("cpu") or ""
    usage = {
        "total": _number(f"{used}/cpuacct.usage") or 0,
        "percpu": [int(word) for word in read(f"{used}/cpuacct.usage_percpu").split()],
        "kernel": _number(f"{used}/cpuacct.usage_sys") or 0,
        "user": _number(f"{used}/cpuacct.usage_user") or 0,
    }
    return {
        "usage": usage,
        "throttling": _throttling(_pairs(f"{cpu}/cpu.stat"), "throttled_time", 1),
    }


def _cpu_v2(directory: str) -> dict[str, object]:
    stat = _pairs(f"{directory}/cpu.stat")
    usage = {
        "total": stat.get("usage_usec", 0) * 1000,
        "kernel": stat.get("system_usec", 0) * 1000,
        "user": stat.get("user_usec", 0) * 1000,
    }
    return {"usage": usage, "throttling": _throttling(stat, "throttled_usec", 1000)}


def _memory_v1(cgroup: Cgroup) -> dict[str, object]:
    directory = cgroup.directory("memory")
    raw = _pairs(f"{directory}/memory.stat")
    found: dict[str, object] = {"cache": raw.get("cache", 0), "raw": raw}
    for name, prefix in (
        ("usage", "memory"),
        ("swap", "memory.memsw"),
        ("kernel", "memory.kmem"),
        ("kernelTCP", "memory.kmem.tcp"),
    ):
        found[name] = _without_none(
            {
                "limit": _number(f"{directory}/{prefix}.limit_in_bytes"),
                "usage": _number(f"{directory}/{prefix}.usage_in_bytes"),
                "max": _number(f"{directory}/{prefix}.max_usage_in_bytes"),
                "failcnt": _number(f"{directory}/{prefix}.failcnt"),
            }
        )
    return found


def _memory_v2(directory: str) -> dict[str, object]:
    raw = _pairs(f"{directory}/memory.stat")
    found: dict[str, object] = {"cache": raw.get("file", 0), "raw": raw}
    for name, prefix in (("usage", "memory"), ("swap", "memory.swap")):
        limit = read(f"{directory}/{prefix}.max").strip()
        found[name] = _without_none(
            {
                "limit": _NO_LIMIT if limit == "max" else _number(f"{directory}/{prefix}.max"),
                "usage": _number(f"{directory}/{prefix}.current"),
                "max": _number(f"{directory}/{prefix}.peak"),
                "failcnt": _pairs(f"{directory}/{prefix}.events").get("max"),
            }
        )
    return found


def _blkio_v1(directory: str) -> dict[str, object]:
    found = {}
    for name, file in (
        ("ioServiceBytesRecursive", "io_service_bytes_recursive"),
        ("ioServicedRecursive", "io_serviced_recursive"),
    ):
        for prefix in ("blkio.bfq", "blkio.throttle"):
            lines = [line.split() for line in read(f"{directory}/{prefix}.{file}").splitlines()]
            if entries := [_io_entry(w[0], w[1], w[2]) for w in lines if len(w) == 3]:
                found[name] = entries
                break
    return dict(found)


def _io_entry(numbers: str, operation: str, value: str) -> dict[str, object]:
    major, minor = numbers.split(":")
    return {"major": int(major), "minor": int(minor), "op": operation, "value": int(value)}


def _io_v2(directory: str) -> dict[str, object]:
    size: list[dict[str, object]] = []
    count: list[dict[str, object]] = []
    for line in read(f"{directory}/io.stat").splitlines():
        numbers, *words = line.split()
        for word in words:
            key, _, value = word.partition("=")
            for suffix, entries in (("bytes", size), ("ios", count)):
                if key in (f"r{suffix}", f"w{suffix}"):
                    operation = "Read" if key[0] == "r" else "Write"
                    entries.append(_io_entry(numbers, operation, value))
    return {"ioServiceBytesRecursive": size, "ioServicedRecursive": count} if size or count else {}


def _hugetlb(directory: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for size in _page_sizes(os.listdir(directory) if os.path.isdir(directory) else ()):
        base = f"{directory}/hugetlb.{size}"
        usage = _number(f"{base}.usage_in_bytes")
        found[size] = _without_none(
            {
                "usage": _number(f"{base}.current") if usage is None else usage,
                "max": _number(f"{base}.max_usage_in_bytes"),
                "failcnt": _number(f"{base}.failcnt") or _pairs(f"{base}.events").get("max", 0),
            }
        )
    return found


def _page_sizes(names: Sequence[str]) -> list[str]:
    return sorted({name.split(".")[1] for name in names if name.startswith("hugetlb.")})
