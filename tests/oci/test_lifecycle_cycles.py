"""Container after container: nothing adds up."""

from __future__ import annotations

import os
from pathlib import Path

from .bundle import Bundle
from .lifecycle import create, ok, wait_for_status
from .runtime_under_test import ours_only

pytestmark = ours_only("its own state")

#: The whole lifecycle takes half a second; 200 are for when there is time.
CYCLES = int(os.environ.get("NSISOLATE_TEST_CYCLES", "3"))


def left_of(bundle: Bundle) -> dict[str, object]:
    """Return what there is of what a container could leave behind; others may run at the same time."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "mounts": [line for line in mounts if bundle.id in line or str(bundle.path) in line],
        "cgroups": [path for path, names, _f in os.walk("/sys/fs/cgroup") if bundle.id in names],
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


def test_cycles_leave_nothing(bundle: Bundle) -> None:
    """create, start, exec, kill, delete, many times: no mount, no directory, and the same id each time."""
    before = left_of(bundle)
    for _ in range(CYCLES):
        create(bundle, "trap 'exit 0' TERM; while true; do sleep 0.02; done")
        ok(bundle, "start", bundle.id)
        assert ok(bundle, "exec", bundle.id, "hostname").out == "box\n"
        ok(bundle, "kill", bundle.id, "KILL")
        wait_for_status(bundle, "stopped")
        ok(bundle, "delete", bundle.id)
        assert not bundle.state_directory.exists()
    assert left_of(bundle) == before
