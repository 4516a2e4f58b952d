"""Bundles that use up whatever there is: each ends as its limits say, and nothing is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from .bundle import Bundle
from .confined import WHO_HAS_CGROUPS, need_controllers
from .runtime_under_test import ours_only

pytestmark = ours_only("crun 1.8.1 refuses hybrid hosts")

#: Forks until it may not, and says how many there are.
FORKS = "n=1; while (sleep 60 &) 2>/dev/null && [ $n -lt 300 ]; do n=$((n+1)); done; echo $n"


@pytest.fixture
def limited(bundle: Bundle) -> Bundle:
    """Return a bundle with a limit of memory and of pids."""
    need_controllers()
    bundle.linux["resources"] = {"memory": {"limit": 32 << 20}, "pids": {"limit": 30}}
    return bundle


@WHO_HAS_CGROUPS
def test_fork_bomb(limited: Bundle) -> None:
    """A fork bomb gets as many processes as it may have; those that are left end with the container."""
    finished = limited.run(f"{FORKS} | tail -n 1; exit 3")
    assert finished.code in (2, 3)  # 2: the shell itself could not fork
    assert "fork" in finished.err


@WHO_HAS_CGROUPS
def test_deaf_processes(limited: Bundle) -> None:
    """As many processes as there may be, deaf to every signal that can be ignored, end with KILL."""
    deaf = "trap '' $(seq 1 8) $(seq 10 16) 18 $(seq 20 31); i=0; "
    fill = "while [ $i -lt 28 ]; do sleep 600 & i=$((i+1)); done; echo ready; exec sleep 600"
    running = limited.start(deaf + fill)
    assert running.line() == "ready"
    for name in ("TERM", "INT", "QUIT"):
        running.send(signal.Signals[f"SIG{name}"])
    running.send(signal.SIGHUP)
    pid = running.container_pid()
    assert len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()) == 28
    os.kill(pid, signal.SIGKILL)
    assert running.finish().code == 137


@WHO_HAS_CGROUPS
def test_memory_bomb(limited: Bundle) -> None:
    """A program that takes memory for ever is killed, and the runtime says why."""
    finished = limited.run("exec awk 'BEGIN { x = \"x\"; while (1) x = x x }'")
    assert finished.code == 137
    assert "memory" in finished.err


@WHO_HAS_CGROUPS
@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_disk_bomb(limited: Bundle, place: str) -> None:
    """What is written to a tmpfs without a size counts for the limit of memory."""
    limited.mount(place, "tmpfs", "tmpfs", ["nosuid", "nodev"])
    finished = limited.run(f"cat /dev/zero > {place}/big")
    assert finished.code == 137
    assert "memory" in finished.err


def test_disk_bomb_on_a_tmpfs_with_a_size(bundle: Bundle) -> None:
    """A tmpfs is full when it has its size."""
    bundle.mount("/tmp", "tmpfs", "tmpfs", ["size=1m"])
    finished = bundle.run("cat /dev/zero > /tmp/big; stat -c %s /tmp/big")
    assert "No space left on device" in finished.err
    assert finished.lines == [str(1 << 20)]


def test_descriptor_bomb(bundle: Bundle) -> None:
    """RLIMIT_NOFILE is the end of descriptors, of the container only."""
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 30, "hard": 30}]
    script = 'n=3; while [ $n -lt 60 ]; do eval "exec $n</dev/null" || exit 9; n=$((n+1)); done'
    finished = bundle.run(script)
    assert finished.code != 0
    assert "Too many open files" in finished.err or "Bad file descriptor" in finished.err


def test_output_flood(bundle: Bundle) -> None:
    """Output that nobody keeps is not kept by the runtime."""
    running = bundle.start("dd if=/dev/zero bs=1M count=300 2>/dev/null; grep VmHWM /proc/1/status")
    assert running.popen.stdout is not None
    read = 0
    while chunk := running.popen.stdout.read(1 << 20):
        read += len(chunk)
    assert read > 300 << 20
    assert running.finish().code == 0


def test_zombie_storm(bundle: Bundle) -> None:
    """What the container's first process does not reap is gone with it."""
    script = "i=0; while [ $i -lt 200 ]; do (true &); i=$((i+1)); done; exec sleep 600"
    running = bundle.start(f"echo ready; {script}")
    assert running.line() == "ready"
    os.kill(running.container_pid(), signal.SIGKILL)
    assert running.finish().code == 137
