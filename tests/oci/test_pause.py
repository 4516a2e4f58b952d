"""``pause`` and ``resume``, and what the other verbs do with a paused container."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from .. import capabilities
from .bundle import TIMEOUT, Bundle, wait_until_gone
from .confined import WHO_HAS_CGROUPS, cgroup_of, cgroups_named
from .identity import demotion
from .lifecycle import create, ok, start, state, verb, wait_for, wait_for_status
from .runtime_under_test import is_ours, known_of_crun, ours_only, runtime_command
from .test_errors import assert_one_sentence

COUNTS = "echo started; while true; do echo x >>/tmp/counted; done"


def counted(bundle: Bundle) -> int:
    """Return how far the container has got."""
    path = bundle.rootfs / "tmp/counted"
    return path.stat().st_size if path.exists() else 0


@WHO_HAS_CGROUPS
def test_a_paused_container_stands_still(bundle: Bundle) -> None:
    """No process of a paused container goes on; after ``resume`` they do, with nothing lost."""
    start(bundle, COUNTS)
    wait_for(lambda: counted(bundle))
    pid = state(bundle)["pid"]
    ok(bundle, "pause", bundle.id)
    before = counted(bundle)
    paused = state(bundle)
    assert (paused["status"], paused["pid"]) == ("paused", pid)
    assert counted(bundle) == before
    ok(bundle, "resume", bundle.id)
    assert state(bundle)["status"] == "running"
    wait_for(lambda: counted(bundle) > before)
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")


@WHO_HAS_CGROUPS
def test_every_process_stands_still(bundle: Bundle) -> None:
    """Children, and what ``exec`` has brought in, are paused too."""
    start(bundle, f"({COUNTS}) & wait")
    ok(bundle, "exec", "--detach", bundle.id, "sh", "-c", "while true; do :>/tmp/now; done")
    now = bundle.rootfs / "tmp/now"
    wait_for(now.exists)
    ok(bundle, "pause", bundle.id)
    before = counted(bundle), now.stat().st_mtime_ns
    pids = json.loads(ok(bundle, "ps", "--format", "json", bundle.id).out)
    assert len(pids) == 3
    assert (counted(bundle), now.stat().st_mtime_ns) == before


@WHO_HAS_CGROUPS
def test_what_a_paused_container_refuses(bundle: Bundle) -> None:
    """It cannot be paused once more, started, executed in, or deleted without force."""
    known_of_crun("pauses a paused container, and executes in it")
    start(bundle)
    finished = verb(bundle, "resume", bundle.id)
    assert finished.code == 1
    assert "not paused" in finished.err
    ok(bundle, "pause", bundle.id)
    for args in (("pause",), ("start",), ("exec",), ("delete",)):
        finished = verb(bundle, args[0], bundle.id, *(["true"] if args == ("exec",) else []))
        assert finished.code != 0, args
        if is_ours():
            assert "paused" in finished.err
    assert state(bundle)["status"] == "paused"


@WHO_HAS_CGROUPS
@ours_only("its own layout")
def test_list_and_ps_show_it(bundle: Bundle) -> None:
    """``list`` says that it is paused, and ``ps`` still has its processes."""
    start(bundle)
    ok(bundle, "pause", bundle.id)
    (row,) = [line for line in ok(bundle, "list").lines if line.startswith(bundle.id)]
    assert row.split()[2] == "paused"
    pid = str(state(bundle)["pid"])
    assert pid in [line.split()[1] for line in ok(bundle, "ps", bundle.id).lines]


@WHO_HAS_CGROUPS
def test_a_created_container_can_be_paused(bundle: Bundle) -> None:
    """Before ``start`` there is a process to pause already; afterwards it can be started."""
    known_of_crun("says created of a created container that is paused")
    output = create(bundle)
    ok(bundle, "pause", bundle.id)
    assert state(bundle)["status"] == "paused"
    assert verb(bundle, "start", bundle.id).code == 1
    ok(bundle, "resume", bundle.id)
    assert state(bundle)["status"] == "created"
    ok(bundle, "start", bundle.id)
    wait_for(lambda: output.read_text() == "started\n")


@WHO_HAS_CGROUPS
def test_a_signal_waits_for_the_end_of_the_pause(bundle: Bundle) -> None:
    """A signal other than KILL is taken when the container goes on."""
    output = start(bundle)
    ok(bundle, "pause", bundle.id)
    ok(bundle, "kill", bundle.id, "TERM")
    assert state(bundle)["status"] == "paused"
    assert output.read_text() == "started\n"
    ok(bundle, "resume", bundle.id)
    wait_for(lambda: output.read_text() == "started\ngot TERM\n")


@WHO_HAS_CGROUPS
@pytest.mark.parametrize("options", [(), ("--all",)])
def test_a_paused_container_can_be_killed(bundle: Bundle, options: tuple[str, ...]) -> None:
    """KILL ends a paused container, as it is."""
    start(bundle)
    pidfd = os.pidfd_open(state(bundle)["pid"])
    try:
        ok(bundle, "pause", bundle.id)
        ok(bundle, "kill", *options, bundle.id, "KILL")
        assert wait_until_gone(pidfd)
    finally:
        os.close(pidfd)
    wait_for_status(bundle, "stopped")
    ok(bundle, "delete", bundle.id)


@WHO_HAS_CGROUPS
def test_a_paused_container_can_be_deleted_by_force(bundle: Bundle) -> None:
    """``delete --force`` leaves nothing of a paused container."""
    start(bundle)
    ok(bundle, "pause", bundle.id)
    ok(bundle, "delete", "--force", bundle.id)
    assert verb(bundle, "state", bundle.id).code == 1
    assert not cgroups_named(bundle.id)


@WHO_HAS_CGROUPS
def test_exec_waits_with_ignore_paused(bundle: Bundle) -> None:
    """``exec --ignore-paused`` is possible at once, and its process runs when the pause is over."""
    capabilities.need("crun" not in runtime_command()[0], "a runtime with exec --ignore-paused")
    start(bundle)
    cgroup = cgroup_of(state(bundle)["pid"], "freezer")
    ok(bundle, "pause", bundle.id)
    command = [*runtime_command(), "exec", "--ignore-paused", bundle.id, "echo", "through"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=bundle.environment(),
        **demotion(bundle.identity),
    ) as executing:
        wait_for(lambda: len((cgroup / "cgroup.procs").read_text().split()) > 1)
        assert executing.poll() is None
        ok(bundle, "resume", bundle.id)
        out, _ = executing.communicate(timeout=TIMEOUT)
    assert (executing.returncode, out) == (0, "through\n")


@ours_only("its own sentences")
@pytest.mark.parametrize("verb_name", ["pause", "resume"])
def test_what_can_be_neither_paused_nor_resumed(bundle: Bundle, verb_name: str) -> None:
    """A container that is not there, has stopped, or has no cgroup is an error that says so."""
    assert_one_sentence(verb(bundle, verb_name, bundle.id), "does not exist", bundle.id)
    assert_one_sentence(verb(bundle, verb_name), "ID")
    bundle.process["args"] = ["sleep", "100"]
    bundle.write_config()
    ok(bundle, "--cgroup-manager", "disabled", "create", bundle.id)
    said = "it has no cgroup" if verb_name == "pause" else "container not paused"
    assert_one_sentence(verb(bundle, verb_name, bundle.id), said)
    assert state(bundle)["status"] == "created"
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")
    assert_one_sentence(verb(bundle, verb_name, bundle.id), "is stopped")
