"""``--no-pivot``: the rootfs is moved to the root, where pivot_root(2) does not work (in an initramfs)."""

from __future__ import annotations

import ctypes
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bundle import TIMEOUT, Bundle
from .lifecycle import launch, ok, verb, wait_for
from .runtime_under_test import ours_only

pytestmark = ours_only("what becomes of the old root")

MASKED = ["/proc/keys", "/proc/timer_list"]
_IN_UNMOUNT = 0x2000  # inotify(7): the file system is gone
#: CAP_SETFCAP: user_namespaces(7), to map root.
UNSHARE = "unshare -Urmpf sh -c 'mount -t proc none /proc && cat /proc/keys'"


def run(bundle: Bundle, script: str) -> str:
    """Run a script to its end, without pivot_root; return what it says in either stream."""
    bundle.process["args"] = ["sh", "-c", script]
    bundle.write_config()
    finished = verb(bundle, "run", "--no-pivot", bundle.id)
    return finished.out + finished.err


def test_the_rootfs_is_the_root(bundle: Bundle) -> None:
    """The container works, and exec joins it."""
    bundle.process["args"] = ["sh", "-c", "ls / | head -n 1; sleep 100"]
    output = launch(bundle, "run", "--detach", "--no-pivot")
    wait_for(lambda: output.read_text() == "bin\n")
    assert ok(bundle, "exec", bundle.id, "ls", "/").lines[0] == "bin"


def test_no_bare_proc_can_be_mounted(bundle: Bundle) -> None:
    """The kernel lets a further user namespace mount /proc only where an unmasked one is to be seen.

    The host's is one, wherever it is hidden.
    """
    bundle.add_capabilities("CAP_SETFCAP")
    bundle.linux["maskedPaths"] = MASKED
    assert "ermission denied" in run(bundle, UNSHARE)


def test_without_masks_it_may_be_mounted(bundle: Bundle) -> None:
    """It is the masks that forbid it: the container's own /proc is bare here, and so may another be."""
    bundle.add_capabilities("CAP_SETFCAP")
    assert "denied" not in run(bundle, UNSHARE)


@pytest.fixture
def mounted(bundle: Bundle) -> Iterator[Path]:
    """Yield a tmpfs that is mounted on the host."""
    path = bundle.directory("mounted")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    yield path
    if path.is_mount():
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_the_containers_life_keeps_no_mount_of_the_host(bundle: Bundle, mounted: Path) -> None:
    """Once the host has unmounted a file system it is gone: the hidden old root has no copy of it."""
    libc = ctypes.CDLL(None)
    events = libc.inotify_init1(os.O_CLOEXEC)
    try:
        assert libc.inotify_add_watch(events, os.fsencode(mounted), _IN_UNMOUNT) >= 0
        bundle.process["args"] = ["sleep", "100"]
        launch(bundle, "run", "--detach", "--no-pivot")
        subprocess.run(["umount", mounted], check=True)
        ready, _, _ = select.select([events], [], [], TIMEOUT)
        assert ready, "something still holds the file system"
    finally:
        os.close(events)
