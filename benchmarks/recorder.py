"""A conftest.py of the workloads: it writes down when each test began and ended, on the host.

Written as JSON to the file that BENCHMARK_STAMPS names, in seconds. BENCHMARK_PAUSE seconds are waited
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


class _Recorder:
    def pytest_runtest_logstart(self) -> None:
        _began.append(time.perf_counter())

    def pytest_runtest_logfinish(self) -> None:
        _stamps.append((_began.pop(), time.perf_counter()))
        if _pause:
            time.sleep(_pause)

    def pytest_sessionfinish(self) -> None:
        path = os.environ.get("BENCHMARK_STAMPS")
        if path and _stamps:
            with open(path, "w") as file:
                json.dump(_stamps, file)
