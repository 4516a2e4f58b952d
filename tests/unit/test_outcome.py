"""What became of a process, and the exit code that a shell would show."""

from __future__ import annotations

import os
import signal

import pytest

from pytest_nsisolate.runtime.mounts.build import sysctl_path
from pytest_nsisolate.runtime.outcome import Exited, Signalled, of_wait_status


@pytest.mark.parametrize("code", [0, 1, 127, 255])
def test_an_exit(code: int) -> None:
    """An exit code is itself."""
    assert of_wait_status(code << 8) == Exited(code=code)
    assert Exited(code=code).exit_code == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_death_by_signal(number: int) -> None:
    """A death by signal N is 128 + N, and a core dump is told."""
    assert of_wait_status(number) == Signalled(signal=number)
    assert of_wait_status(number | 0x80) == Signalled(signal=number, dumped_core=True)
    assert Signalled(signal=number).exit_code == 128 + number


def test_a_real_status() -> None:
    """The status of a child that was killed is read right."""
    pid = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {})
    os.kill(pid, signal.SIGTERM)
    assert of_wait_status(os.waitpid(pid, 0)[1]) == Signalled(signal=signal.SIGTERM)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("kernel.shmmax", "kernel/shmmax"),
    ],
)
def test_the_path_of_a_sysctl(name: str, path: str) -> None:
    """Dots separate, unless slashes do."""
    assert sysctl_path(name) == f"/proc/sys/{path}"
