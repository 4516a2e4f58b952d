"""pytest's own options: an isolated run prints what a plain one prints, and ends with the same code."""

from __future__ import annotations

import re

import pytest

from .comparison import run_both, run_with, shown
from .project import Project

TESTS = """
    import logging, os, sys, time, warnings
    import pytest

    @pytest.fixture
    def logged():
        logging.getLogger("fixture").warning("set up")
        print("set up")
        yield
        print("torn down")

    def test_prints(logged):
        print("printed")
        print("an error", file=sys.stderr)

    def test_fails(logged):
        value = [1, 2]
        logging.getLogger("test").error("failing")
        assert value == [1, 3]

    def test_warns():
        warnings.warn("a warning")

    def test_deprecated():
        warnings.warn("deprecated", DeprecationWarning)

    @pytest.mark.skip(reason="a reason")
    def test_skip():
        pass

    @pytest.mark.xfail(reason="a bug")
    def test_xfail():
        assert 0

    @pytest.mark.xfail
    def test_xpass():
        pass

    class TestClass:
        def test_method(self, tmp_path):
            assert tmp_path.is_dir()

        def test_fails_too(self):
            raise ValueError("wrong")

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [1, 2])
    def test_number(number):
        assert number == 1
"""

OPTIONS = [
    "-x",
    "--maxfail=2 -v",
    "-k method -rA",
    "-m slow",
    "-l -vv",
    "--tb=short",
    "--tb=line",
    "--tb=native",
    "--tb=no -q",
    "-W error",
    "-W error::DeprecationWarning -p no:logging",
    "--collect-only",
    "--runxfail --capture=sys",
    "--import-mode=append",
    "--import-mode=importlib",
    "-c other.ini",
    "--rootdir=.. --basetemp=base",
    "-p no:cacheprovider -p no:warnings -p no:faulthandler",
    "-p no:tmpdir -p no:junitxml --show-capture=stdout",
    "-p no:subtests",
    "-W error --log-file=out.log",
    "-p no:terminal",
]


@pytest.fixture
def tests(project: Project) -> Project:
    """Return a project with tests of all outcomes."""
    project.write("test_it.py", TESTS)
    project.write("test_next.py", "def test_next():\n    pass\n")
    project.write("pytest.ini", "[pytest]\nmarkers =\n    slow: takes long\n")
    project.write("other.ini", "[pytest]\nmarkers = slow\naddopts = -rs\nfilterwarnings = ignore\n")
    return project


@pytest.mark.parametrize("options", OPTIONS)
def test_same(tests: Project, options: str) -> None:
    """Everything printed, and the exit code, are those of the plain run."""
    run_both(tests, *options.split())


def test_addopts_of_the_environment(tests: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTEST_ADDOPTS counts, and does not count twice."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-v --tb=line -k 'number or prints'")
    _plain, isolated = run_both(tests)
    isolated.assert_outcomes(passed=2, failed=1, deselected=9)


def test_durations(tests: Project) -> None:
    """--durations lists the slow ones, by phase: those of the sandbox."""
    tests.write("test_slow.py", "import time\n\ndef test_slow():\n    time.sleep(1)\n")
    result = run_with(tests, [], "--nsisolate-all", "--durations=1", "--durations-min=0.9")
    result.stdout.re_match_lines([r"\d\.\d\ds call     test_slow\.py::test_slow"])


@pytest.mark.parametrize("option", ["--lf", "--ff", "--nf", "--sw", "--lf --lfnf=none"])
def test_of_the_run_before(tests: Project, option: str) -> None:
    """Options that go by the last run's outcomes find them, and select or order the same."""
    seen = []
    for mode in ("--nsisolate=off", "--nsisolate-all"):
        tests.run_program("rm", "-rf", ".pytest_cache")
        tests.write("test_it.py", TESTS)
        first = run_with(tests, [], "-v", "--tb=line", *option.split(), mode)
        # Mend one of the failures.
        tests.write("test_it.py", TESTS.replace("value == [1, 3]", "value"))
        second = run_with(tests, [], "-v", "--tb=line", *option.split(), mode)
        third = run_with(tests, [], "-v", "--tb=line", *option.split(), mode)
        seen.append([(shown(result), result.ret) for result in (first, second, third)])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_junit_xml(tests: Project, family: str) -> None:
    """--junitxml is the same file, durations and times aside."""
    found = []
    for mode in ("--nsisolate=off", "--nsisolate-all"):
        options = ("--junitxml=out.xml", "-o", f"junit_family={family}", "-o", "junit_logging=all")
        run_with(tests, [], *options, mode)
        text = (tests.path / "out.xml").read_text()
        found.append(re.sub(r' (time|timestamp)="[^"]*"|pytest-\d+|0x[0-9a-f]+', "", text))
    assert found[0] == found[1]
    assert "printed" in found[1]


def test_log_file(tests: Project) -> None:
    """--log-file has the records of isolated tests."""
    found = []
    for mode in ("--nsisolate=off", "--nsisolate-all"):
        run_with(tests, [], "--log-file=out.log", "--log-file-format=%(name)s %(message)s", mode)
        found.append((tests.path / "out.log").read_text())
    assert found[0] == found[1]
    assert "test failing" in found[1]


def test_encodings_asked_for(tests: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a text file that is opened without an encoding is an error, nothing of ours is one."""
    monkeypatch.setenv("PYTHONWARNDEFAULTENCODING", "1")
    run_both(tests, "-W", "error::EncodingWarning")


def test_faulthandler_timeout(project: Project) -> None:
    """faulthandler_timeout shows where an isolated test is, and nothing of what waits for it."""
    project.write(
        "test_it.py",
        """
        import pytest, time

        @pytest.fixture(scope="module")
        def slow():
            time.sleep(0.6)

        def test_sleeps():
            time.sleep(0.6)

        def test_wide(slow):
            pass
        """,
    )
    result = run_with(project, [], "--nsisolate-all", "-o", "faulthandler_timeout=0.3")
    result.assert_outcomes(passed=2)
    lines = [line for line in result.outlines + result.errlines if "File" in line]
    assert [line for line in lines if line.endswith('test_it.py", line 9 in test_sleeps')]
    assert [line for line in lines if line.endswith('test_it.py", line 6 in slow')]
    assert not [line for line in lines if "/pytest_nsisolate/host/" in line]
