"""A test sees the same program around it as in a plain run: sys.argv, and the module __main__."""

from __future__ import annotations

import sys

import pytest

from .project import PLAIN, Project

_TESTS = """
    import argparse, multiprocessing, sys

    def work(number, queue):
        queue.put(number + 1)

    def test_program(tmp_path_factory):
        main = sys.modules["__main__"]
        # What was said on the command line beside: --nsisolate=off, and a base for temporary files.
        argv = [arg for arg in sys.argv if "nsisolate" not in arg and "basetemp" not in arg]
        print("argv", argv, argparse.ArgumentParser().prog)
        print("main", main.__file__, main.__package__, main.__spec__ and main.__spec__.name)

    def test_spawn():
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=work, args=(1, queue))
        process.start()
        assert queue.get(timeout=30) == 2
        process.join()
"""


@pytest.mark.parametrize("entry", ["module", "script"])
def test_program_is_the_same(project: Project, entry: str) -> None:
    """Also for a program of the user's that calls pytest, and for processes that are spawned."""
    script = project.write(
        "check.py",
        """
        import sys, pytest
        if __name__ == "__main__":
            sys.exit(pytest.main())
        """,
    )
    project.write("test_it.py", _TESTS)
    start = ["-m", "pytest"] if entry == "module" else [str(script)]
    found = []
    for options in ("--nsisolate=off", "--nsisolate-all"):
        result = project.run_program(sys.executable, *start, *PLAIN, "-rP", options)
        result.assert_outcomes(passed=2)
        found.append([line for line in result.outlines if line.startswith(("argv", "main"))])
    plain, isolated = found
    assert len(plain) == 2
    assert isolated == plain
