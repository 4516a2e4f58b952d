"""What sandboxes cost is told apart from what the tests in them take."""

from __future__ import annotations

import importlib.util
import re

import pytest

from ..capabilities import need
from .project import Project

TESTS = """
import time
import pytest

@pytest.fixture(scope="module")
def slow_module():
    time.sleep(0.3)

def test_first(slow_module):
    pass

def test_busy():
    end = time.process_time() + 0.4
    while time.process_time() < end:
        pass

def test_large():
    assert bytearray(b"x" * (100 << 20))
"""


def _section(text: str, title: str) -> list[str]:
    """Return the lines of the section *title* of pytest's output."""
    found = re.search(rf"^=+ {title} =+\n(.*?)(?=^=+ )", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return found[1].strip().splitlines()


def test_stats(project: Project) -> None:
    """``--nsisolate-stats`` has totals, and the tests that cost most, with CPU time and memory."""
    result = project.test(TESTS, "--nsisolate-stats")
    result.assert_outcomes(passed=3)
    lines = _section(result.stdout.str(), "cost of the sandboxes")
    assert lines[0] == "3 tests, each in a sandbox of its own"
    names = [re.split(r"  +", line)[0] for line in lines[2:8]]
    assert names == ["set-up", "end", "sandbox", "test", "CPU of tests", "peak memory"]
    rows = {line.split()[-1].rpartition("::")[2]: line.split() for line in lines[10:]}
    assert set(rows) == {"test_first", "test_busy", "test_large"}
    assert _milliseconds(*rows["test_busy"][4:6]) >= 400
    assert _milliseconds(*rows["test_first"][4:6]) < 400
    memory = {name: float(row[6]) for name, row in rows.items()}
    assert memory["test_large"] - memory["test_first"] >= 90


def _milliseconds(number: str, unit: str) -> float:
    return float(number) * {"ms": 1, "s": 1000}[unit]


def test_durations(project: Project) -> None:
    """``--durations`` lists sandboxes apart; durations are the test's own, wider fixtures included."""
    result = project.test(TESTS, "--durations=0", "-vv")
    output = result.stdout.str()
    sandboxes = _section(output, "slowest sandboxes")
    assert len([line for line in sandboxes if re.match(r"\d+\.\d{3}s sandbox  ", line)]) == 3
    set_up = re.search(r"([\d.]+)s setup +test_it.py::test_first", output)
    assert set_up
    assert 0.3 <= float(set_up[1]) < 3


def test_a_sandbox_does_not_count_as_set_up(project: Project) -> None:
    """What it takes to make a sandbox is no part of the duration of the test's set-up."""
    project.write(
        "conftest.py",
        """
        import time
        from pytest_nsisolate.template import clone

        take = clone.Cloner.fork
        def slow(*args, **keywords):
            time.sleep(0.5)
            return take(*args, **keywords)
        clone.Cloner.fork = slow
        """,
    )
    result = project.test("def test_it(): pass", "--durations=0", "-vv")
    output = result.stdout.str()
    set_up = re.search(r"([\d.]+)s setup +test_it.py::test_it", output)
    assert set_up
    assert float(set_up[1]) < 0.4
    sandbox = re.search(r"([\d.]+)s sandbox", output)
    assert sandbox
    assert float(sandbox[1]) >= 0.5


def test_teardown_of_wider_scopes_is_no_cost_of_the_sandbox(project: Project) -> None:
    """What a module's fixture takes to be torn down is not the last sandbox's end."""
    result = project.test(
        """
        import time
        import pytest

        @pytest.fixture(scope="module", autouse=True)
        def slow():
            yield
            time.sleep(2)

        def test_it():
            pass
        """,
        "--durations=0",
        "-vv",
    )
    result.assert_outcomes(passed=1)
    sandbox = re.search(r"([\d.]+)s sandbox", result.stdout.str())
    assert sandbox
    assert float(sandbox[1]) < 1.9


def test_short_sandboxes_are_hidden(project: Project) -> None:
    """``--durations-min`` counts for sandboxes as well."""
    result = project.test("def test_it(): pass", "--durations=1", "--durations-min=50")
    lines = _section(result.stdout.str(), "slowest 1 sandboxes")
    assert lines == ["(1 sandboxes < 50s hidden.  Use -vv to show these.)"]


@pytest.mark.parametrize("workers", [2])
def test_with_xdist(project: Project, workers: int) -> None:
    """The costs of all workers' sandboxes are in one table."""
    need(importlib.util.find_spec("xdist") is not None, "pytest-xdist")
    result = project.test(TESTS, "--nsisolate-stats", "-p", "xdist", "-n", str(workers))
    result.assert_outcomes(passed=3)
    lines = _section(result.stdout.str(), "cost of the sandboxes")
    assert lines[0] == "3 tests, each in a sandbox of its own"


def test_nothing_is_said_unasked(project: Project) -> None:
    """Without the options nothing of it is printed, nor is anything if nothing was isolated."""
    assert "sandboxes" not in project.test("def test_it(): pass").stdout.str()
    result = project.run("--nsisolate-stats", "--durations=1")
    result.assert_outcomes(passed=1)
    assert "sandboxes" not in result.stdout.str()


def test_a_test_cannot_forge_its_costs(project: Project) -> None:
    """A report that brings costs along is refused."""
    result = project.test(
        """
        import pytest

        @pytest.fixture(autouse=True)
        def forge(request):
            class Forger:
                @pytest.hookimpl(wrapper=True)
                def pytest_runtest_makereport(self, item, call):
                    report = yield
                    report.nsisolate_cost = {"set_up": 1e9}
                    return report
            request.config.pluginmanager.register(Forger())

        def test_it():
            pass
        """,
        "--nsisolate-stats",
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*a report with the attribute 'nsisolate_cost'*"])
