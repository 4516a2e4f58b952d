"""Questions to a test file of crun's suite, which has no option for them.

    crun_probe.py list FILE    print the names of its tests, each after @@
    crun_probe.py skip FILE    run it (RUN_TESTS chooses), and print the line that said "skip" after @@

Run by the interpreter that runs the suite, as the user who runs it.
"""

from __future__ import annotations

import os
import runpy
import sys
from types import FrameType
from typing import Any

_SKIPPED = 77


def list_tests(file: str) -> None:
    """Print the names, by a tests_main() that does not run what it is given."""
    import tests_utils  # type: ignore[import-not-found]

    tests_utils.tests_main = lambda tests: print(*("@@" + name for name in tests), sep="\n")
    runpy.run_path(file, run_name="__main__")


def trace_skip(file: str) -> None:
    """Run the file, and print where a function of it returned the exit code of a skip."""

    def local(frame: FrameType, event: str, returned: Any) -> Any:
        if event == "return" and _SKIPPED in (
            returned,
            *(returned if isinstance(returned, tuple) else ()),
        ):
            print(f"@@{frame.f_lineno}", flush=True)
        return local

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:
        return local if frame.f_code.co_filename == file else None

    sys.settrace(enter)
    runpy.run_path(file, run_name="__main__")


if __name__ == "__main__":
    question, path = sys.argv[1:]
    sys.path.insert(0, os.path.dirname(path))
    {"list": list_tests, "skip": trace_skip}[question](path)
