"""podman as it is by default where systemd is: containers are scopes, an ordinary user's his own ones."""

from __future__ import annotations

import json

import pytest

from ..oci.units import show_unit, variables_for_systemd
from . import image
from .calling import wait_for
from .podman import Podman, for_everyone

SYSTEMD = "--cgroup-manager=systemd"


@pytest.fixture
def managed(podman: Podman) -> Podman:
    """Return podman with the bus of whoever calls it."""
    podman.variables |= variables_for_systemd(user=podman.uid != 0)
    return podman


@for_everyone
def test_a_container_is_a_scope(managed: Podman) -> None:
    """From ``run`` to ``rm``: a unit with the limits, changed, paused and joined, and gone in the end."""
    user = managed.uid != 0
    place = "user.slice" if user else "machine.slice"
    options = ["--detach", "--name=box", "--memory=64m", f"--cgroup-parent={place}"]
    script = "echo ready; while :; do sleep 0.05; done"
    managed.ok(SYSTEMD, "run", *options, image.NAME, "sh", "-c", script)
    (created,) = managed.room.calls_of("create")
    assert "--systemd-cgroup" in created
    wait_for(lambda: "ready" in managed.logs())
    unit = f"libpod-{json.loads(managed.ok('inspect', 'box'))[0]['Id']}.scope"
    names = ("ActiveState", "Slice", "MemoryMax")
    assert show_unit(unit, *names, user=user) == ["active", place, str(64 << 20)]
    managed.ok(SYSTEMD, "update", "--memory=80m", "box")
    assert show_unit(unit, "MemoryMax", user=user) == [str(80 << 20)]
    assert "box" in managed.ok(SYSTEMD, "pause", "box")
    assert managed.state()["Status"] == "paused"
    managed.ok(SYSTEMD, "unpause", "box")
    assert managed.ok(SYSTEMD, "exec", "box", "cat", "/sys/fs/cgroup/memory.max") == str(80 << 20)
    managed.ok(SYSTEMD, "rm", "--force", "--time=0", "box")
    wait_for(lambda: show_unit(unit, "LoadState", user=user) == ["not-found"])
