"""``podman run`` in the foreground: output, exit codes, input, terminal, signals."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from ..oci.runtime_under_test import known_of_crun
from ..terminal import Terminal
from . import image
from .calling import LISTENS, TIMEOUT, wait_until_signals_pass
from .podman import Podman, for_everyone
from .sitting import ANSWERS, sit_at


@for_everyone
def test_nothing_is_left_of_a_container_that_is_removed(podman: Podman) -> None:
    """``run --rm`` prints what the container does; then podman and the runtime know nothing of it."""
    script = "echo out; hostname; ls /data"
    assert podman.output(script, "--hostname", "pier") == "out\npier\nfrom-image"
    assert podman.ok("ps", "--all", "--quiet") == ""
    assert podman.room.remains() == []
    assert podman.room.calls_of("create")


def test_streams_are_kept_apart(podman: Podman) -> None:
    """Standard output and error are two."""
    finished = podman("run", "--rm", image.NAME, "sh", "-c", "echo out; echo err >&2")
    assert (finished.out, finished.err) == ("out\n", "err\n")


@for_everyone
@pytest.mark.parametrize(
    ("script", "code"), [("exit 42", 42), ("kill -KILL $$", 137), ("kill $$", 143)]
)
def test_exit_code(podman: Podman, script: str, code: int) -> None:
    """The exit code is the container's, and 128 more than the signal that ended it."""
    # PID 1 is deaf to its own signals; this shell has another below it.
    command = ["sh", "-c", f"sh -c '{script}'; exit $?"]
    assert podman("run", "--rm", image.NAME, *command).code == code


@for_everyone
@pytest.mark.parametrize(
    ("program", "code"),
    [("/bin/no-such-program", 127), ("no-such-program", 127), ("/bin/not-executable", 126)],
)
def test_program_that_cannot_run(podman: Podman, program: str, code: int) -> None:
    """As in a shell: 127 if there is no such program, 126 if it is none; and the message names it."""
    finished = podman("run", "--rm", image.NAME, program)
    assert (finished.code, finished.out) == (code, "")
    assert podman.ok("ps", "--all", "--quiet") == ""
    assert podman.room.remains() == []
    known_of_crun("does not say which program", when=code == 126)
    assert program in finished.err


@for_everyone
def test_input_is_piped_through(podman: Podman) -> None:
    """With ``-i`` standard input arrives unharmed, whatever it holds and however much it is."""
    sent = os.urandom(500_000) + b"\n"
    assert podman.output("cat | wc -c; echo end", "-i", stdin=sent) == f"{len(sent)}\nend"
    assert podman.output("cat", "--interactive", stdin=b"line\n") == "line"


def test_without_interactive_there_is_no_input(podman: Podman) -> None:
    """Without ``-i`` the input is empty."""
    assert podman.output("cat; echo end", stdin=b"unseen") == "end"


def test_much_output_is_complete(podman: Podman) -> None:
    """The last line of much output is not lost when the container ends right after it."""
    assert podman.output("seq 1 20000").splitlines()[-1] == "20000"


@for_everyone
def test_terminal(podman: Podman, terminal: Terminal) -> None:
    """``run -it`` gives a terminal of the user's size, which follows it, and what is typed arrives."""
    terminal.size(33, 99)
    command = ["run", "--rm", "-it", image.NAME, "sh", "-c", ANSWERS]
    with podman.at_terminal(terminal, *command) as running:
        sit_at(terminal, running)


def test_control_c_is_for_the_container(podman: Podman, terminal: Terminal) -> None:
    """With a terminal, Ctrl-C interrupts what runs in the container, and not podman."""
    script = "trap 'echo caught; exit 6' INT; echo ready; while :; do sleep 0.05; done"
    command = ["run", "--rm", "-it", image.NAME, "sh", "-c", script]
    with podman.at_terminal(terminal, *command) as running:
        terminal.wait_for("ready")
        terminal.type("\x03")
        terminal.wait_for("caught")
        assert running.popen.wait(TIMEOUT) == 6


# podman 4.3.1 does not pass on an ordinary user's signals, whatever the runtime.
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_passed_on(podman: Podman, sent: signal.Signals) -> None:
    """A signal sent to podman is the container's."""
    name = sent.name.removeprefix("SIG")
    script = f"trap 'echo caught; exit 7' {name}; {LISTENS}"
    with podman.running("run", "--rm", image.NAME, "sh", "-c", script) as running:
        wait_until_signals_pass(running)
        running.send(sent)
        finished = running.finish()
    assert finished.code == 7
    assert finished.lines[-1] == "caught"


def test_descriptors_are_passed_on(podman: Podman) -> None:
    """``--preserve-fds`` hands open files to the container."""
    passed = podman.room.write(podman.room.path / "passed", "")
    passed.chmod(0o666)
    command = podman.command("run", "--rm", "--preserve-fds=1", image.NAME)
    shell = ["sh", "-c", f'exec "$@" 3>{passed}', "sh"]
    command = [*shell, *command, "sh", "-c", "echo through >&3"]
    subprocess.run(command, env=podman.environment(), cwd="/", timeout=TIMEOUT, check=True)
    assert passed.read_text() == "through\n"


def test_without_cgroups(podman: Podman) -> None:
    """``--cgroups=disabled`` leaves the container in the cgroups of podman."""
    if podman.room.runtime.name == "runc":
        pytest.xfail("runc has no way to do without cgroups")
    ours = Path("/proc/self/cgroup").read_text().strip()
    assert podman.output("cat /proc/self/cgroup", "--cgroups=disabled", "--cgroupns=host") == ours
    (created,) = podman.room.calls_of("create")
    assert "--cgroup-manager disabled" in created
