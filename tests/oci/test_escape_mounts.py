"""Rootfs that change while they are mounted on: CVE-2021-30465, CVE-2023-27561, CVE-2019-19921, their kin.

For some seconds each (NSISOLATE_TEST_RACE, in seconds, makes it longer) two names are exchanged while
containers are run. Either a run is refused, or what comes of it is as it should be.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_nsisolate.runtime.mounts import inroot

from .bundle import Bundle, Finished
from .lifecycle import verb
from .racing import Exchange, rounds
from .runtime_under_test import known_of_crun

#: Prints what masks leave of each proc that is mounted, whole, wherever that is.
LOOK = """
grep ' - proc ' /proc/self/mountinfo /*/self/mountinfo 2>/dev/null | sed 's/^[^:]*://' |
while read id parent dev root where rest; do
    [ "$root" = / ] && cat "$where/version" 2>/dev/null
done
for p in /*; do
    [ -e $p/self/status ] && cat $p/version
done
"""


@pytest.fixture
def outside(bundle: Bundle) -> Path:
    """Make a directory of the host's that a symlink in the rootfs leads to."""
    path = bundle.directory("outside")
    path.chmod(0o777)
    return path


def run(bundle: Bundle, number: int) -> Finished:
    """Run the container once more."""
    return verb(bundle, "run", "--bundle", str(bundle.path), f"{bundle.id}-{number}")


@pytest.mark.parametrize("kind", ["directory", "symlink"])
def test_proc_is_masked_wherever_it_is(bundle: Bundle, kind: str) -> None:
    """The masks are on the /proc that was mounted, and not on another directory of that name."""
    known_of_crun("masks what has the name by then")
    (bundle.rootfs / "proc").mkdir()
    other = bundle.rootfs / "other"
    if kind == "directory":
        other.mkdir()
    else:
        (bundle.rootfs / "third").mkdir()
        other.symlink_to("third")
    bundle.linux["maskedPaths"] = ["/proc/version"]
    bundle.process["args"] = ["/bin/sh", "-c", f"{LOOK} true"]
    bundle.write_config()
    with Exchange(bundle.rootfs / "proc", other):
        for number in rounds():
            finished = run(bundle, number)
            assert "Linux" not in finished.out, finished
            assert "Traceback" not in finished.err
    assert verb(bundle, "run", "--bundle", str(bundle.path), bundle.id).code == 0


def test_a_mount_cannot_be_led_outside(bundle: Bundle, outside: Path) -> None:
    """CVE-2021-30465: a destination becomes a symlink between its making and the mount."""
    (bundle.rootfs / "volume/one").mkdir(parents=True)
    (bundle.rootfs / "volume/two").symlink_to(outside)
    for name in ("volume", "volume/one"):
        bundle.give(bundle.rootfs / name)
    bundle.mount("/volume/one/deep/t", "tmpfs", "tmpfs")
    bundle.process["args"] = ["sh", "-c", "echo new > /volume/one/deep/t/new"]
    bundle.write_config()
    with Exchange(bundle.rootfs / "volume/one", bundle.rootfs / "volume/two"):
        for number in rounds():
            assert "Traceback" not in run(bundle, number).err
            assert os.listdir(outside) == []


def test_no_file_is_made_outside(bundle: Bundle, outside: Path) -> None:
    """CVE-2024-45310: nor does the race make an empty file or directory on the host."""
    source = bundle.path / "source"
    source.write_text("bound\n")
    (bundle.rootfs / "volume/one").mkdir(parents=True)
    (bundle.rootfs / "volume/two").symlink_to(outside)
    for name in ("volume", "volume/one"):
        bundle.give(bundle.rootfs / name)
    bundle.bind(source, "/volume/one/file")
    bundle.bind(bundle.directory("data"), "/volume/one/a/b/c")
    bundle.process["args"] = ["true"]
    bundle.write_config()
    with Exchange(bundle.rootfs / "volume/one", bundle.rootfs / "volume/two"):
        for number in rounds():
            assert "Traceback" not in run(bundle, number).err
            for made in (bundle.rootfs / "volume/one", bundle.rootfs / "volume/two"):
                if not made.is_symlink():
                    _empty(made)
            assert os.listdir(outside) == []


def test_no_file_is_made_through_a_symlink(tmp_path: Path) -> None:
    """Nor does a symlink that has come where a moment ago nothing was, which no race hits often enough."""
    (tmp_path / "file").symlink_to(tmp_path / "outside")
    parent = os.open(tmp_path, os.O_PATH)
    inroot._create(parent, "file", directory=False)
    os.close(parent)
    assert not (tmp_path / "outside").exists()


def _empty(directory: Path) -> None:
    for where, directories, files in os.walk(directory, topdown=False):
        for name in (*directories, *files):
            path = os.path.join(where, name)
            try:
                os.rmdir(path) if name in directories else os.unlink(path)
            except OSError:
                pass  # it was exchanged under us


def test_devices_stay_inside(bundle: Bundle, outside: Path) -> None:
    """A /dev of the rootfs that becomes a symlink has no device made where it leads."""
    known_of_crun("makes its default devices and links wherever /dev leads")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] == "proc"]
    (bundle.rootfs / "dev").mkdir()
    bundle.give(bundle.rootfs / "dev")
    (bundle.rootfs / "other").symlink_to(outside)
    bundle.process["args"] = ["true"]
    bundle.write_config()
    with Exchange(bundle.rootfs / "dev", bundle.rootfs / "other"):
        for number in rounds():
            assert "Traceback" not in run(bundle, number).err
            assert os.listdir(outside) == []
