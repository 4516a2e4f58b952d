"""A rootfs that tries to lead the runtime outside of itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .bundle import Bundle
from .runtime_under_test import is_ours, known_of_crun


@pytest.fixture
def outside(bundle: Bundle) -> Path:
    """Make a directory of the host's that a symlink in the rootfs points to."""
    path = bundle.directory("outside")
    (path / "file").write_text("the host's\n")
    bundle.give(path / "file")
    return path


@pytest.mark.parametrize("up", ["", "../../../../../../.."])
def test_a_symlink_cannot_lead_a_mount_outside(bundle: Bundle, outside: Path, up: str) -> None:
    """A destination that is a symlink, absolute or by ``..``, is followed inside the rootfs."""
    (bundle.rootfs / "link").symlink_to(f"{up}{outside}")
    bundle.mount("/link", "tmpfs", "tmpfs")
    finished = bundle.run("echo x > /link/new && ls /link")
    assert os.listdir(outside) == ["file"]
    assert finished.out == "new\n" or not is_ours()


def test_a_symlink_in_the_middle_cannot_lead_a_mount_outside(bundle: Bundle, outside: Path) -> None:
    """A symlink among a destination's directories is followed inside the rootfs."""
    (bundle.rootfs / "link").symlink_to(outside)
    bundle.bind(bundle.directory("data"), "/link/deep/data")
    finished = bundle.run("test -d /link/deep/data")
    assert os.listdir(outside) == ["file"]
    assert finished.code == 0 or not is_ours()


def test_a_mount_point_is_never_created_outside(bundle: Bundle, outside: Path) -> None:
    """The file that is made for a file's bind is made inside the rootfs."""
    source = bundle.path / "source"
    source.write_text("bound\n")
    (bundle.rootfs / "etc/link").symlink_to(outside / "created")
    bundle.bind(source, "/etc/link")
    bundle.run("true")
    assert not (outside / "created").exists()


def test_dots_in_a_destination_stay_inside(bundle: Bundle) -> None:
    """A destination with ``..`` in it cannot climb above the rootfs."""
    bundle.mount("/../../../../tmp/../t", "tmpfs", "tmpfs")
    assert "/t " in bundle.output("cat /proc/mounts")


def test_a_loop_of_symlinks_is_an_error(bundle: Bundle) -> None:
    """A destination that is a loop of symlinks is refused, not followed for ever."""
    (bundle.rootfs / "a").symlink_to("b")
    (bundle.rootfs / "b").symlink_to("a")
    bundle.mount("/a/t", "tmpfs", "tmpfs")
    finished = bundle.run("true")
    assert finished.code != 0
    assert "Traceback" not in finished.err


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_proc_and_sysfs_are_not_mounted_through_a_symlink(
    bundle: Bundle, outside: Path, kind: str
) -> None:
    """CVE-2019-19921: a /proc that is a symlink would have its masks put on something else."""
    destination = "/proc" if kind == "proc" else "/sys"
    (bundle.rootfs / destination[1:]).symlink_to("tmp")
    if kind == "sysfs":
        bundle.mount("/sys", "sysfs", "sysfs")
    finished = bundle.run("true")
    if is_ours():
        assert finished.code == 1
        assert f"{kind} must be mounted on ordinary directory: {destination} is" in finished.err
        assert "symlink" in finished.err
    assert os.listdir(outside) == ["file"]


def test_masks_through_a_symlink_stay_inside(bundle: Bundle, outside: Path) -> None:
    """A masked path that is a symlink masks what it means inside, and nothing of the host."""
    (bundle.rootfs / "link").symlink_to(outside / "file")
    bundle.linux["maskedPaths"] = ["/link"]
    bundle.run("true")
    assert (outside / "file").read_text() == "the host's\n"


def test_devices_are_not_made_outside(bundle: Bundle, outside: Path) -> None:
    """A /dev that is a symlink is followed inside the rootfs."""
    known_of_crun("makes its default devices and links wherever /dev leads")
    bundle.config["mounts"] = bundle.config["mounts"][:1]
    (bundle.rootfs / "dev").symlink_to(outside)
    bundle.run("true")
    assert os.listdir(outside) == ["file"]


def test_a_cwd_that_leads_outside_is_resolved_inside(bundle: Bundle, outside: Path) -> None:
    """A cwd that is a symlink to a host path means a path of the container's."""
    (bundle.rootfs / "link").symlink_to(outside)
    bundle.process["cwd"] = "/link"
    bundle.run("cat file")
    assert os.listdir(outside) == ["file"]
