"""Coverage of isolated tests: totals, lines, arcs and contexts of a plain run, by pytest-cov or without."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys

import pytest

from ..capabilities import need
from .comparison import run_both, run_with
from .project import Project

PACKAGE = """
    import os

    def size(x):
        if x > 1:
            return "big"
        return "small"

    def inverse(x):
        try:
            return 1 / x
        except ZeroDivisionError:
            return None

    def never():
        return 1

    def child(code):
        import subprocess, sys
        return subprocess.run([sys.executable, "-c", code], check=True)

    class Resource:
        def __init__(self):
            self.open = True
        def close(self):
            self.open = False
"""

TESTS = """
    import pytest
    from package import Resource, inverse, size

    @pytest.fixture(scope="session")
    def resource():
        made = Resource()
        yield made
        made.close()

    @pytest.mark.parametrize("x", [1, 2, 3])
    def test_size(x):
        assert size(x)

    def test_fails(resource):
        assert inverse(0) == 1

    @pytest.mark.no_cover
    def test_not_covered():
        from package import never
        never()

    @pytest.mark.skip
    def test_skipped():
        pass
"""


@pytest.fixture
def measured(project: Project) -> Project:
    """Return a project with a package that can be measured."""
    need(importlib.util.find_spec("pytest_cov") is not None, "pytest-cov")
    project.write("package/__init__.py", PACKAGE)
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write("test_it.py", TESTS)
    return project


REPORT = ("--cov=package", "--cov-report=term-missing", "-q", "--no-header", "--tb=no")


@pytest.mark.parametrize("options", [[], ["--cov-branch"]])
def test_report(measured: Project, options: list[str]) -> None:
    """pytest-cov prints the same lines, branches and totals, without any setting."""
    _plain, isolated = run_both(measured, *REPORT, *options, plugins=("pytest_cov",))
    isolated.stdout.fnmatch_lines(["package/__init__.py * 8[56]%   16, 19-20"])
    assert not list(measured.path.glob(".coverage?*"))


@pytest.mark.parametrize("options", [[], ["--cov-branch"]])
def test_report_of_workers(measured: Project, options: list[str]) -> None:
    """The same goes for the sum of several workers of pytest-xdist."""
    reports = []
    for isolated in ([], ["--nsisolate-all"]):
        result = run_with(measured, ["pytest_cov", "xdist"], *REPORT, "-n2", *options, *isolated)
        assert "1 failed, 4 passed, 1 skipped" in result.outlines[-1]
        reports.append([line for line in result.outlines if line.startswith(("package", "TOTAL"))])
    assert reports[0] == reports[1]
    assert len(reports[0]) == 2


def test_fail_under(measured: Project) -> None:
    """--cov-fail-under sees the total of a plain run."""
    for number, code in ((40, 0), (99, 1)):
        options = ["--cov=package", f"--cov-fail-under={number}", "-k", "size or skipped", "-q"]
        _plain, isolated = run_both(measured, *options, plugins=("pytest_cov",))
        assert isolated.ret == code


def contexts(measured: Project) -> dict[str, list[tuple[int, list[str]]]]:
    """Return, by file and line, the contexts in the project's data file."""
    code = (
        "import coverage, json; data = coverage.CoverageData(); data.read(); print(json.dumps({file: "
        "sorted((n, sorted(c)) for n, c in data.contexts_by_lineno(file).items()) "
        "for file in data.measured_files()}))"
    )
    found: dict[str, list[tuple[int, list[str]]]] = json.loads(
        measured.run_program(sys.executable, "-c", code).outlines[0]
    )
    return found


def test_contexts(measured: Project) -> None:
    """--cov-context=test names the same test and phase for each line."""
    options = ("--cov=package", "--cov-context=test", "--cov-branch")
    run_with(measured, ["pytest_cov"], *options)
    plain = contexts(measured)
    run_with(measured, ["pytest_cov"], *options, "--nsisolate-all")
    assert contexts(measured) == plain
    assert "test_it.py::test_size[2]|run" in str(plain)


@pytest.mark.parametrize("branch", [[], ["--branch"]])
def test_coverage_run(measured: Project, branch: list[str]) -> None:
    """``coverage run -m pytest`` measures isolated tests, too."""
    reports = []
    for options in ([], ["--nsisolate-all"]):
        command = ["coverage", "run", "--source=package", *branch, "-m", "pytest", *options]
        measured.run_program(sys.executable, "-m", *command)
        report = measured.run_program(sys.executable, "-m", "coverage", "report", "-m")
        reports.append(report.outlines)
    assert reports[0] == reports[1]
    assert "package/__init__.py" in reports[0][2]


@pytest.mark.parametrize("plugins", [["pytest_cov"], []])
def test_child_processes(measured: Project, plugins: list[str]) -> None:
    """With ``patch = subprocess`` the children of isolated tests are measured as those of plain ones."""
    measured.write(".coveragerc", "[run]\npatch = subprocess\nsource = package\nparallel = true\n")
    measured.write(
        "test_it.py",
        """
        from package import child

        def test_child():
            child("from package import never; never()")
        """,
    )
    reports = []
    for options in ([], ["--nsisolate-all"]):
        if plugins:
            result = run_with(measured, plugins, "--cov", "--cov-report=term-missing", *options)
            result.assert_outcomes(passed=1)
            reports.append([line for line in result.outlines if line.startswith("package")])
        else:
            measured.run_program(sys.executable, "-m", "coverage", "run", "-m", "pytest", *options)
            measured.run_program(sys.executable, "-m", "coverage", "combine")
            report = measured.run_program(sys.executable, "-m", "coverage", "report", "-m")
            reports.append(report.outlines)
    assert reports[0] == reports[1]
    # never() was run, by the child only.
    assert "16" not in reports[1][-1].partition("%")[2]


ENDS = """
    import ctypes, os, signal, time

    def segfault():
        before = 1
        ctypes.string_at(0)
        after = 2

    def terminate():
        before = 1
        os.kill(os.getpid(), signal.SIGTERM)
        after = 2

    def leave():
        before = 1
        os._exit(0)
        after = 2

    def hang():
        before = 1
        time.sleep(100)
        after = 2

    def spin():
        before = 1
        while before:
            pass
        after = 2

    def kill():
        before = 1
        os.kill(os.getpid(), signal.SIGKILL)
        after = 2
"""


def test_ends_of_all_kinds(measured: Project) -> None:
    """The lines of a test that crashes, leaves or is timed out count; SIGKILL alone takes them away."""
    measured.write("package/__init__.py", ENDS)
    measured.write(
        "test_it.py",
        """
        import os, pytest, package

        @pytest.mark.parametrize("end", ["segfault", "terminate", "leave", "kill"])
        def test_end(end):
            getattr(package, end)()

        @pytest.mark.parametrize("end", ["hang", "spin"])
        @pytest.mark.isolated(timeout=0.5)
        def test_timeout(end):
            getattr(package, end)()

        def test_fork():
            if not os.fork():
                package.leave()
            os.wait()
        """,
    )
    options = ["--cov=package", "--cov-report=term-missing", "--nsisolate-all"]
    result = run_with(measured, ["pytest_cov"], *options)
    result.assert_outcomes(failed=6, passed=1)
    result.stdout.fnmatch_lines(["package/__init__.py * 7, 12, 17, 22, 28, 31-33"])
    for name in ("SIGSEGV", "SIGTERM", "SIGKILL"):
        result.stdout.fnmatch_lines([f"the test's process was killed by {name} before*"])
    # The stacks are those of the test, with nothing of what sent the lines.
    result.stdout.fnmatch_lines(['  File "*package/__init__.py", line 6 in segfault'])
    result.stdout.no_fnmatch_line("*measuring.py*")


def test_forged_coverage(measured: Project) -> None:
    """What a hostile test sends as coverage is refused, and costs the host nothing."""
    measured.write(
        "conftest.py",
        """
        import os, socket
        from pytest_nsisolate.wire import frames
        from pytest_nsisolate.wire.data import dump

        def forge(message):
            for fd in map(int, os.listdir("/proc/self/fd")):
                try:
                    sock = socket.socket(fileno=os.dup(fd))
                except OSError:
                    continue
                if sock.family == socket.AF_UNIX:
                    frames.send(sock, frames.COVERAGE, dump(message))
        """,
    )
    measured.write(
        "test_it.py",
        """
        import pytest
        from conftest import forge

        @pytest.mark.parametrize("message", [
            [["", "/x.py", "", False, [2**40]]],
            [["", "/x.py", "", True, [1, 2, 3]]],
            [["", "relative.py", "", False, [1]]],
            [[1, 2, 3, 4, 5]],
            {"a": 1},
            5,
        ])
        def test_forged(message):
            forge(message)
        """,
    )
    result = run_with(measured, ["pytest_cov"], "--cov=package", "--nsisolate-all")
    result.assert_outcomes(failed=6)
    assert "INTERNALERROR" not in result.stdout.str()
    with sqlite3.connect(measured.path / ".coverage") as data:
        assert not data.execute("select path from file where path like '%x.py'").fetchall()
