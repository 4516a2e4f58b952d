"""``podman run`` in the foreground: what a user sees of the container, and that nothing is left of it."""

from __future__ import annotations

import os

import pytest

from . import image
from .podman import Podman


def test_nothing_is_left_of_a_container_that_is_removed(podman: Podman) -> None:
    """``run --rm`` prints what the container does; then podman and the runtime know nothing of it."""
    assert podman.output("echo out; hostname; ls /data", "--hostname", "pier") == (
        "out\npier\nfrom-image"
    )
    assert podman.ok("ps", "--all", "--quiet") == ""
    assert podman.room.remains() == []
    assert podman.room.calls_of("create")


def test_streams_are_kept_apart(podman: Podman) -> None:
    """Standard output and error are two."""
    finished = podman("run", "--rm", image.NAME, "sh", "-c", "echo out; echo err >&2")
    assert (finished.out, finished.err) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 42", 42), ("kill -KILL $$", 137), ("kill $$", 143)]
)
def test_exit_code(podman: Podman, script: str, code: int) -> None:
    """The exit code is the container's, and 128 more than the signal that ended it."""
    # PID 1 is deaf to its own signals, so the shell is not.
    command = ["sh", "-c", f"sh -c '{script}'; exit $?"]
    assert podman("run", "--rm", image.NAME, *command).code == code


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("not-executable", 126)])
def test_program_that_cannot_run(podman: Podman, program: str, code: int) -> None:
    """As in a shell: 127 if there is no such program, 126 if it is none; and the message names it."""
    finished = podman("run", "--rm", image.NAME, f"/bin/{program}")
    assert (finished.code, finished.out) == (code, "")
    assert program in finished.err
    assert podman.room.remains() == []


def test_program_not_in_path(podman: Podman) -> None:
    """127 as well for a name that is looked up."""
    finished = podman("run", "--rm", image.NAME, "no-such-program")
    assert finished.code == 127
    assert 'no-such-program' in finished.err


def test_input_is_piped_through(podman: Podman) -> None:
    """With ``-i`` standard input arrives unharmed, whatever it holds and however much it is."""
    sent = os.urandom(500_000) + b"\n"
    assert podman.output("cat | wc -c; echo end", "-i", stdin=sent) == f"{len(sent)}\nend"
    assert podman.output("cat", "--interactive", stdin=b"line\n") == "line"


def test_without_interactive_there_is_no_input(podman: Podman) -> None:
    """Without ``-i`` the input is empty."""
    assert podman.output("cat; echo end", stdin=b"unseen") == "end"
