"""What tests print is captured as in a plain run, and costs the host little, however much it is."""

from __future__ import annotations

import os
import subprocess

from .project import Project

#: Writes down the most memory that pytest itself ever had; what a sandbox writes there vanishes.
MEASURE = """
import pathlib, re

def pytest_unconfigure(config):
    peak = re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]
    (config.rootpath / "peak").write_text(peak)
"""

MUCH = """
import os, sys

def test_much():
    block = b"x" * 1023 + b"\\n"
    for _ in range(300 * 1024):
        os.write({fd}, block)
    {end}

def test_next():
    pass
"""


def peak_of(project: Project, *args: str) -> tuple[int, str]:
    """Run pytest and return the peak of its own memory in MB and its output."""
    project.write("conftest.py", MEASURE)
    result = project.run(*args)
    return int((project.path / "peak").read_text()) // 1024, result.stdout.str()


def test_300_megabytes(project: Project) -> None:
    """300 MB of output, of a test that passes, fails or crashes, cost the host less than 50 MB."""
    little = MUCH.replace("300 * 1024", "3").format(fd=1, end="pass")
    project.write("test_it.py", little)
    plain, _output = peak_of(project)
    for end, summary in (
        ("pass", "2 passed"),
        ("assert 0", "1 failed, 1 passed"),
        ("os._exit(0)", "1 failed, 1 passed"),
    ):
        project.write("test_it.py", MUCH.format(fd=1, end=end))
        peak, output = peak_of(project, "--nsisolate-all", "--show-capture=no")
        assert summary in output
        assert peak < plain + 50, f"{peak} MB after {plain} MB for {end}"


def test_beginning_and_end_are_kept(project: Project) -> None:
    """Of too much output the report has the beginning and the end, and says what it left out."""
    source = MUCH.replace("    block =", "    print('the beginning', flush=True)\n    block =")
    project.write("test_it.py", source.format(fd=1, end="print('the end'); assert 0"))
    result = project.run("--nsisolate-all")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["the beginning", "*left out by pytest-nsisolate*", "the end"])


def test_order_of_writers(project: Project) -> None:
    """Python, C and child processes write into one section in the order in which they wrote."""
    result = project.test(
        """
        import ctypes, subprocess, sys

        def test_writers():
            print("one", flush=True)
            libc = ctypes.CDLL(None)
            libc.puts(b"two")
            libc.fflush(None)
            subprocess.run(["echo", "three"])
            print("four")
            print("an error", file=sys.stderr)
            assert 0
        """
    )
    result.stdout.fnmatch_lines(
        [
            "*Captured stdout call*",
            "one",
            "two",
            "three",
            "four",
            "*Captured stderr call*",
            "an error",
        ],
        consecutive=True,
    )


def test_phases_have_their_sections(project: Project) -> None:
    """Output and log records of set-up, call and teardown are in sections of their own, as in a plain run."""
    project.write(
        "test_it.py",
        """
        import logging, pytest

        @pytest.fixture(scope="module")
        def wide():
            print("wide up")
            logging.warning("wide up logged")
            yield
            print("wide down")

        @pytest.fixture
        def narrow(wide):
            print("narrow up")
            yield
            print("narrow down")
            logging.warning("narrow down logged")

        def test_first(narrow):
            print("first")
            assert 0

        def test_second(narrow):
            logging.error("second logged")
            assert 0
        """,
    )
    isolated, plain = project.run("--nsisolate-all"), project.run()
    assert sections(isolated.outlines) == sections(plain.outlines)


def sections(lines: list[str]) -> list[str]:
    """Return the failures' part of the output."""
    start = next(n for n, line in enumerate(lines) if "= FAILURES =" in line)
    return lines[start:-1]


def test_live_output(project: Project) -> None:
    """With -s output appears when it is written, before the test has ended."""
    project.write(
        "test_it.py",
        """
        import pathlib, time

        def test_live(tmp_path_factory):
            print("alive", flush=True)
            seen = tmp_path_factory.getbasetemp() / "seen"
            deadline = time.monotonic() + 30
            while not seen.exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
        """,
    )
    base = project.path / "base"
    command = project.command("--nsisolate-all", "-s", f"--basetemp={base}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "alive" in line:
                (base / "seen").touch()
        assert running.wait(60) == 0


def test_capture_methods(project: Project) -> None:
    """The other capture methods show and keep what they show and keep in a plain run."""
    project.write(
        "test_it.py",
        """
        import os, sys

        def test_output():
            print("by python")
            print("error by python", file=sys.stderr)
            os.system("echo by a child")
            assert 0
        """,
    )
    for method in ("sys", "tee-sys", "no", "fd"):
        isolated = project.run("--nsisolate-all", f"--capture={method}")
        plain = project.run(f"--capture={method}")
        assert sections(isolated.outlines) == sections(plain.outlines)
        for line in ("by python", "by a child", "error by python"):
            assert isolated.outlines.count(line) == plain.outlines.count(line), (method, line)
            assert isolated.errlines.count(line) == plain.errlines.count(line), (method, line)


def test_bytes_that_are_no_text(project: Project) -> None:
    """Output that is not UTF-8 does no harm."""
    result = project.test(
        """
        import os

        def test_bytes():
            os.write(1, b"before \\xff\\xfe after\\n")
            assert 0
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["before * after"])


def test_terminal_is_not_written_to_by_captured_tests(project: Project) -> None:
    """With capturing on, nothing that a test prints reaches the streams that pytest was started with."""
    result = project.test(
        """
        import os

        def test_hidden():
            os.system("echo hidden; echo hidden >&2; echo hidden >/dev/stdout")
            print("hidden")
        """
    )
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*hidden*")
    assert not [line for line in result.errlines if "hidden" in line]
    assert os.path.exists(project.path / "test_it.py")


def test_a_stream_of_a_fixtures_own(project: Project) -> None:
    """A wide fixture may put something in the place of sys.stdout that only writes."""
    project.test(
        """
        import sys
        import pytest

        class Written(list):
            write = list.append

        @pytest.fixture(scope="session", autouse=True)
        def written():
            before, sys.stdout = sys.stdout, Written()
            yield sys.stdout
            sys.stdout = before

        def test_it(written):
            sys.stdout.write("written")
            assert written == ["written"]

        def test_next(written):
            assert written == []
        """,
        "-s",
    ).assert_outcomes(passed=2)
