"""What a cgroup has used, in the words of ``runc events --stats``."""

from __future__ import annotations

import os

from .group import Cgroup, read
from .locate import UNIFIED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_NO_LIMIT = 2**64 - 1


def stats(cgroup: Cgroup) -> dict[str, Any]:
    """Return the statistics, those parts of it for which there is a controller."""
    v2 = cgroup.directory(UNIFIED) or ""
    has = {controller for controller, _path in cgroup.directories}
    found: dict[str, Any] = {}
    found["cpu"] = _cpu_v1(cgroup) if "cpuacct" in has or "cpu" in has else _cpu_v2(v2)
    found["cpuset"] = _cpuset(cgroup.directory("cpuset") or v2)
    found["memory"] = _memory_v1(cgroup) if "memory" in has else _memory_v2(v2)
    pids = cgroup.directory("pids") or v2
    found["pids"] = _without_none(
        {"current": _number(f"{pids}/pids.current"), "limit": _number(f"{pids}/pids.max")}
    )
    blkio = cgroup.directory("blkio")
    found["blkio"] = _blkio_v1(blkio) if blkio else _io_v2(v2)
    found["hugetlb"] = _hugetlb(cgroup.directory("hugetlb") or v2)
    for section, name in (("cpu", "cpu"), ("memory", "memory"), ("blkio", "io")):
        if pressure := _pressure(f"{v2}/{name}.pressure"):
            found[section] = found[section] | {"psi": pressure}
    return found


def _without_none(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _number(path: str) -> int | None:
    text = read(path).strip()
    return int(text) if text.isdecimal() else None


def _numbers(path: str) -> list[int]:
    return [int(word) for word in read(path).split()]


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
        "percpu": _numbers(f"{used}/cpuacct.usage_percpu"),
        "percpu_kernel": _numbers(f"{used}/cpuacct.usage_percpu_sys"),
        "percpu_user": _numbers(f"{used}/cpuacct.usage_percpu_user"),
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


def _cpuset(directory: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in ("cpus", "mems"):
        files = (f"{directory}/cpuset.{name}", f"{directory}/cpuset.{name}.effective")
        text = next((t for t in (read(file).strip() for file in files) if t), "")
        if text:
            found[name] = _ids(text)
    for name in (
        "cpu_exclusive",
        "mem_hardwall",
        "mem_exclusive",
        "memory_migrate",
        "memory_spread_page",
        "memory_spread_slab",
        "memory_pressure",
        "sched_load_balance",
        "sched_relax_domain_level",
    ):
        text = read(f"{directory}/cpuset.{name}").strip()
        found[name] = int(text) if text else 0
    return found


def _ids(text: str) -> list[int]:
    """Return the numbers of a list such as ``0-3,7``."""
    bounds = [part.split("-") for part in text.split(",")]
    return [number for pair in bounds for number in range(int(pair[0]), int(pair[-1]) + 1)]


def _pressure(path: str) -> dict[str, object]:
    """Return pressure stall information: lines such as ``some avg10=0.00 ... total=0``."""
    found: dict[str, object] = {}
    for line in read(path).splitlines():
        kind, *words = line.split()
        pairs = (word.split("=") for word in words)
        found[kind] = {k: int(v) if k == "total" else float(v) for k, v in pairs}
    return found


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
    usage, swap = _use_v2(directory, "memory"), _use_v2(directory, "memory.swap")
    # On v1, "swap" is memory and swap together, and that is what readers expect.
    together = {"usage": usage["usage"] + swap["usage"], "failcnt": swap["failcnt"]}
    unlimited = _NO_LIMIT in (usage["limit"], swap["limit"])
    together["limit"] = _NO_LIMIT if unlimited else usage["limit"] + swap["limit"]
    events = _pairs(f"{directory}/memory.events")
    return {
        "cache": raw.get("file", 0),
        "usage": usage,
        "swap": together,
        "raw": raw,
        "event_count": events,
    }


def _use_v2(directory: str, prefix: str) -> dict[str, int]:
    limit, peak = read(f"{directory}/{prefix}.max").strip(), _number(f"{directory}/{prefix}.peak")
    found = {
        "limit": int(limit) if limit.isdecimal() else _NO_LIMIT,
        "usage": _number(f"{directory}/{prefix}.current") or 0,
        "failcnt": _pairs(f"{directory}/{prefix}.events").get("max", 0),
    }
    return found if peak is None else found | {"max": peak}


#: runc's names, and those of the files, of which CFQ (old) and BFQ have their own.
_BLKIO = (
    ("ioServiceBytesRecursive", "io_service_bytes_recursive"),
    ("ioServicedRecursive", "io_serviced_recursive"),
    ("ioQueueRecursive", "io_queued_recursive"),
    ("ioServiceTimeRecursive", "io_service_time_recursive"),
    ("ioWaitTimeRecursive", "io_wait_time_recursive"),
    ("ioMergedRecursive", "io_merged_recursive"),
    ("ioTimeRecursive", "time_recursive"),
    ("sectorsRecursive", "sectors_recursive"),
)


def _blkio_v1(directory: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, file in _BLKIO:
        for prefix in ("blkio.bfq", "blkio", "blkio.throttle"):
            lines = [line.split() for line in read(f"{directory}/{prefix}.{file}").splitlines()]
            entries = [_io_entry(w[0], w[1:-1], w[-1]) for w in lines if ":" in w[0]]
            if entries:
                found[name] = entries
                break
    return found


def _io_entry(numbers: str, operation: Sequence[str], value: str) -> dict[str, object]:
    major, minor = numbers.split(":")
    found: dict[str, object] = {"major": int(major), "minor": int(minor), "value": int(value)}
    return found | {"op": operation[0]} if operation else found


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
                    entries.append(_io_entry(numbers, [operation], value))
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
