"""Errors of fixtures are reported at the test that a plain run blames, with the fixture's own traceback."""

from __future__ import annotations

import pytest

from .project import Project

SCOPES = ["function", "class", "module", "package", "session"]

SETUP_ERROR = """
import pytest

def test_before():
    pass

@pytest.fixture(scope="SCOPE")
def broken():
    print("about to break")
    raise RuntimeError("broken fixture")

class TestIt:
    def test_first(self, broken):
        pass

    def test_second(self, broken):
        pass

def test_after():
    pass
"""

TEARDOWN_ERROR = """
import pytest

@pytest.fixture(scope="SCOPE")
def broken():
    yield
    print("about to break")
    raise RuntimeError("broken teardown")

class TestIt:
    def test_first(self, broken):
        pass

    def test_second(self, broken):
        pass

class TestOther:
    def test_third(self):
        pass
"""


def lines(result: pytest.RunResult) -> list[str]:
    """Return the outcomes of a verbose run, and what failed where."""
    return [
        line.split(" [")[0].strip()
        for line in result.outlines
        if "::" in line or line.startswith(("E  ", "ERROR", "FAILED", "about to break"))
    ]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("source", [SETUP_ERROR, TEARDOWN_ERROR], ids=["setup", "teardown"])
def test_blamed_as_in_a_plain_run(project: Project, source: str, scope: str) -> None:
    """An error in set-up or teardown, at every scope, is the same test's and has the same text."""
    project.write("test_it.py", source.replace("SCOPE", scope))
    plain = project.run("-v", "-rA")
    isolated = project.run("-v", "-rA", "--nsisolate-all")
    assert lines(isolated) == lines(plain)
    assert isolated.ret == plain.ret == pytest.ExitCode.TESTS_FAILED
    assert isolated.parseoutcomes() == plain.parseoutcomes()


def test_module_level_functions(project: Project) -> None:
    """setup_module, setUpClass and tearDownClass that raise are blamed as in a plain run."""
    project.write(
        "test_it.py",
        """
        import unittest

        class TestUp(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise RuntimeError("up")

            def test_a(self):
                pass

        class TestDown(unittest.TestCase):
            @classmethod
            def tearDownClass(cls):
                raise RuntimeError("down")

            def test_b(self):
                pass

            def test_c(self):
                pass
        """,
    )
    project.write(
        "test_up.py", "def setup_module():\n    raise RuntimeError('m')\n\ndef test_d(): pass\n"
    )
    project.write(
        "test_down.py",
        "def teardown_module():\n    raise RuntimeError('m')\n\ndef test_e(): pass\n",
    )
    plain = project.run("-v", "-rA")
    isolated = project.run("-v", "-rA", "--nsisolate-all")
    assert lines(isolated) == lines(plain)
    assert isolated.parseoutcomes() == plain.parseoutcomes()


def test_skip_in_wide_fixture(project: Project) -> None:
    """A wide fixture that skips, skips all of its tests, each at its own line."""
    result = project.test(
        """
        import pytest

        @pytest.fixture(scope="module")
        def absent():
            pytest.skip("not here")

        def test_a(absent):
            pass

        def test_b(absent):
            pass
        """,
        "-rs",
    )
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines([f"SKIPPED [[]1] test_it.py:{n}: not here" for n in (8, 11)])


def test_set_up_and_teardown_both_fail(project: Project) -> None:
    """A failing test whose fixture fails in teardown too is one failure and one error."""
    project.test(
        """
        import pytest

        @pytest.fixture
        def broken():
            yield
            raise RuntimeError("teardown")

        def test_a(broken):
            assert 0

        def test_b():
            pass
        """
    ).assert_outcomes(failed=1, errors=1, passed=1)


def test_missing_fixture(project: Project) -> None:
    """A fixture that does not exist is the usual error with the usual list."""
    result = project.test("def test_a(nonexistent):\n    pass\n\ndef test_b():\n    pass\n")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*fixture 'nonexistent' not found", "*available fixtures: *tmp_path*"]
    )


def test_marks_of_a_skipped_test_expect_nothing(project: Project) -> None:
    """A wide teardown that fails after a skipped test is an error, though that test is marked xfail, too."""
    project.test(
        """
        import pytest

        @pytest.fixture(scope="module")
        def server():
            yield
            raise RuntimeError("did not stop")

        def test_uses(server):
            pass

        @pytest.mark.xfail
        @pytest.mark.skip
        def test_last():
            pass
        """
    ).assert_outcomes(passed=1, skipped=1, errors=1)
