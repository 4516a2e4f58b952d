"""What docs/clients.md shows works."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ..oci.runtime_under_test import ours_only
from . import image
from .calling import TIMEOUT
from .containerd import Containerd
from .podman import Podman

PAGE = (Path(__file__).resolve().parents[2] / "docs/clients.md").read_text()
PATH = "/opt/nsisolate/bin/nsisolate"
FOR_PODMAN, FOR_CONTAINERD = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)

pytestmark = ours_only("the settings name it")


def test_settings_for_podman(podman: Podman) -> None:
    """With the settings podman takes nsisolate without being told to, errors and cgroups included."""
    podman.use_settings(FOR_PODMAN.replace(PATH, str(podman.room.runtime)))
    run = ["run", "--rm", "--cgroups=disabled", image.NAME]
    assert podman.ok(*run, "echo", "ran") == "ran"
    assert "--log-format=json" in podman.room.calls_of("create")[0]
    assert podman(*run, "no-such-program").code == 127


def test_settings_for_containerd(containerd: Containerd) -> None:
    """Containerd understands the settings."""
    file = containerd.room.write(containerd.room.path / "documented.toml", FOR_CONTAINERD)
    dumped = subprocess.run(
        ["containerd", "--config", str(file), "config", "dump"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    ).stdout
    runtime = dumped.partition("containerd.runtimes.nsisolate]")[2]
    assert f'BinaryName = "{PATH}"' in runtime.partition("containerd.runtimes.runc]")[0]


def test_the_command_for_ctr(containerd: Containerd) -> None:
    """The option that the page names is the one that the other tests use."""
    assert f"ctr run --rm --runc-binary {PATH}" in PAGE
    assert any(option.startswith("--runc-binary=") for option in containerd.options())
