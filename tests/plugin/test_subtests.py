"""Subtests are reported one by one, and a failing one fails its test."""

from __future__ import annotations

import re

import pytest

from ..capabilities import need_subtests
from .project import Project

FIXTURE = """
import pytest

def test_subtests(subtests):
    for number in range(4):
        with subtests.test("the number", number=number):
            print("number", number)
            if number == 3:
                pytest.skip("three")
            assert number % 2 == 0

def test_all_pass(subtests):
    with subtests.test(msg="fine"):
        pass

def test_fails_itself(subtests):
    with subtests.test(msg="fine"):
        pass
    assert 0
"""

UNITTEST = """
import unittest

class TestIt(unittest.TestCase):
    def test_subtests(self):
        for number in range(4):
            with self.subTest("the number", number=number, odd=number % 2):
                if number == 3:
                    self.skipTest("three")
                self.assertEqual(number % 2, 0)

    def test_all_pass(self):
        with self.subTest(fine=True):
            pass

    @unittest.expectedFailure
    def test_expected(self):
        with self.subTest(a=1):
            self.assertEqual(1, 2)
"""


OPTIONS = pytest.mark.parametrize(
    "options",
    [["-v", "-rA"], ["-q"], ["-vv", "-x"], ["--maxfail=2"]],
    ids=["v", "q", "x", "maxfail"],
)


@OPTIONS
def test_fixture_as_in_a_plain_run(project: Project, options: list[str]) -> None:
    """The lines, sections and summary are those of a plain run, and the test has its failure."""
    need_subtests()
    project.write("test_it.py", FIXTURE)
    plain, isolated = project.run(*options), project.run("--nsisolate-all", *options)
    assert isolated.ret == plain.ret == pytest.ExitCode.TESTS_FAILED
    assert isolated.parseoutcomes() == plain.parseoutcomes()
    assert comparable(isolated) == comparable(plain)


@OPTIONS
def test_unittest_as_in_a_plain_run(project: Project, options: list[str]) -> None:
    """So have unittest's; but their lines are shown here, which a plain run's capturing swallows."""
    project.write("test_it.py", UNITTEST)
    options = [option for option in options if option != "-rA"]  # would print the swallowed lines
    plain, isolated = project.run(*options), project.run("--nsisolate-all", *options)
    assert isolated.ret == plain.ret == pytest.ExitCode.TESTS_FAILED
    assert isolated.parseoutcomes() == plain.parseoutcomes()
    assert failures(isolated) == failures(plain)


def comparable(result: pytest.RunResult) -> list[str]:
    """Return a run's output without its header, its durations and addresses of objects."""
    text = "\n".join(line for line in result.outlines if not line.startswith("nsisolate: "))
    return re.sub(r"0x[0-9a-f]+|in [0-9.]+s.*|=", "", text).splitlines()


def failures(result: pytest.RunResult) -> list[str]:
    """Return what comes after the progress."""
    lines = comparable(result)
    return lines[next(n for n, line in enumerate(lines) if "FAILURES" in line) :]


def test_crash_in_a_subtest(project: Project) -> None:
    """Subtests reported before a crash are kept, and the test fails."""
    need_subtests()
    result = project.test(
        """
        import os

        def test_subtests(subtests):
            with subtests.test(msg="first"):
                assert 0, "the first"
            with subtests.test(msg="second"):
                os._exit(0)

        def test_next():
            pass
        """
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["*the first*", "*exited with status 0 before*"])
