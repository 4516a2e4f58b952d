"""A conftest.py of the workloads: it writes down when each test began and ended, on the host.

Written as JSON to the file that BENCHMARK_STAMPS names, in seconds; and after each 1,000
tests the resident memory of pytest and of its template, in KiB. BENCHMARK_PAUSE seconds are waited
between tests. BENCHMARK_HEAVY=1 imports numpy and pandas. BENCHMARK_BALLAST and BENCHMARK_HOST_BALLAST are
megabytes of Python objects that are kept alive, in each process that loads this or on the host only.
"""

import importlib
import json
import os
import time

import pytest

_stamps: list[tuple[float, float]] = []
_began: list[float] = []
_pause = float(os.environ.get("BENCHMARK_PAUSE") or 0)
_memory: list[tuple[int, int]] = []
_ballast: list[str] = []


def _keep_alive(megabytes: int) -> None:
    # Objects of their own, about 70 bytes each with their place in the list.
    _ballast.extend(str(number) * 2 for number in range(megabytes * 14_000))


def pytest_configure(config: pytest.Config) -> None:
    """Record in pytest itself, not in the template of sandboxes."""
    if os.environ.get("BENCHMARK_HEAVY"):
        importlib.import_module("numpy")
        importlib.import_module("pandas")
    _keep_alive(int(os.environ.get("BENCHMARK_BALLAST") or 0))
    if not config.pluginmanager.hasplugin("nsisolate-template"):
        _keep_alive(int(os.environ.get("BENCHMARK_HOST_BALLAST") or 0))
        config.pluginmanager.register(_Recorder(), "benchmark-recorder")


def _resident(pid: str) -> int:
    """Return the resident memory of a process in KiB."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _templates() -> list[str]:
    """Return the pids of the templates: the factories' children that run Python."""
    parents, names = {}, {}
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                name, _, rest = file.read().partition("(")[2].rpartition(")")
        except OSError:
            continue
        names[pid], parents[pid] = name, rest.split()[1]
    return [
        pid
        for pid, parent in parents.items()
        if names.get(parent) == "nsisolate: fact" and names[pid].startswith("python")
    ]


class _Recorder:
    def pytest_runtest_logstart(self) -> None:
        _began.append(time.perf_counter())

    def pytest_runtest_logfinish(self) -> None:
        _stamps.append((_began.pop(), time.perf_counter()))
        if len(_stamps) % 1000 == 0:
            _memory.append((_resident("self"), sum(map(_resident, _templates()))))
        if _pause:
            time.sleep(_pause)

    def pytest_sessionfinish(self) -> None:
        path = os.environ.get("BENCHMARK_STAMPS")
        if path and _stamps:
            with open(path, "w") as file:
                json.dump({"stamps": _stamps, "memory": _memory}, file)
