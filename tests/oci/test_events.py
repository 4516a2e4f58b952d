"""``events``: what a container uses, and when it is out of memory."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .bundle import TIMEOUT, Bundle
from .confined import V2, WHO_HAS_CGROUPS, need_controllers
from .identity import demotion
from .lifecycle import ok, start, state, verb, wait_for, wait_for_status
from .runtime_under_test import is_crun, ours_only, runtime_command
from .test_errors import assert_one_sentence

UNLIMITED = 2**64 - 1 if V2 else 9223372036854771712


@pytest.fixture(autouse=True)
def _has_what_it_takes() -> None:
    if is_crun():
        pytest.skip("crun has no such verb")
    need_controllers()


def stats(bundle: Bundle) -> dict[str, Any]:
    """Return the data of ``events --stats``, which is one line."""
    (line,) = ok(bundle, "events", "--stats", bundle.id).lines
    event = json.loads(line)
    assert list(event) == ["type", "id", "data"]
    assert (event["type"], event["id"]) == ("stats", bundle.id)
    data: dict[str, Any] = event["data"]
    return data


@contextmanager
def events(bundle: Bundle, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Let ``events`` run."""
    command = [*runtime_command(), "events", *options, bundle.id]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what is not read yet shall be seen by select
        env=bundle.environment(),
        **demotion(bundle.identity),
    ) as popen:
        try:
            yield popen
        finally:
            popen.kill()


def next_line(popen: subprocess.Popen[bytes]) -> str:
    """Return the next line of output, or an empty string at its end."""
    assert popen.stdout is not None
    ready, _, _ = select.select([popen.stdout], [], [], TIMEOUT)
    assert ready, f"no line within {TIMEOUT} s"
    return popen.stdout.readline().decode()


@WHO_HAS_CGROUPS
def test_stats_have_runcs_layout(bundle: Bundle) -> None:
    """Limits and use of CPU, memory and pids, under runc's names."""
    bundle.linux["resources"] = {"memory": {"limit": 32 << 20}, "pids": {"limit": 20}}
    start(bundle, "sleep 100 & echo started; wait")
    data = stats(bundle)
    sections = ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt"]
    assert [name for name in data if name != "network_interfaces"] == sections
    assert data["pids"] == {"current": 2, "limit": 20}
    assert data["cpu"]["usage"]["total"] > 0
    assert {"kernel", "user"} <= set(data["cpu"]["usage"])
    usage = data["memory"]["usage"]
    assert usage["limit"] == 32 << 20
    assert 0 < usage["usage"] <= usage["max"] < 32 << 20
    assert usage["failcnt"] == 0
    assert "limit" in data["memory"]["swap"]
    if not V2:
        assert 0 in data["cpuset"]["cpus"]
        assert data["memory"]["raw"]["hierarchical_memory_limit"] == 32 << 20
        assert sum(data["cpu"]["usage"]["percpu"]) > 0


@WHO_HAS_CGROUPS
def test_stats_follow_the_limits(bundle: Bundle) -> None:
    """What ``update`` has changed is in the statistics; no limit is a number beyond all others."""
    start(bundle)
    assert stats(bundle)["memory"]["usage"]["limit"] == UNLIMITED
    ok(bundle, "update", "--memory", "52428800", "--pids-limit", "7", bundle.id)
    data = stats(bundle)
    assert (data["memory"]["usage"]["limit"], data["pids"]["limit"]) == (50 << 20, 7)


@WHO_HAS_CGROUPS
def test_a_stream_ends_with_the_container(bundle: Bundle) -> None:
    """Statistics come again and again, and the last line when the container has ended."""
    start(bundle)
    with events(bundle, "--interval", "50ms") as popen:
        for _ in range(3):
            event = json.loads(next_line(popen))
            assert (event["type"], event["id"]) == ("stats", bundle.id)
            assert event["data"]["pids"]["current"] >= 1
        ok(bundle, "delete", "--force", bundle.id)
        while next_line(popen):
            pass
        assert popen.wait(TIMEOUT) == 0


@WHO_HAS_CGROUPS
def test_the_interval_is_five_seconds(bundle: Bundle) -> None:
    """Without an interval the first statistics take their time; the end comes at once all the same."""
    start(bundle)
    began = time.monotonic()
    with events(bundle) as popen:
        wait_for(lambda: is_watching(popen))
        ok(bundle, "kill", bundle.id, "KILL")
        wait_for_status(bundle, "stopped")
        ok(bundle, "delete", bundle.id)
        lines = 0
        while next_line(popen):
            lines += 1
        assert lines <= (time.monotonic() - began) / 5
        assert popen.wait(TIMEOUT) == 0


@WHO_HAS_CGROUPS
def test_a_paused_container_has_statistics(bundle: Bundle) -> None:
    """A pause changes nothing about them."""
    start(bundle)
    ok(bundle, "pause", bundle.id)
    assert stats(bundle)["pids"]["current"] >= 1


@WHO_HAS_CGROUPS
def test_want_of_memory_is_an_event(bundle: Bundle) -> None:
    """A process that is killed for want of memory is a line of its own, as soon as it happens."""
    limits = {"limit": 32 << 20, "swap": 32 << 20}
    bundle.linux["resources"] = {"memory": limits}
    hog = "until [ -e /tmp/go ]; do sleep 0.05; done; dd if=/dev/zero of=/dev/null bs=100M count=1"
    output = start(bundle, f"echo started; {hog}; echo $?; sleep 100")
    with events(bundle, "--interval", "1h") as popen:
        wait_for(lambda: is_watching(popen))
        (bundle.rootfs / "tmp/go").touch()
        assert json.loads(next_line(popen)) == {"type": "oom", "id": bundle.id}
        wait_for(lambda: "137" in output.read_text())
        assert state(bundle)["status"] == "running"
        ok(bundle, "delete", "--force", bundle.id)
        while line := next_line(popen):
            assert json.loads(line)["type"] == "oom"


def is_watching(popen: subprocess.Popen[bytes]) -> bool:
    """Tell whether the runtime has opened what tells of want of memory."""
    for fd in Path(f"/proc/{popen.pid}/fd").iterdir():
        try:
            link = os.readlink(fd)
        except OSError:
            continue
        if "eventfd" in link or link.endswith("memory.events"):
            return True
    return False


@ours_only("its own sentences")
def test_what_has_no_events(bundle: Bundle) -> None:
    """A container that is not there, has stopped, or has no cgroup is an error that says so."""
    assert_one_sentence(verb(bundle, "events", bundle.id), "does not exist")
    assert_one_sentence(verb(bundle, "events"), "ID")
    bundle.process["args"] = ["sleep", "100"]
    bundle.write_config()
    ok(bundle, "--cgroup-manager", "disabled", "create", bundle.id)
    for options in ((), ("--stats",)):
        assert_one_sentence(verb(bundle, "events", *options, bundle.id), "it has no cgroup")
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")
    for options in ((), ("--stats",)):
        assert_one_sentence(verb(bundle, "events", *options, bundle.id), "not running")


@ours_only("its own sentences")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
@pytest.mark.parametrize("text", ["", "5", "0s", "-1s", "1.1.1s", "s", "ms5", "5y", "."])
def test_an_interval_that_is_none(bundle: Bundle, text: str) -> None:
    """A wrong interval is named."""
    assert_one_sentence(verb(bundle, "events", f"--interval={text}", bundle.id), f"'{text}'")
