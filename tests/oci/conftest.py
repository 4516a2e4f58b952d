"""The fixtures of the black-box tests: who calls the runtime, a bundle, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import APPLETS, BUSYBOX, Bundle, base_config, wait_until_gone
from .identity import Identity, demotion, identity_named
from .runtime_under_test import is_ours, runtime_command


@pytest.fixture(params=["root", "root-userns", "user"])
def identity(request: pytest.FixtureRequest) -> Identity:
    """Return who calls the runtime; each test runs once for each that is possible here."""
    chosen = identity_named(request.param)
    chosen.need()
    return chosen


@pytest.fixture(scope="session")
def busybox() -> str:
    """Return the path of Debian's static busybox."""
    capabilities.need(os.access(BUSYBOX, os.X_OK), "busybox (apt-get install busybox-static)")
    return BUSYBOX


@pytest.fixture
def bundle(identity: Identity, busybox: str) -> Iterator[Bundle]:
    """Yield a bundle that works, for the test to change; afterwards nothing of it may be left."""
    path = Path(tempfile.mkdtemp(prefix="nsisolate-oci-"))
    made = Bundle(path, identity, base_config(identity))
    try:
        _fill(made, busybox)
        yield made
    finally:
        _end_what_was_started(made)
        _forget(made)
        left = _processes_of(made)
        for pid in left:
            _kill(pid)
        mounts = _mounts_below(path)
        for mounted in reversed(mounts):
            subprocess.run(["umount", "-l", mounted], check=False)
        _remove(path)
    assert not left, f"processes were left behind: {left}"
    assert not mounts, f"mounts were left behind: {mounts}"


def _fill(bundle: Bundle, busybox: str) -> None:
    # Readable for the ids that a user namespace maps; pytest's own tmp_path is not.
    bundle.path.chmod(0o755)
    if bundle.identity.is_ordinary_user:
        bundle.give(bundle.path)
    for name in ("", "bin", "tmp", "etc"):
        (bundle.rootfs / name).mkdir()
        bundle.give(bundle.rootfs / name)
    (bundle.rootfs / "tmp").chmod(0o1777)
    shutil.copy(busybox, bundle.rootfs / "bin/busybox")
    for applet in APPLETS:
        (bundle.rootfs / "bin" / applet).symlink_to("busybox")


def _end_what_was_started(bundle: Bundle) -> None:
    for running in bundle.started:
        if running.popen.poll() is None:
            running.popen.kill()
        running.popen.wait()
        for stream in (running.popen.stdin, running.popen.stdout, running.popen.stderr):
            if stream is not None:
                stream.close()


def _processes_of(bundle: Bundle) -> list[int]:
    """Return the pids of the live processes whose environment carries the bundle's id."""
    marker = f"NSISOLATE_TEST={bundle.id}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        try:
            if marker in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                found.append(int(name))
        except OSError:
            continue
    return [pid for pid in found if not _ends_by_itself(pid)]


def _ends_by_itself(pid: int) -> bool:
    # The launcher's end and the kernel's killing of the container are not one moment.
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return wait_until_gone(pidfd, 2)
    finally:
        os.close(pidfd)


def _mounts_below(path: Path) -> list[str]:
    """Return the mount points in the bundle that the host sees."""
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    return [place for line in table if (place := line.split()[4]).startswith(str(path))]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _remove(path: Path) -> None:
    if os.geteuid() != 0:
        # overlay's work directory has mode 0, which its owner may change.
        subprocess.run(["chmod", "-R", "u+rwX", str(path)], check=True)
    shutil.rmtree(path)


def _forget(bundle: Bundle) -> None:
    """Let the runtime forget a container that it may have kept, and its cgroup with it."""
    if not is_ours() or bundle.state_directory.exists():
        subprocess.run(
            [*runtime_command(), "delete", "--force", bundle.id],
            capture_output=True,
            check=False,
            env=bundle.environment(),
            **demotion(bundle.identity),
        )
        with contextlib.suppress(OSError):
            os.rmdir(f"/sys/fs/cgroup/{bundle.id}")
