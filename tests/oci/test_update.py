"""``update``: other limits for a container that is there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .. import capabilities
from .bundle import TIMEOUT, Bundle, Finished
from .confined import V2, WHO_HAS_CGROUPS, cgroup_of, need_controllers
from .identity import demotion
from .lifecycle import ok, start, state, verb, wait_for, wait_for_status
from .runtime_under_test import is_crun, is_ours, ours_only, runtime_command
from .test_errors import assert_one_sentence

#: File on v1 and on v2 of what the tests change.
FILES = {
    "memory": ("memory/memory.limit_in_bytes", "memory.max"),
    "reservation": ("memory/memory.soft_limit_in_bytes", "memory.low"),
    "swap": ("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
    "quota": ("cpu/cpu.cfs_quota_us", "cpu.max"),
    "period": ("cpu/cpu.cfs_period_us", "cpu.max"),
    "burst": ("cpu/cpu.cfs_burst_us", "cpu.max.burst"),
    "shares": ("cpu/cpu.shares", "cpu.weight"),
    "idle": ("cpu/cpu.idle", "cpu.idle"),
    "cpus": ("cpuset/cpuset.cpus", "cpuset.cpus"),
    "mems": ("cpuset/cpuset.mems", "cpuset.mems"),
    "pids": ("pids/pids.max", "pids.max"),
}
UNLIMITED = "max" if V2 else "9223372036854771712"


@pytest.fixture(autouse=True)
def _has_what_it_takes() -> None:
    need_controllers()


def path_of(bundle: Bundle, name: str) -> Path:
    """Return the file of the container's cgroup in which something is."""
    controller, _, file = FILES[name][0].partition("/")
    return cgroup_of(state(bundle)["pid"], controller) / (FILES[name][1] if V2 else file)


def value(bundle: Bundle, name: str) -> str:
    """Return what is in force."""
    path = path_of(bundle, name)
    capabilities.need(path.exists(), f"a kernel with {path.name}, for the container's cgroup")
    text = path.read_text().strip()
    if V2 and name in ("quota", "period"):
        quota, period = text.split()
        return period if name == "period" else quota.replace("max", "-1")
    return text


def values(bundle: Bundle, *names: str) -> list[str]:
    """Return several."""
    return [value(bundle, name) for name in names]


def update(bundle: Bundle, *options: str) -> None:
    """Update the container, which must succeed."""
    ok(bundle, "update", *options, bundle.id)


def update_from_stdin(bundle: Bundle, resources: Any) -> Finished:
    """Update with JSON, or what is none, on standard input."""
    done = subprocess.run(
        [*runtime_command(), "update", "--resources", "-", bundle.id],
        input=resources if isinstance(resources, str) else json.dumps(resources),
        env=bundle.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        **demotion(bundle.identity),
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@WHO_HAS_CGROUPS
def test_each_option_changes_its_limit(bundle: Bundle) -> None:
    """Every limit of an option is in force afterwards, and the others are as they were."""
    bundle.linux["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 20}}
    start(bundle)
    update(bundle, "--pids-limit", "11")
    assert values(bundle, "pids", "memory") == ["11", str(64 << 20)]
    update(bundle, "--memory", "33554432", "--memory-reservation", "16777216")
    assert values(bundle, "memory", "reservation") == [str(32 << 20), str(16 << 20)]
    update(bundle, "--cpu-share", "512")
    assert value(bundle, "shares") == ("59" if V2 else "512")
    assert value(bundle, "pids") == "11"
    update(bundle, "--pids-limit=-1")
    assert value(bundle, "pids") == "max"


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_cpus_and_memory_nodes(bundle: Bundle) -> None:
    """The container moves to the CPUs and memory nodes; those that there are not are refused."""
    start(bundle)
    update(bundle, "--cpuset-cpus", "0", "--cpuset-mems", "0")
    assert values(bundle, "cpus", "mems") == ["0", "0"]
    assert ok(bundle, "exec", bundle.id, "nproc").out == "1\n"
    if is_ours():
        finished = verb(bundle, "update", "--cpuset-cpus=4000", bundle.id)
        assert_one_sentence(finished, "linux.resources.cpu.cpus")
        finished = update_from_stdin(bundle, {"cpu": {"mems": "9999"}})
        assert_one_sentence(finished, "linux.resources.cpu.mems")
    assert values(bundle, "cpus", "mems") == ["0", "0"]


@WHO_HAS_CGROUPS
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50M", 50 << 20),
        ("50m", 50 << 20),
        ("51200KiB", 50 << 20),
        ("0.5g", 1 << 29),
        ("1gb", 1 << 30),
    ],
)
def test_bytes_may_have_a_unit(bundle: Bundle, text: str, expected: int) -> None:
    """Sizes are written as runc's users write them."""
    capabilities.need(not is_crun(), "a runtime that takes units")
    start(bundle)
    update(bundle, "--memory", text)
    assert value(bundle, "memory") == str(expected)


@WHO_HAS_CGROUPS
def test_quota_and_period_change_one_by_one(bundle: Bundle) -> None:
    """Each keeps the other, which on v2 is in the same file; without one of them there is the default."""
    start(bundle)
    assert values(bundle, "quota", "period") == ["-1", "100000"]
    for option, expected in (
        ("--cpu-quota=30000", ["30000", "100000"]),
        ("--cpu-period=50000", ["30000", "50000"]),
        ("--cpu-quota=40000", ["40000", "50000"]),
        ("--cpu-quota=-1", ["-1", "50000"]),
        ("--cpu-period=200000", ["-1", "200000"]),
    ):
        update(bundle, option)
        assert values(bundle, "quota", "period") == expected, option
    update(bundle, "--cpu-period=100000", "--cpu-quota=20000")
    assert values(bundle, "quota", "period") == ["20000", "100000"]


@WHO_HAS_CGROUPS
def test_memory_and_swap_go_up_and_down(bundle: Bundle) -> None:
    """The two bound each other on v1, and are counted apart on v2; no limit of memory is none of swap."""
    capabilities.need(not is_crun(), "a runtime that takes units")
    start(bundle)
    for memory, both in ((50, 80), (20, 30), (90, 200), (30, 30)):
        update(bundle, "--memory", f"{memory}M", "--memory-swap", f"{both}M")
        swap = both - memory if V2 else both
        assert values(bundle, "memory", "swap") == [str(memory << 20), str(swap << 20)]
    update(bundle, "--memory-swap", "60M")
    assert values(bundle, "memory", "swap") == [str(30 << 20), str((30 if V2 else 60) << 20)]
    update(bundle, "--memory", "-1")
    assert values(bundle, "memory", "swap") == [UNLIMITED, UNLIMITED]


@WHO_HAS_CGROUPS
@ours_only("runc 1.1 has no such options")
def test_burst_and_idle(bundle: Bundle) -> None:
    """``--cpu-burst`` and ``--cpu-idle``; zero is a value of these. An idle cgroup has no shares."""
    start(bundle)
    update(bundle, "--cpu-quota=50000", "--cpu-burst=20000")
    assert value(bundle, "burst") == "20000"
    update(bundle, "--cpu-burst=0", "--cpu-idle=1")
    assert values(bundle, "burst", "idle", "quota") == ["0", "1", "50000"]
    update(bundle, "--cpu-idle=0", "--cpu-share=2048")
    assert value(bundle, "idle") == "0"


@WHO_HAS_CGROUPS
def test_json_on_standard_input_and_from_a_file(bundle: Bundle) -> None:
    """``--resources`` is linux.resources; what it does not have, or has as 0, stays as it is."""
    bundle.linux["resources"] = {"pids": {"limit": 20}, "cpu": {"quota": 50_000, "period": 100_000}}
    start(bundle)
    path = bundle.path / "resources.json"
    path.write_text(json.dumps({"memory": {"limit": 32 << 20}, "cpu": {"quota": 60_000}}))
    update(bundle, "--resources", str(path))
    assert values(bundle, "memory", "quota", "period") == [str(32 << 20), "60000", "100000"]
    if is_crun():
        return
    zeros: dict[str, Any] = {
        "memory": {"limit": 0, "reservation": 0, "swap": 0},
        "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
        "blockIO": {"weight": 0},
    }
    finished = update_from_stdin(bundle, zeros | {"pids": {"limit": 9}})
    assert finished.code == 0, finished
    now = values(bundle, "memory", "quota", "period", "pids")
    assert now == [str(32 << 20), "60000", "100000", "9"]


@WHO_HAS_CGROUPS
@ours_only("runc takes either")
def test_options_come_on_top_of_the_file(bundle: Bundle) -> None:
    """Of a limit that is in both, the option's is in force."""
    start(bundle)
    path = bundle.path / "resources.json"
    path.write_text(json.dumps({"pids": {"limit": 9}, "cpu": {"quota": 50_000}}))
    update(bundle, "-r", str(path), "--pids-limit", "8")
    assert values(bundle, "pids", "quota") == ["8", "50000"]


@WHO_HAS_CGROUPS
def test_the_limit_is_kept_by_the_kernel(bundle: Bundle) -> None:
    """A new limit of pids is one: the next process does not start."""
    output = start(bundle, "echo started; until read x </tmp/go; do :; done; (:) || echo refused")
    update(bundle, "--pids-limit", "1")
    (bundle.rootfs / "tmp/go").write_text("go\n")
    wait_for(lambda: "fork" in output.read_text())


@WHO_HAS_CGROUPS
def test_it_stays_paused(bundle: Bundle) -> None:
    """An update neither needs nor changes the container's running."""
    start(bundle)
    ok(bundle, "pause", bundle.id)
    update(bundle, "--pids-limit", "30")
    assert state(bundle)["status"] == "paused"
    assert value(bundle, "pids") == "30"


@WHO_HAS_CGROUPS
def test_before_start(bundle: Bundle) -> None:
    """A created container has the new limit when it starts."""
    bundle.process["args"] = ["sleep", "100"]
    bundle.write_config()
    ok(bundle, "create", bundle.id)
    update(bundle, "--pids-limit", "30")
    ok(bundle, "start", bundle.id)
    assert value(bundle, "pids") == "30"


@WHO_HAS_CGROUPS
@ours_only("runc leaves what it has set")
def test_a_failure_changes_nothing(bundle: Bundle) -> None:
    """Of several limits one of which is refused, none is changed."""
    bundle.linux["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 20}}
    start(bundle)
    finished = verb(bundle, "update", "--memory=50M", "--cpu-quota=3", "--pids-limit=5", bundle.id)
    assert_one_sentence(finished, "linux.resources.cpu.quota", "EINVAL")
    assert values(bundle, "memory", "quota", "pids") == [str(64 << 20), "-1", "20"]


@WHO_HAS_CGROUPS
@ours_only("its own sentences")
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--memory=5x", "--memory: '5x'"),
        ("--memory=1.", "--memory: '1.'"),
        ("--memory-swap=-2", "--memory-swap: '-2'"),
        ("--cpu-quota=x", "--cpu-quota: 'x'"),
        ("--cpu-idle=2", "--cpu-idle: 2"),
        ("--cpu-share=-1", "--cpu-share: -1"),
        ("--cpuset-cpus=0-", "--cpuset-cpus: '0-'"),
        ("--blkio-weight=5", "--blkio-weight: 5"),
        ("--kernel-memory=5M", "linux.resources.memory.kernel"),
        ("--resources=/nonexistent", "/nonexistent"),
        ("--nosuch=1", "--nosuch"),
    ],
)
def test_what_makes_no_sense_is_named(bundle: Bundle, option: str, said: str) -> None:
    """A wrong value is an error with its option; the container is as it was."""
    start(bundle)
    assert_one_sentence(verb(bundle, "update", option, bundle.id), said)
    assert state(bundle)["status"] == "running"


@WHO_HAS_CGROUPS
@ours_only("its own sentences")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "standard input is not JSON"),
        ("[]", "standard input is not a JSON object"),
        ('{"pids": {"limit": "x"}}', "resources.pids.limit"),
        ('{"memory": []}', "resources.memory"),
    ],
)
def test_json_that_makes_no_sense_is_named(bundle: Bundle, text: str, said: str) -> None:
    """So is a wrong value in JSON."""
    start(bundle)
    assert_one_sentence(update_from_stdin(bundle, text), said)


@WHO_HAS_CGROUPS
@ours_only("its own sentences")
def test_memory_below_what_is_in_use(bundle: Bundle) -> None:
    """A limit below the use is refused, on v2 where that is asked for; else v2 kills."""
    start(bundle)
    memory = {"limit": 4096, "checkBeforeUpdate": True}
    assert_one_sentence(update_from_stdin(bundle, {"memory": memory}), "4096", "bytes", "in use")
    assert state(bundle)["status"] == "running"
    if not V2:
        assert_one_sentence(verb(bundle, "update", "--memory=4096", bundle.id), "4096", "in use")


DENY_ALL = {"allow": False, "access": "rwm"}
KMSG = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}


@pytest.mark.parametrize("identity", ["root"], indirect=True)
@ours_only("runc 1.1 leaves the devices as they are")
def test_other_device_rules(bundle: Bundle) -> None:
    """New rules replace the old ones, and no moment is without those that stay."""
    bundle.add_capabilities("CAP_SYSLOG")
    bundle.linux["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]
    bundle.linux["resources"] = {"devices": [DENY_ALL]}
    loop = "echo started; while true; do : </dev/zero || echo zero was refused; done"
    output = start(bundle, loop)
    can_read = ("exec", bundle.id, "head", "-c", "1", "/dev/kmsg")
    assert verb(bundle, *can_read).code != 0
    for rules, code in ((DENY_ALL, KMSG), 0), ((DENY_ALL,), 1), ((DENY_ALL, KMSG), 0):
        for _again in range(3):
            assert update_from_stdin(bundle, {"devices": rules}).code == 0
        assert verb(bundle, *can_read).code == code
    assert state(bundle)["status"] == "running"
    assert output.read_text() == "started\n"


@ours_only("its own sentences")
def test_what_cannot_be_updated(bundle: Bundle) -> None:
    """A container that is not there, has stopped, or has no cgroup is an error that says so."""
    assert_one_sentence(verb(bundle, "update", "--pids-limit=5", bundle.id), "does not exist")
    assert_one_sentence(verb(bundle, "update", "--pids-limit=5"), "ID")
    bundle.process["args"] = ["sleep", "100"]
    bundle.write_config()
    ok(bundle, "--cgroup-manager", "disabled", "create", bundle.id)
    finished = verb(bundle, "update", "--pids-limit=5", bundle.id)
    assert_one_sentence(finished, "it has no cgroup")
    ok(bundle, "update", bundle.id)  # nothing is asked for
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")
    finished = verb(bundle, "update", "--pids-limit=5", bundle.id)
    assert_one_sentence(finished, "not running", "stopped")


@ours_only("its own sentences")
@pytest.mark.parametrize("option", ["--l3-cache-schema=L3:0=f", "--mem-bw-schema=MB:0=50"])
def test_schemata_need_resctrl(bundle: Bundle, option: str) -> None:
    """Without a resctrl file system that is what the error says."""
    if Path("/sys/fs/resctrl/schemata").exists():
        pytest.skip("resctrl is mounted")
    start(bundle)
    assert_one_sentence(verb(bundle, "update", option, bundle.id), "linux.intelRdt", "resctrl")
