"""What this machine and this user can do, and the one place that decides to skip.

A test that needs more calls :func:`need_root`, :func:`need` or :func:`need_of_machine`. With
``NSISOLATE_MUST_WORK=1``, as in CI, only "needs root" may skip, and only where we are not root, and what
takes another kind of machine; every other lack is a failure.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

import pytest


def must_work() -> bool:
    """Tell whether skips are forbidden."""
    return os.environ.get("NSISOLATE_MUST_WORK") == "1"


def is_root() -> bool:
    """Tell whether we are root."""
    return os.geteuid() == 0


def need_root() -> None:
    """Skip, as an ordinary user."""
    if not is_root():
        pytest.skip("needs root")


def need_ordinary_user() -> None:
    """Skip, as root: whoever root becomes has no login."""
    if is_root():
        pytest.skip("needs to be run by an ordinary user")


def need(fulfilled: bool, what: str) -> None:
    """Skip, or fail where everything must work, unless *fulfilled*."""
    if fulfilled:
        return
    if must_work():
        pytest.fail(f"this machine must have {what}")
    pytest.skip(f"needs {what}")


def need_subtests() -> None:
    """Skip unless pytest has the fixture of subtests itself; before pytest 9 that is a plugin's."""
    need(hasattr(pytest, "Subtests"), "pytest 9, with subtests")


def need_of_machine(fulfilled: bool, what: str) -> None:
    """Skip unless *fulfilled*, which takes another kind of machine; tests/machines has those.

    There, where NSISOLATE_TEST_MACHINE is set, it must be.
    """
    if fulfilled:
        return
    if "NSISOLATE_TEST_MACHINE" in os.environ:
        pytest.fail(f"this virtual machine must have {what}")
    pytest.skip(f"needs {what} (tests/machines)")


def has_program(name: str) -> bool:
    """Tell whether a program is installed."""
    return shutil.which(name) is not None


@functools.cache
def can_unshare(*options: str) -> bool:
    """Tell whether unshare(1) works with *options*, by doing it."""
    return has_program("unshare") and succeeds("unshare", *options, "true")


def succeeds(*command: str) -> bool:
    """Tell whether *command* ends with 0."""
    return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0


@functools.cache
def has_capability(number: int) -> bool:
    """Tell whether we have a capability ourselves, outside of any new user namespace."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) & 1 << number)
    return False


@functools.cache
def can_be_run_by(uid: int, program: str) -> bool:
    """Tell whether the ordinary user *uid* may execute *program* (asked as root)."""
    # Not by setpriv(1), which keeps root's capabilities until the program is there.
    try:
        done = subprocess.run(
            [program, "--version"],
            user=uid,
            group=uid,
            extra_groups=[],
            capture_output=True,
            timeout=20,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


@functools.cache
def has_cgroup_v2_of_its_own() -> bool:
    """Tell whether we, as an ordinary user, may make cgroups beside the one that we are in."""
    if is_root():
        return False
    with open("/proc/self/cgroup") as file:
        own = [line.rstrip("\n").partition("::")[2] for line in file if line.startswith("0::")]
    parent = f"/sys/fs/cgroup{os.path.dirname(own[0])}" if own else ""
    return bool(own) and all(os.access(p, os.W_OK) for p in (parent, f"{parent}/cgroup.procs"))


def can_make_cgroups() -> bool:
    """Tell whether we may make cgroups with limits, so that all limits of a test can be enforced."""
    return is_root() or has_cgroup_v2_of_its_own()
