"""``root``: the container's file system and what it sees of the host."""

from __future__ import annotations

import os

from .bundle import Bundle


def test_root_is_the_bundles_rootfs(bundle: Bundle) -> None:
    """``/`` inside is the directory that root.path names."""
    (bundle.rootfs / "marker").write_text("the bundle's own\n")
    assert bundle.output("cat /marker; ls /..; ls -di / | cut -d' ' -f1").splitlines()[0] == (
        "the bundle's own"
    )
    inode = bundle.output("stat -c %i /")
    assert int(inode) == os.stat(bundle.rootfs).st_ino


def test_relative_and_absolute_paths_name_the_rootfs(bundle: Bundle) -> None:
    """root.path may be absolute, or relative to the bundle."""
    bundle.config["root"]["path"] = str(bundle.rootfs)
    assert bundle.output("test -x /bin/busybox && echo yes") == "yes"


def test_writes_reach_the_rootfs(bundle: Bundle) -> None:
    """Without ``readonly`` the container writes to the bundle's rootfs."""
    bundle.output("echo written > /new")
    assert (bundle.rootfs / "new").read_text() == "written\n"


def test_readonly_root_cannot_be_written(bundle: Bundle) -> None:
    """With ``readonly`` the root refuses writes, for the container's root too."""
    bundle.config["root"]["readonly"] = True
    finished = bundle.run("echo x > /new")
    assert finished.code != 0
    assert "Read-only file system" in finished.err
    assert not (bundle.rootfs / "new").exists()


def test_readonly_root_leaves_the_mounts_below_writable(bundle: Bundle) -> None:
    """``readonly`` is about the root's own mount, not about what is mounted below."""
    bundle.config["root"]["readonly"] = True
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    assert bundle.output("echo x > /tmp/new && cat /tmp/new") == "x"


def test_nothing_of_the_hosts_root_is_left(bundle: Bundle) -> None:
    """After pivot_root no mount of the host is in the container's mount table."""
    table = bundle.output("cat /proc/self/mountinfo").splitlines()
    destinations = {line.split()[4] for line in table}
    allowed = {"/", "/proc", "/dev", "/dev/pts"}
    devices = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}
    assert destinations <= allowed | devices | {"/dev/ptmx", "/dev/mqueue"}
    assert allowed <= destinations


def test_ps_shows_only_the_container(bundle: Bundle) -> None:
    """``/proc`` lists the container's own processes and the container process is PID 1."""
    lines = bundle.output("ps -o pid,args; echo $$").splitlines()
    assert lines[-1] == "1"
    assert len(lines) <= 4, lines


def test_the_bundle_can_be_run_again(bundle: Bundle) -> None:
    """A second run of the same bundle finds what the first left and works just the same."""
    assert bundle.output("echo once; ls /dev") == bundle.output("echo once; ls /dev")
