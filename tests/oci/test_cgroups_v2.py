"""Limits in force on cgroup v2: by root, and by an ordinary user to whom one is delegated."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .confined import V2, cgroup_of
from .lifecycle import ok, start, state, verb, wait_for
from .runtime_under_test import ours_only
from .units import managed

pytestmark = ours_only("both of its managers of cgroups")
CONTROLLERS = {"cpu", "memory", "pids"}


def available(bundle: Bundle) -> set[str]:
    """Return the controllers that the caller's containers can have."""
    if not V2:
        return set()
    top = Path("/sys/fs/cgroup")
    if bundle.identity.is_ordinary_user:
        capabilities.need_ordinary_user()
        if not capabilities.has_cgroup_v2_of_its_own():
            return set()
        (own,) = Path("/proc/self/cgroup").read_text().splitlines()
        top = Path(f"{top}{own.removeprefix('0::')}").parent
    return set((top / "cgroup.controllers").read_text().split())


@pytest.fixture(params=["cgroupfs", "systemd"])
def limited(bundle: Bundle, request: pytest.FixtureRequest) -> Bundle:
    """Return a bundle whose limits cgroup v2 has to keep, made by either manager."""
    there = available(bundle) >= CONTROLLERS
    capabilities.need_of_machine(there, "cgroup v2 with cpu, memory and pids for its caller")
    return managed(bundle) if request.param == "systemd" else bundle


def counts(bundle: Bundle, file: str) -> dict[str, int]:
    """Return what a file of ``name number`` lines in the container's cgroup says."""
    text = (cgroup_of(state(bundle)["pid"], "") / file).read_text()
    return {name: int(number) for name, number in (line.split() for line in text.splitlines())}


def test_want_of_memory_is_told_from_a_mere_kill(limited: Bundle) -> None:
    """Who takes more than the limit is killed, and the cgroup has counted why; SIGKILL alone is not."""
    limited.linux["resources"] = {"memory": {"limit": 24 << 20, "swap": 24 << 20}}
    script = (
        "sh -c 'kill -KILL $$'; echo $? >/tmp/killed; "
        "tail -c 200000000 /dev/zero >/dev/null; echo $? >/tmp/starved; echo started; sleep 1000"
    )
    start(limited, script)
    codes = [(limited.rootfs / "tmp" / name).read_text() for name in ("killed", "starved")]
    assert codes == ["137\n", "137\n"]
    events = counts(limited, "memory.events")
    assert events["oom_kill"] == 1
    assert events["max"] > 0


def test_the_processes_are_counted(limited: Bundle) -> None:
    """No more than the limit are there, and the cgroup counts who was refused."""
    limited.linux["resources"] = {"pids": {"limit": 5}}
    one_more = "(until [ -e /tmp/go ]; do :; done; sleep 1000 &) &"
    start(limited, f"for i in 1 2 3; do sleep 1000 & done; {one_more} echo started; wait")
    assert counts(limited, "pids.events")["max"] == 0
    (limited.rootfs / "tmp/go").touch()
    wait_for(lambda: counts(limited, "pids.events")["max"] > 0)
    current = cgroup_of(state(limited)["pid"], "") / "pids.current"
    assert int(current.read_text()) <= 5


def test_exec_is_told_of_the_limit(limited: Bundle) -> None:
    """Where there is no room for a further process, the sentence says which limit it is."""
    limited.linux["resources"] = {"pids": {"limit": 2}}
    start(limited, "sleep 1000 & echo started; wait")
    finished = verb(limited, "exec", limited.id, "true")
    assert finished.code == 255
    assert "linux.resources.pids.limit" in finished.err
    assert "set-up" not in finished.err


def test_the_cpu_is_throttled(limited: Bundle) -> None:
    """Who uses up the quota has to wait, which the kernel counts; who has none never has to."""
    limited.linux["resources"] = {"cpu": {"quota": 5_000, "period": 50_000}}
    start(limited, "echo started; while :; do :; done")
    wait_for(lambda: counts(limited, "cpu.stat")["nr_throttled"] > 3)
    assert counts(limited, "cpu.stat")["throttled_usec"] > 0
    quota = cgroup_of(state(limited)["pid"], "") / "cpu.max"
    assert quota.read_text() == "5000 50000\n"
    ok(limited, "update", "--cpu-quota", "-1", limited.id)
    assert quota.read_text() == "max 50000\n"


def test_the_freezer_is_the_cgroups(limited: Bundle) -> None:
    """``pause`` freezes every process below the cgroup, and the kernel says so."""
    start(limited, "echo started; while :; do :; done")
    ok(limited, "pause", limited.id)
    assert counts(limited, "cgroup.events") == {"populated": 1, "frozen": 1}
    used = counts(limited, "cpu.stat")["usage_usec"]
    assert counts(limited, "cpu.stat")["usage_usec"] == used
    ok(limited, "resume", limited.id)
    assert counts(limited, "cgroup.events") == {"populated": 1, "frozen": 0}
    wait_for(lambda: counts(limited, "cpu.stat")["usage_usec"] > used)


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_the_device_program_is_asked_of_everybody(limited: Bundle) -> None:
    """Processes that come later are held by the same rules, and ``update`` replaces them."""
    kmsg = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"}
    limited.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    node = {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666}
    limited.linux["devices"] = [node]
    start(limited)
    script = "(: </dev/zero) && echo zero; : >/dev/kmsg && echo kmsg"
    exec_ = ("exec", limited.id, "sh", "-c", script)
    refused = verb(limited, *exec_)
    assert refused.out == "zero\n"
    assert "not permitted" in refused.err
    rules = {"devices": [*limited.linux["resources"]["devices"], kmsg]}
    file = limited.path / "rules.json"
    file.write_text(json.dumps(rules))
    ok(limited, "update", "--resources", str(file), limited.id)
    assert verb(limited, *exec_).out == "zero\nkmsg\n"


def test_the_cgroup_is_the_containers_own(limited: Bundle) -> None:
    """With a cgroup namespace and a writable /sys/fs/cgroup the container's root manages it."""
    limited.namespace("cgroup")
    limited.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["rw", "nosuid", "noexec", "nodev"])
    limited.linux["resources"] = {"pids": {"limit": 50}}
    script = (
        "cd /sys/fs/cgroup && mkdir inner && echo 0 >inner/cgroup.procs && "
        "echo +pids >cgroup.subtree_control && echo 3 >inner/pids.max && cat inner/pids.max && "
        "cat /proc/self/cgroup; cat pids.max"
    )
    assert limited.output(script).split() == ["3", "0::/inner", "50"]


def test_exec_joins_where_the_container_is(limited: Bundle) -> None:
    """A further process is under the same limits, also an ordinary user's."""
    limited.linux["resources"] = {"pids": {"limit": 40}}
    start(limited)
    own = cgroup_of(state(limited)["pid"], "")
    found = ok(limited, "exec", limited.id, "cat", "/proc/self/cgroup").out
    assert found.strip() == f"0::{str(own).removeprefix('/sys/fs/cgroup')}"
    assert os.path.exists(own / "pids.max")
