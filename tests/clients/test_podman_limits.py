"""Limits of podman's containers: set, changed, kept, and what podman measures."""

from __future__ import annotations

import json
from pathlib import Path

from .. import capabilities
from . import image
from .calling import wait_for
from .podman import Podman

FOREVER = "echo ready; while :; do sleep 0.05; done"
MEGABYTE = 1 << 20


class Limit:
    """Where the kernel keeps a limit: the controller, its file in cgroup v1, and its file in v2."""

    def __init__(self, controller: str, v1: str, v2: str) -> None:
        self.controller, self.v1, self.v2 = controller, v1, v2

    def of(self, pid: int) -> str:
        """Return the limit of a process."""
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if self.controller in controllers.split(","):
                return self._read(Path("/sys/fs/cgroup", controllers) / path[1:] / self.v1)
        return self._read(Path("/sys/fs/cgroup") / path[1:] / self.v2)

    def _read(self, file: Path) -> str:
        capabilities.need(file.exists(), f"the cgroup controller {self.controller}")
        return file.read_text().strip()


MEMORY = Limit("memory", "memory.limit_in_bytes", "memory.max")
PIDS = Limit("pids", "pids.max", "pids.max")
CPU = Limit("cpu", "cpu.cfs_quota_us", "cpu.max")
CPUS = Limit("cpuset", "cpuset.cpus", "cpuset.cpus")


def test_they_are_set(podman: Podman) -> None:
    """Each limit that was asked for is the kernel's."""
    options = ["--memory=64m", "--pids-limit=33", "--cpus=0.5", "--cpuset-cpus=0"]
    podman.start(FOREVER, *options)
    pid = podman.state()["Pid"]
    assert MEMORY.of(pid) == str(64 * MEGABYTE)
    assert PIDS.of(pid) == "33"
    assert CPU.of(pid).split()[0] == "50000"
    assert CPUS.of(pid) == "0"


def test_update(podman: Podman) -> None:
    """``update`` changes limits of a running container, and leaves the others."""
    podman.start(FOREVER, "--memory=64m", "--pids-limit=33")
    podman.ok("update", "--memory=96m", "--cpus=0.25", "box")
    assert podman.room.calls_of("update")
    pid = podman.state()["Pid"]
    assert MEMORY.of(pid) == str(96 * MEGABYTE)
    assert CPU.of(pid).split()[0] == "25000"
    assert PIDS.of(pid) == "33"


def test_further_processes_are_limited_too(podman: Podman) -> None:
    """What is added by ``exec`` counts."""
    podman.start(FOREVER, "--pids-limit=8")
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; echo all"
    finished = podman("exec", "box", "sh", "-c", script)
    assert "all" not in finished.out
    assert "fork" in finished.err


def test_pids_limit(podman: Podman) -> None:
    """More processes than allowed there cannot be."""
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; echo all"
    finished = podman("run", "--rm", "--pids-limit=8", image.NAME, "sh", "-c", script)
    assert (finished.code, finished.out) == (2, "")


def test_out_of_memory(podman: Podman) -> None:
    """A process that takes more memory than allowed is killed."""
    script = "dd if=/dev/zero of=/dev/null bs=100M count=1; echo $?"
    assert podman.output(script, "--memory=16m", "--memory-swap=16m") == "137"
    assert podman.output(script, "--memory=160m", "--memory-swap=160m") == "0"


def test_stats(podman: Podman) -> None:
    """``stats`` has the memory, the processes and the processor time of the container."""
    podman.start(f"sleep 1000 & {FOREVER}", "--memory=64m")
    (stats,) = json.loads(podman.ok("stats", "--no-stream", "--format=json", "box"))
    assert stats["name"] == "box"
    assert int(stats["pids"]) >= 2
    used, _, limit = stats["mem_usage"].partition(" / ")
    assert limit == "67.11MB"
    assert not used.startswith("0B")


def test_cgroups_are_removed(podman: Podman) -> None:
    """A container has a cgroup in each hierarchy, and afterwards none, whatever it made in there."""
    podman.start(FOREVER)
    assert podman.room.cgroups()
    podman.ok("stop", "--time=0", "box")
    wait_for(lambda: not podman.room.cgroups())
