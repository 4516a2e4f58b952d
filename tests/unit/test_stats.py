"""Statistics from files that look like the kernel's, for what this machine may not have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_nsisolate.cli.arguments import UsageError
from pytest_nsisolate.cli.events import seconds
from pytest_nsisolate.runtime.cgroups.group import Cgroup
from pytest_nsisolate.runtime.cgroups.locate import UNIFIED
from pytest_nsisolate.runtime.cgroups.oom import OutOfMemory
from pytest_nsisolate.runtime.cgroups.stats import stats
from pytest_nsisolate.runtime.resctrl import ClassOfService
from pytest_nsisolate.runtime.resctrl_stats import class_stats

V2_FILES = {
    "memory.current": "4096\n",
    "memory.max": "8192\n",
    "memory.peak": "5000\n",
    "memory.swap.current": "100\n",
    "memory.swap.max": "1000\n",
    "memory.stat": "anon 5\nfile 7\n",
    "memory.events": "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\n",
    "cpu.stat": "usage_usec 7\nuser_usec 3\nsystem_usec 4\nnr_periods 2\nnr_throttled 1\nthrottled_usec 9\n",
    "cpu.pressure": "some avg10=1.50 avg60=0.00 avg300=0.00 total=12\n",
    "cpuset.cpus": "\n",
    "cpuset.cpus.effective": "0-2,5\n",
    "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n",
    "pids.current": "3\n",
    "pids.max": "max\n",
    "hugetlb.2MB.current": "2097152\n",
    "hugetlb.2MB.events": "max 4\n",
}


def write(directory: Path, files: dict[str, str]) -> None:
    """Write files, with the directories that they are in."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_cgroup_v2_in_the_words_of_v1(tmp_path: Path) -> None:
    """Nanoseconds, swap together with memory, a limit for "max", and the pressure."""
    write(tmp_path, V2_FILES)
    found = stats(Cgroup(directories=((UNIFIED, str(tmp_path)),)))
    assert found["cpu"]["usage"] == {"total": 7000, "kernel": 4000, "user": 3000}
    assert found["cpu"]["throttling"]["throttledTime"] == 9000
    pressure = {"avg10": 1.5, "avg60": 0.0, "avg300": 0.0, "total": 12}
    assert found["cpu"]["psi"] == {"some": pressure}
    assert found["cpuset"]["cpus"] == [0, 1, 2, 5]
    memory = found["memory"]
    assert memory["usage"] == {"limit": 8192, "usage": 4096, "failcnt": 3, "max": 5000}
    assert memory["swap"] == {"limit": 9192, "usage": 4196, "failcnt": 0}
    assert (memory["cache"], memory["event_count"]["oom_kill"]) == (7, 1)
    assert found["pids"] == {"current": 3}
    assert found["hugetlb"] == {"2MB": {"usage": 2097152, "failcnt": 4}}
    (read, written) = found["blkio"]["ioServiceBytesRecursive"]
    assert read == {"major": 8, "minor": 0, "op": "Read", "value": 1}
    assert (written["op"], written["value"]) == ("Write", 2)


def test_block_io_of_v1(tmp_path: Path) -> None:
    """The scheduler's own files where there are some; lines with and without an operation."""
    files = {
        "blkio.throttle.io_serviced_recursive": "8:0 Read 5\nTotal 5\n",
        "blkio.bfq.io_serviced_recursive": "8:0 Read 6\n8:0 Total 6\nTotal 6\n",
        "blkio.bfq.time_recursive": "8:0 77\n",
    }
    write(tmp_path, files)
    found = stats(Cgroup(directories=(("blkio", str(tmp_path)),)))["blkio"]
    assert [e["value"] for e in found["ioServicedRecursive"]] == [6, 6]
    assert found["ioTimeRecursive"] == [{"major": 8, "minor": 0, "value": 77}]


def test_kills_of_v2_are_counted(tmp_path: Path) -> None:
    """An event is a kill since the last look, whatever else changes."""
    write(tmp_path, V2_FILES)
    watched = OutOfMemory(Cgroup(directories=((UNIFIED, str(tmp_path)),)))
    try:
        assert os.readlink(f"/proc/self/fd/{watched.fd}").endswith("memory.events")
        assert not watched.happened()
        write(tmp_path, {"memory.events": "max 9\noom 9\noom_kill 2\n"})
        assert watched.happened()
        assert not watched.happened()
    finally:
        watched.close()


RESCTRL = {
    "info/L3/cbm_mask": "fff\n",
    "info/L3/min_cbm_bits": "2\n",
    "info/L3/num_closids": "16\n",
    "info/MB/bandwidth_gran": "10\n",
    "schemata": "    L3:0=fff\n    MB:0=100\n",
    "box/schemata": "    L3:0=f\n    MB:0=20\n",
    "box/mon_data/mon_L3_00/llc_occupancy": "4096\n",
    "box/mon_data/mon_L3_00/mbm_total_bytes": "7\n",
    "box/mon_data/mon_L3_00/mbm_local_bytes": "Unavailable\n",
}


def test_the_class_of_service(tmp_path: Path) -> None:
    """What resctrl can do, what the root has, what the class has and uses."""
    write(tmp_path, RESCTRL)
    service = ClassOfService(directory=f"{tmp_path}/box", tasks=())
    assert class_stats(service, str(tmp_path)) == {
        "l3_cache_info": {"cbm_mask": "fff", "min_cbm_bits": 2, "num_closids": 16},
        "l3_cache_schema_root": "L3:0=fff",
        "l3_cache_schema": "L3:0=f",
        "mem_bw_info": {"bandwidth_gran": 10},
        "mem_bw_schema_root": "MB:0=100",
        "mem_bw_schema": "MB:0=20",
        "mbm_stats": [{"mbm_total_bytes": 7}],
        "cmt_stats": [{"llc_occupancy": 4096}],
    }
    assert class_stats(None, str(tmp_path)) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5s", 5),
        ("100ms", 0.1),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("250us", 0.00025),
        ("1h1ms", 3600.001),
    ],
)
def test_a_time_is_written_as_in_go(text: str, expected: float) -> None:
    """Numbers and units, one after the other."""
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "5", "0s", "-1s", "1.1.1s", "s", "5y", "1s5", "9" * 400 + "h"]
)
def test_a_time_that_is_none(text: str) -> None:
    """What is no time, or none that one could wait, is refused by its text."""
    with pytest.raises(UsageError, match="--interval"):
        seconds(text)
