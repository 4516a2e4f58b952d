"""The exit code of ``run`` is what a shell would make of the container process."""

from __future__ import annotations

import signal
import subprocess

import pytest

from .bundle import Bundle
from .identity import demotion
from .runtime_under_test import is_ours, known_of_crun


@pytest.mark.parametrize("code", [0, 1, 7, 125, 126, 127, 128, 255])
def test_an_exit_code_is_passed_on(bundle: Bundle, code: int) -> None:
    """The container's exit code is the runtime's."""
    assert bundle.run(f"exit {code}").code == code


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "USR1"])
def test_death_by_signal_is_128_more(bundle: Bundle, name: str) -> None:
    """A container process that signal N ended gives 128 + N."""
    # PID 1 does not die of its own signals, so this one is not PID 1.
    bundle.drop_namespace("pid")
    if bundle.identity.user_namespace:
        bundle.config["mounts"] = bundle.config["mounts"][1:]
    bundle.process["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    assert bundle.run(f"kill -{name} $$").code == 128 + signal.Signals[f"SIG{name}"]


def test_a_program_that_is_missing_is_127(bundle: Bundle) -> None:
    """A program that is not in PATH is 127, as with a shell, and is named."""
    bundle.process["args"] = ["no-such-program"]
    finished = bundle.run()
    assert finished.code == (127 if is_ours() else 1)
    assert "no-such-program" in finished.err
    assert len(finished.err.splitlines()) == 1


def test_a_path_that_is_missing_is_127(bundle: Bundle) -> None:
    """A program given by a path that does not exist is 127."""
    bundle.process["args"] = ["/nonexistent/program"]
    finished = bundle.run()
    assert finished.code == (127 if is_ours() else 1)
    assert "/nonexistent/program" in finished.err


@pytest.mark.parametrize("program", ["/etc", "/etc/not-executable", "/etc/no-format"])
def test_what_cannot_be_executed_is_126(bundle: Bundle, program: str) -> None:
    """A directory, a file without the x bit and a file of no known format are 126."""
    (bundle.rootfs / "etc/not-executable").write_text("#!/bin/sh\n")
    (bundle.rootfs / "etc/no-format").write_bytes(b"\0nothing that runs")
    (bundle.rootfs / "etc/no-format").chmod(0o755)
    bundle.process["args"] = [program]
    finished = bundle.run()
    assert finished.code == (126 if is_ours() else 1)
    assert program in finished.err or not is_ours()


def test_a_script_whose_interpreter_is_missing_is_127(bundle: Bundle) -> None:
    """A script that is there and whose interpreter is not is 127, as with a shell."""
    known_of_crun("fails with 1")
    (bundle.rootfs / "etc/script").write_text("#!/nonexistent/interpreter\n")
    (bundle.rootfs / "etc/script").chmod(0o755)
    bundle.process["args"] = ["/etc/script"]
    assert bundle.run().code == 127


def test_nothing_runs_when_the_program_is_missing(bundle: Bundle) -> None:
    """An error leaves no output of a container behind, and no process (the fixture looks)."""
    bundle.process["args"] = ["/nonexistent"]
    assert bundle.run().out == ""


def test_output_is_complete(bundle: Bundle) -> None:
    """A lot of output at the end arrives whole."""
    finished = bundle.run("seq 1 100000")
    assert finished.lines[-1] == "100000"
    assert len(finished.lines) == 100000


def test_children_die_with_the_container_process(bundle: Bundle) -> None:
    """When PID 1 ends, the kernel ends the rest of its pid namespace (the fixture looks)."""
    bundle.process["args"] = ["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo started"]
    assert bundle.run().out == "started\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_without_standard_streams(bundle: Bundle, closed: str) -> None:
    """Whoever has closed them gets the exit code all the same, and nothing else lands in their place."""
    bundle.process["args"] = ["sh", "-c", "test $(ls /proc/self/fd | wc -l) = 4 && exit 7"]
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *bundle.command()]
    done = subprocess.run(
        command, env=bundle.environment(), check=False, **demotion(bundle.identity)
    )
    assert done.returncode == 7
