"""Telling systemd: NOTIFY_SOCKET in the runtime's environment (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bundle import TIMEOUT, Bundle
from .identity import demotion
from .lifecycle import create, ok, state, verb, wait_for_status
from .runtime_under_test import ours_only, runtime_command

pytestmark = ours_only("where the socket is inside, and what is passed on, differ")


@pytest.fixture
def manager(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Be the service manager: listen where NOTIFY_SOCKET says."""
    address = bundle.path / "manager"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(address))
        address.chmod(0o666)
        sock.settimeout(TIMEOUT)
        environment = bundle.environment() | {"NOTIFY_SOCKET": str(address)}
        monkeypatch.setattr(Bundle, "environment", lambda _self: environment)
        yield sock


def say(bundle: Bundle, message: bytes) -> None:
    """Say something as the container would: on the socket that it sees."""
    inside = Path(f"/proc/{state(bundle)['pid']}/root{bundle.path}/manager/notify")
    fd = os.open(inside.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(message, f"/proc/self/fd/{fd}/notify")
    finally:
        os.close(fd)


@pytest.mark.usefixtures("manager")
def test_the_socket_is_where_the_managers_is(bundle: Bundle) -> None:
    """NOTIFY_SOCKET names a socket inside, in a directory that takes nothing else."""
    script = 'echo "$1"; test -S "$1" && echo socket; mkdir "$1.d" || echo refused'
    bundle.process["args"] = ["sh", "-c", f'set -- "$NOTIFY_SOCKET"; {script}']
    out = bundle.run().out
    assert out.split() == [f"{bundle.path}/manager/notify", "socket", "refused"]


def test_what_is_said_is_passed_on(bundle: Bundle, manager: socket.socket) -> None:
    """A container in the foreground says what it may, and not who its main process is."""
    running = bundle.start("echo up; read x")
    assert running.line() == "up"
    say(bundle, b"READY=1")
    assert manager.recv(1000) == b"READY=1"
    say(bundle, b"MAINPID=1\nSTATUS=working\nFDSTORE=1\nWATCHDOG=1")
    assert manager.recv(1000) == b"STATUS=working\nWATCHDOG=1"
    assert running.finish("\n").code == 0


def test_start_waits_until_it_is_ready(bundle: Bundle, manager: socket.socket) -> None:
    """``start`` returns when the container is ready, and says whom to watch from then on."""
    create(bundle, "echo up; sleep 100")
    command = [*runtime_command(), "start", bundle.id]
    popen = subprocess.Popen(command, env=bundle.environment(), **demotion(bundle.identity))
    wait_for_status(bundle, "running")
    pid = state(bundle)["pid"]
    assert popen.poll() is None
    say(bundle, b"READY=1")
    assert manager.recv(1000) == b"MAINPID=%d\nREADY=1" % pid
    assert popen.wait(TIMEOUT) == 0
    ok(bundle, "delete", "--force", bundle.id)
    assert not bundle.state_directory.exists()


@pytest.mark.usefixtures("manager")
def test_start_does_not_wait_for_one_that_has_ended(bundle: Bundle) -> None:
    """A container that ends without having been ready lets ``start`` go."""
    create(bundle, "exit 3")
    assert verb(bundle, "start", bundle.id).code == 0
