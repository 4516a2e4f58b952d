"""Runs one scenario inside of its enclosure, and prints what was seen: ``SCENARIO [COUNT]``."""

from __future__ import annotations

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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
