"""``kill``: whom it reaches when the first process does not take the others along."""

from __future__ import annotations

import json
import os
import signal

import pytest

from .bundle import Bundle, wait_until_gone
from .confined import WHO_HAS_CGROUPS, cgroups_named
from .lifecycle import create, ok, start, state, verb, wait_for_status
from .runtime_under_test import is_crun, is_runc, ours_only
from .test_errors import assert_one_sentence


def start_with_children(bundle: Bundle) -> list[int]:
    """Start a container with the host's pids, and further processes in it; return the pidfds of all."""
    bundle.drop_namespace("pid")
    bundle.config["mounts"] = bundle.config["mounts"][1:]
    bundle.bind("/proc", "/proc", "rbind")
    start(bundle, "sleep 100 & echo started; wait")
    for _ in range(2):
        ok(bundle, "exec", "--detach", bundle.id, "sleep", "100")
    pids = json.loads(ok(bundle, "ps", "--format", "json", bundle.id).out)
    assert len(pids) == 4
    return [os.pidfd_open(pid) for pid in pids]


def have_all_ended(pidfds: list[int]) -> bool:
    """Wait for the end of processes, and close their pidfds."""
    ended = [wait_until_gone(pidfd, 5) for pidfd in pidfds]
    for pidfd in pidfds:
        os.close(pidfd)
    return all(ended)


@WHO_HAS_CGROUPS
@pytest.mark.parametrize("init_is_gone", [False, True])
def test_kill_ends_all_without_a_pid_namespace(bundle: Bundle, init_is_gone: bool) -> None:
    """KILL ends every process of a container that shares the host's pids, also after its first one."""
    if is_runc() or is_crun():
        pytest.skip("runc does so from 1.2 on")
    pidfds = start_with_children(bundle)
    if init_is_gone:
        ok(bundle, "exec", bundle.id, "true")
        os.kill(state(bundle)["pid"], signal.SIGKILL)
        wait_for_status(bundle, "stopped")
        assert len(json.loads(ok(bundle, "ps", "--format", "json", bundle.id).out)) == 3
    ok(bundle, "kill", bundle.id, "KILL")
    assert have_all_ended(pidfds)
    assert_one_sentence(verb(bundle, "kill", bundle.id, "KILL"), "not running")


@WHO_HAS_CGROUPS
@pytest.mark.parametrize("options", [(), ("--force",)])
def test_delete_ends_what_is_left(bundle: Bundle, options: tuple[str, ...]) -> None:
    """``delete`` of a container whose first process has ended ends the others, and removes the cgroup."""
    if is_runc() or is_crun():
        pytest.skip("runc does so from 1.2 on")
    pidfds = start_with_children(bundle)
    os.kill(state(bundle)["pid"], signal.SIGKILL)
    wait_for_status(bundle, "stopped")
    ok(bundle, "delete", *options, bundle.id)
    assert have_all_ended(pidfds)
    assert not cgroups_named(bundle.id)


@WHO_HAS_CGROUPS
def test_other_signals_reach_the_first_process_only(bundle: Bundle) -> None:
    """TERM is for the container's own process to deal with."""
    pidfds = start_with_children(bundle)
    ok(bundle, "kill", bundle.id, "TERM")
    wait_for_status(bundle, "stopped")
    running = [not wait_until_gone(pidfd, 0) for pidfd in pidfds]
    assert sum(running) == 3
    ok(bundle, "delete", "--force", bundle.id)
    assert have_all_ended(pidfds)


@ours_only("runc has no such option")
def test_all_that_match(bundle: Bundle) -> None:
    """``--regex`` signals every container whose id matches; that there is none is no error."""
    create(bundle)
    ok(bundle, "kill", "--regex", "nobody-has-such-an-id", "KILL")
    assert state(bundle)["status"] == "created"
    ok(bundle, "kill", "--regex", f"^{bundle.id[:-2]}..$", "KILL")
    wait_for_status(bundle, "stopped")
    assert_one_sentence(verb(bundle, "kill", "--regex", "("), "--regex")


def test_signal_zero_only_asks(bundle: Bundle) -> None:
    """Signal 0 reaches nobody, and tells whether there is somebody."""
    create(bundle)
    ok(bundle, "kill", bundle.id, "0")
    assert state(bundle)["status"] == "created"
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")
    assert verb(bundle, "kill", bundle.id, "0").code == 1
