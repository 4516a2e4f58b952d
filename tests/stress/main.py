"""Runs one scenario inside of its enclosure, and prints what was seen: ``SCENARIO [COUNT]``."""

from __future__ import annotations

import os
import sys
import time
import traceback

from . import containers, exhaustion, kills, many_tests, parallel
from .enclosure import Enclosure

SCENARIOS = {
    "tests": many_tests.run,
    "containers": containers.run,
    "kill-pytest": kills.pytest_itself,
    "kill-inside": kills.inside_of_pytest,
    "kill-verbs": kills.verbs,
    "disk-full": exhaustion.disk,
    "descriptors": exhaustion.descriptors,
    "processes": exhaustion.processes,
    "memory": exhaustion.memory,
    "workers": parallel.workers,
    "parallel-containers": parallel.containers,
}


def main(name: str, count: int) -> int:
    """Run a scenario; return the exit code."""
    enclosure = Enclosure()
    began = time.monotonic()
    try:
        seen = SCENARIOS[name](enclosure, count)
        enclosure.check(f"all of {name}")
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        enclosure.close()
    print(
        f"{name}: {seen}, in {time.monotonic() - began:.0f} s; all gone within {enclosure.slowest:.2f} s"
    )
    return 0


def _be_init() -> None:
    """Return in a child; stay as the first process of the pid namespace, and reap as one does.

    A container's own first process cannot end before all others in there are reaped.
    """
    child = os.fork()
    while child:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) != 0)


if __name__ == "__main__":
    _be_init()
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
