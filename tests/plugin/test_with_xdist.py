"""pytest-xdist: workers of all kinds have sandboxes of their own, and report what they would plainly."""

from __future__ import annotations

import json
import re
import shutil
import sys

import pytest

from .comparison import run_with
from .project import Project
from .test_differential import CORPUS

#: Records what arrives, not what a worker sends.
RECORD_HERE = """
    import os

    if "PYTEST_XDIST_WORKER" not in os.environ:
        from recorder import pytest_runtest_logreport
"""

CONFTEST = """
    import os, pytest

    @pytest.fixture(scope="session")
    def worker(worker_id, testrun_uid):
        assert os.environ["PYTEST_XDIST_WORKER"] == worker_id
        assert os.environ["PYTEST_XDIST_TESTRUNUID"] == testrun_uid
        return worker_id
"""

TESTS = """
    import os, pytest

    @pytest.mark.parametrize("number", range(4))
    def test_number(number, worker):
        print("in", number)
        assert number != 3

    @pytest.mark.xdist_group("one")
    def test_group(tmp_path):
        (tmp_path / "file").write_text("content")

    @pytest.mark.xdist_group("one")
    def test_group_too(record_property):
        record_property("name", 1)

    class TestClass:
        def test_skip(self):
            pytest.skip("a reason")

        @pytest.mark.xfail
        def test_xfail(self, worker):
            assert worker == "none"

        def test_error(self, no_such_fixture):
            pass
"""


@pytest.fixture
def distributed(project: Project) -> Project:
    """Return a project with tests to distribute."""
    shutil.copy(CORPUS / "recorder.py", project.path)
    project.write("record_here.py", RECORD_HERE)
    project.write("tests/conftest.py", CONFTEST)
    project.write("tests/test_a.py", TESTS)
    project.write("tests/test_b.py", TESTS)
    return project


def records(project: Project, monkeypatch: pytest.MonkeyPatch, *args: str) -> list[str]:
    """Return what was recorded of each report; which worker it came from is not of interest."""
    record = project.path / "record"
    record.unlink(missing_ok=True)
    monkeypatch.setenv("CORPUS_RECORD", str(record))
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    result = run_with(project, ["xdist", "record_here"], "-W", "ignore", *args)
    found = [re.sub(r"gw\d+", "gw", line) for line in record.read_text().splitlines()]
    return [*sorted(found), result.outlines[-1].partition(" in ")[0].strip("= "), str(result.ret)]


@pytest.mark.parametrize(
    "dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each", "no"]
)
def test_dist(distributed: Project, monkeypatch: pytest.MonkeyPatch, dist: str) -> None:
    """Every mode of distribution reports the same as without isolation."""
    options = ("-n2", f"--dist={dist}", "tests")
    plain = records(distributed, monkeypatch, *options)
    assert records(distributed, monkeypatch, *options, "--nsisolate-all") == plain
    assert plain[-2].startswith("4 failed" if dist == "each" else "2 failed")
    assert len(plain) >= 3 * 18


@pytest.mark.parametrize("dist", ["load", "each"])
def test_remote_workers(
    distributed: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    dist: str,
) -> None:
    """A worker that is given its own copy of the tests, as on another machine, isolates them there."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    tests = str(distributed.path / "tests")
    worker = f"2*popen//python={sys.executable}//chdir={elsewhere}"
    options = (f"--dist={dist}", f"--tx={worker}", f"--rsyncdir={tests}", tests)
    plain = records(distributed, monkeypatch, *options)
    assert records(distributed, monkeypatch, *options, "--nsisolate-all") == plain
    assert (elsewhere / "tests" / "test_a.py").exists()
    assert len(plain) >= 3 * 18


def test_crash_of_a_test(distributed: Project) -> None:
    """An isolated test that crashes is one failure; its worker lives on."""
    distributed.write(
        "tests/test_a.py", "import os\ndef test_it():\n    os.kill(os.getpid(), 11)\n"
    )
    result = run_with(distributed, ["xdist"], "-n2", "--nsisolate-all", "tests/test_a.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["the test's process was killed by SIGSEGV before*"])
    result.stdout.no_fnmatch_line("*node down*")


def test_crash_of_a_worker(distributed: Project) -> None:
    """A worker that a plain test takes down is replaced, and isolated tests go on in the new one."""
    distributed.write(
        "tests/test_a.py",
        """
        import os, pytest

        @pytest.mark.isolated(False)
        def test_plain():
            os._exit(1)

        @pytest.mark.parametrize("number", range(6))
        def test_isolated(number, worker):
            assert os.getpid() < 100
        """,
    )
    result = run_with(distributed, ["xdist"], "-n2", "--nsisolate-all", "tests/test_a.py")
    result.assert_outcomes(failed=1, passed=6)
    result.stdout.fnmatch_lines(
        ["worker 'gw*' crashed while running 'tests/test_a.py::test_plain'"]
    )


def test_maxfail(distributed: Project) -> None:
    """-x ends the session in all workers."""
    result = run_with(distributed, ["xdist"], "-n2", "-x", "--nsisolate-all", "tests")
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_records_are_json(distributed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared are reports: with all their fields, of three phases."""
    found = records(distributed, monkeypatch, "-n2", "tests/test_a.py", "--nsisolate-all")
    whens = {json.loads(line)["when"] for line in found[:-2]}
    assert whens == {"setup", "call", "teardown"}
