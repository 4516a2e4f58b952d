"""File systems of the container's own: tmpfs, proc, sysfs, devpts, mqueue, overlay, cgroup."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .runtime_under_test import is_ours, known_of_crun


def mount_line(bundle: Bundle, destination: str) -> list[str]:
    """Run the bundle; return a destination's line of /proc/mounts inside, in fields."""
    for line in reversed(bundle.output("cat /proc/mounts").splitlines()):
        if line.split()[1] == destination:
            return line.split()
    raise AssertionError(f"{destination} is not mounted")


def test_tmpfs_has_its_options(bundle: Bundle) -> None:
    """A tmpfs has the size and mode that its options say, and its flags."""
    bundle.mount("/t", "tmpfs", "tmpfs", ["nosuid", "noexec", "nodev", "size=1m", "mode=1770"])
    _source, _destination, kind, options, *_ = mount_line(bundle, "/t")
    assert kind == "tmpfs"
    assert {"nosuid", "noexec", "nodev", "size=1024k", "mode=1770"} <= set(options.split(","))


def test_tmpfs_limits_its_size(bundle: Bundle) -> None:
    """A tmpfs refuses more than its size."""
    bundle.mount("/t", "tmpfs", "tmpfs", ["size=64k"])
    assert bundle.run("dd if=/dev/zero of=/t/big bs=1k count=100 2>/dev/null").code != 0


def test_readonly_tmpfs_is_readonly(bundle: Bundle) -> None:
    """A tmpfs with ``ro`` refuses writes."""
    bundle.mount("/t", "tmpfs", "tmpfs", ["ro"])
    assert bundle.run("echo x > /t/new").code != 0


def test_tmpfs_without_a_mode_has_the_mode_of_what_it_covers(bundle: Bundle) -> None:
    """A tmpfs over an existing directory keeps that directory's mode."""
    known_of_crun("makes it 1777")
    (bundle.rootfs / "covered").mkdir()
    (bundle.rootfs / "covered").chmod(0o2751)
    bundle.give(bundle.rootfs / "covered")
    (bundle.rootfs / "covered").chmod(0o2751)
    bundle.mount("/covered", "tmpfs", "tmpfs")
    assert bundle.output("stat -c %a /covered") == "2751"


def test_tmpcopyup_starts_with_the_content(bundle: Bundle) -> None:
    """``tmpcopyup`` fills the tmpfs with what it covers, and the rootfs stays as it was."""
    covered = bundle.directory("rootfs/covered")
    (covered / "file").write_text("from below\n")
    (covered / "file").chmod(0o640)
    bundle.give(covered / "file")
    (covered / "link").symlink_to("file")
    bundle.give(covered / "link")
    bundle.directory("rootfs/covered/deep")
    (covered / "deep/down").write_text("deep\n")
    bundle.give(covered / "deep/down")
    bundle.mount("/covered", "tmpfs", "tmpfs", ["tmpcopyup"])
    out = bundle.output(
        "cd /covered; cat file link deep/down; stat -c %a file; readlink link; echo new > file; echo > f2"
    )
    assert out.split() == ["from", "below", "from", "below", "deep", "640", "file"]
    assert (covered / "file").read_text() == "from below\n"
    assert not (covered / "f2").exists()


def test_tmpcopyup_keeps_kinds_and_times(bundle: Bundle) -> None:
    """``tmpcopyup`` copies FIFOs as FIFOs, keeps modification times, modes of directories, and holes."""
    covered = bundle.directory("rootfs/covered")
    os.mkfifo(covered / "fifo", 0o600)
    bundle.give(covered / "fifo")
    (covered / "old").write_text("old")
    bundle.give(covered / "old")
    os.utime(covered / "old", (1_000_000_000, 1_000_000_000))
    (covered / "private").mkdir()
    (covered / "private").chmod(0o700)
    bundle.give(covered / "private")
    bundle.mount("/covered", "tmpfs", "tmpfs", ["tmpcopyup"])
    out = bundle.output(
        "cd /covered; test -p fifo && echo fifo; stat -c %Y old; stat -c %a private"
    )
    known_of_crun("does not keep the times")
    assert out.split() == ["fifo", "1000000000", "700"]


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_tmpcopyup_keeps_the_owners(bundle: Bundle) -> None:
    """``tmpcopyup`` keeps who owns what."""
    covered = bundle.directory("rootfs/covered")
    (covered / "theirs").write_text("x")
    first = bundle.identity.mapped_uid, bundle.identity.mapped_gid
    os.chown(covered / "theirs", first[0] + 7, first[1] + 8)
    bundle.mount("/covered", "tmpfs", "tmpfs", ["tmpcopyup"])
    assert bundle.output("stat -c %u:%g /covered/theirs") == "7:8"


def test_tmpcopyup_can_be_readonly(bundle: Bundle) -> None:
    """``tmpcopyup`` with ``ro`` copies first and is read-only then."""
    covered = bundle.directory("rootfs/covered")
    (covered / "file").write_text("content\n")
    bundle.give(covered / "file")
    bundle.mount("/covered", "tmpfs", "tmpfs", ["tmpcopyup", "ro"])
    assert bundle.output("cat /covered/file; echo x > /covered/new || echo refused") == (
        "content\nrefused"
    )


def test_proc_is_the_containers(bundle: Bundle) -> None:
    """A proc mount shows the container's pid namespace."""
    assert mount_line(bundle, "/proc")[2] == "proc"
    assert bundle.output("readlink /proc/self") != ""
    assert bundle.output("cat /proc/1/comm") in ("sh", "cat", "busybox")


def test_proc_options_reach_it(bundle: Bundle) -> None:
    """Proc's own options, such as ``hidepid``, reach it."""
    bundle.config["mounts"][0]["options"] = ["nosuid", "noexec", "nodev", "hidepid=2"]
    options = mount_line(bundle, "/proc")[3].split(",")
    assert {"nosuid", "noexec", "nodev"} <= set(options)
    assert {"hidepid=2", "hidepid=invisible"} & set(options)


def test_sysfs_of_a_new_network_namespace(bundle: Bundle) -> None:
    """A sysfs shows the interfaces of the container's own network namespace."""
    bundle.mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
    assert bundle.output("ls /sys/class/net").split() == ["lo"]


def test_devpts_is_a_new_instance(bundle: Bundle) -> None:
    """The container's /dev/pts has none of the host's terminals."""
    assert bundle.output("ls /dev/pts") == "ptmx"
    options = mount_line(bundle, "/dev/pts")[3].split(",")
    assert {"nosuid", "noexec", "mode=620", "ptmxmode=666"} <= set(options)


def test_mqueue_is_mounted(bundle: Bundle) -> None:
    """A mqueue mount shows the message queues of the container's ipc namespace."""
    bundle.mount("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"])
    assert mount_line(bundle, "/dev/mqueue")[2] == "mqueue"


def test_shm_is_a_tmpfs(bundle: Bundle) -> None:
    """/dev/shm is writable for everybody, with the sticky bit."""
    bundle.mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=1m"])
    assert bundle.output("stat -c %a /dev/shm") == "1777"


def overlay_works(bundle: Bundle) -> None:
    """Require overlay mounts, in a user namespace where the bundle has one."""
    base = bundle.directory("probe")
    for name in ("lower", "upper", "work", "merged"):
        (base / name).mkdir()
    options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    script = f"mount -t overlay overlay -o {options} {base}/merged"
    unshare = ["unshare", "-Urm" if bundle.identity.user_namespace else "-m", "sh", "-c", script]
    capabilities.need(capabilities.succeeds(*unshare), "overlay mounts")


def test_overlay_merges_and_keeps_the_lower_layer(bundle: Bundle) -> None:
    """An overlay shows the lower files, and writes land in the upper directory."""
    overlay_works(bundle)
    lower, upper, work = (bundle.directory(name) for name in ("lower", "upper", "work"))
    (lower / "file").write_text("lower\n")
    bundle.give(lower / "file")
    options = [f"lowerdir={lower}", f"upperdir={upper}", f"workdir={work}"]
    bundle.mount("/merged", "overlay", "overlay", options)
    assert bundle.output("cat /merged/file; echo changed > /merged/file") == "lower"
    assert (lower / "file").read_text() == "lower\n"
    assert (upper / "file").read_text() == "changed\n"


def test_overlay_of_two_lower_layers_is_readonly(bundle: Bundle) -> None:
    """An overlay without an upper directory merges, and refuses writes."""
    overlay_works(bundle)
    for name in ("one", "two"):
        (bundle.directory(name) / name).write_text(f"{name}\n")
    options = [f"lowerdir={bundle.path}/one:{bundle.path}/two"]
    bundle.mount("/merged", "overlay", "overlay", options)
    assert bundle.output("cat /merged/one /merged/two; echo x > /merged/x || echo no").split() == [
        "one",
        "two",
        "no",
    ]


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_cgroup_shows_the_hierarchies(bundle: Bundle) -> None:
    """A cgroup mount shows cgroup files, read-only if so asked, on hosts of each cgroup version."""
    bundle.namespace("cgroup")
    bundle.mount("/sys", "sysfs", "sysfs", ["ro"])
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "ro"])
    found = bundle.output("find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs | head -1")
    assert found.startswith("/sys/fs/cgroup/")
    assert bundle.run("mkdir /sys/fs/cgroup/new").code != 0
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        assert mount_line(bundle, "/sys/fs/cgroup")[2] == "cgroup2"


@pytest.mark.parametrize("identity", ["root-userns", "user"], indirect=True)
def test_cgroup_in_a_user_namespace(bundle: Bundle) -> None:
    """A cgroup mount works in a user namespace too, with a cgroup namespace or a bound hierarchy."""
    bundle.namespace("cgroup")
    bundle.mount("/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "ro"])
    found = bundle.output("find /cgroup -maxdepth 2 -name cgroup.procs | head -1")
    assert found.startswith("/cgroup/")


def test_an_unknown_type_is_an_error(bundle: Bundle) -> None:
    """A file system that the kernel does not have is an error that names it."""
    bundle.mount("/t", "nosuchfs", "none")
    finished = bundle.run("true")
    assert finished.code != 0
    if is_ours():
        assert "nosuchfs" in finished.err


def test_an_option_that_the_file_system_refuses_is_an_error(bundle: Bundle) -> None:
    """An option that the file system does not know is an error that names the mount."""
    bundle.mount("/t", "tmpfs", "tmpfs", ["nosuchoption=1"])
    finished = bundle.run("true")
    assert finished.code != 0
    assert "tmpfs" in finished.err


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_a_file_system_can_be_remounted(bundle: Bundle) -> None:
    """``remount`` without ``bind`` changes the file system's own flags."""
    bundle.mount("/t", "tmpfs", "tmpfs")
    bundle.mount("/t", "tmpfs", "tmpfs", ["remount", "ro"])
    assert "ro" in mount_line(bundle, "/t")[3].split(",")


@pytest.mark.parametrize("identity", ["root-userns", "user"], indirect=True)
def test_sysfs_in_the_hosts_network(bundle: Bundle) -> None:
    """A user namespace in the host's network gets the host's /sys, with the flags asked for."""
    bundle.drop_namespace("network")
    bundle.mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
    assert "class" in bundle.output("ls /sys").split()
    lines = [line.split() for line in bundle.output("grep ' /sys' /proc/mounts").splitlines()]
    assert lines
    for line in lines:
        assert {"ro", "nosuid", "noexec", "nodev"} <= set(line[3].split(",")), line
