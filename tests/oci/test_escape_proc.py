"""Mounts over /proc, and writes to it that a container has redirected.

CVE-2019-16884: a file system of the attacker's on /proc, where the runtime then believes to write labels.
CVE-2025-52881: the same by a race, with which sysctls and other writes end up in files of the host's choice.
CVE-2025-31133: /dev/null exchanged for something else, which the masks would then show.
CVE-2025-52565: /dev/console or the pty's name exchanged, so that another file is bound.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle, Config
from .lifecycle import start, verb
from .racing import Exchange, rounds
from .runtime_under_test import is_ours, known_of_crun

#: What the runtime writes to, or reads, of a process of its own.
FILES = (
    "self/oom_score_adj",
    "self/attr/exec",
    "self/attr/apparmor/exec",
    "self/setgroups",
    "self/uid_map",
    "self/gid_map",
    "self/timens_offsets",
    "thread-self/attr/exec",
    "sys/net/ipv4/ip_forward",
    "sys/kernel/domainname",
    "sys/kernel/shm_rmid_forced",
)
UNTOUCHED = "untouched\n"
#: Counts what of devpts is mounted: all of it, and its terminal on /dev/console. Nothing is, of what was
#: bound over files of the host's, once they are out of reach.
COUNT_PTYS = "grep -c ' - devpts ' /proc/self/mountinfo"


@pytest.fixture
def fake(bundle: Bundle) -> Path:
    """Make a directory that looks like /proc, and has files that anybody can write to."""
    top = bundle.directory("fake")
    for name in FILES:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(UNTOUCHED)
        path.chmod(0o666)
    return top


def assert_untouched(fake: Path) -> None:
    """Check that nothing was written."""
    for name in FILES:
        assert (fake / name).read_text() == UNTOUCHED, name


def ask_for_writes(bundle: Bundle) -> None:
    """Ask for what the runtime writes to /proc."""
    bundle.process["oomScoreAdj"] = 500
    bundle.namespace("ipc")
    bundle.linux["sysctl"] = {"kernel.shm_rmid_forced": "1"}


def without_proc(config: Config) -> None:
    """Take the mount of proc from a config."""
    config["mounts"] = [mount for mount in config["mounts"] if mount.get("type") != "proc"]


@pytest.mark.parametrize("way", ["mounted", "of the rootfs", "over it"])
def test_a_proc_of_the_attackers_gets_no_writes(bundle: Bundle, fake: Path, way: str) -> None:
    """CVE-2019-16884: what the container has in the place of /proc is not what the runtime writes to."""
    if way != "over it":
        without_proc(bundle.config)
    if way == "of the rootfs":
        fake.rename(bundle.rootfs / "proc")
        fake = bundle.rootfs / "proc"
    else:
        bundle.bind(fake, "/proc", "rbind")
    ask_for_writes(bundle)
    bundle.run("true")
    assert_untouched(fake)


def test_nor_does_it_with_exec(bundle: Bundle, fake: Path) -> None:
    """The same goes for ``exec`` into a container that has no other."""
    without_proc(bundle.config)
    bundle.bind(fake, "/proc", "rbind")
    ask_for_writes(bundle)
    start(bundle)
    assert verb(bundle, "exec", bundle.id, "true").code == 0
    assert_untouched(fake)


def test_a_race_redirects_no_write(bundle: Bundle, fake: Path) -> None:
    """CVE-2025-52881: nor is there a moment in which it is."""
    inside = bundle.rootfs / "proc"
    fake.rename(bundle.rootfs / "fake")
    fake = bundle.rootfs / "fake"
    inside.mkdir()
    ask_for_writes(bundle)
    bundle.process["args"] = ["true"]
    bundle.write_config()
    with Exchange(inside, fake):
        for number in rounds():
            verb(bundle, "run", "--bundle", str(bundle.path), f"{bundle.id}-{number}")
    assert_untouched(fake)


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_sysctls_do_not_follow_symlinks_of_the_rootfs(
    bundle: Bundle, fake: Path, kind: str
) -> None:
    """A /proc or /sys that is a symlink is refused, and leads no write anywhere."""
    known_of_crun("follows it inside", when=kind == "sysfs")
    fake.rename(bundle.rootfs / "fake")
    (bundle.rootfs / ("proc" if kind == "proc" else "sys")).symlink_to("fake")
    if kind == "sysfs":
        bundle.mount("/sys", "sysfs", "sysfs")
    ask_for_writes(bundle)
    assert bundle.run("true").code != 0
    assert_untouched(bundle.rootfs / "fake")


@pytest.mark.parametrize("place", ["rootfs", "volume"])
@pytest.mark.parametrize("kind", ["symlink", "file"])
def test_masks_do_not_show_what_dev_null_is_in_there(bundle: Bundle, kind: str, place: str) -> None:
    """CVE-2025-31133: what masks show is not what a rootfs, or a volume, has in the place of /dev/null."""
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] == "proc"]
    if place == "volume":
        null = bundle.directory("dev") / "null"
        bundle.bind(null.parent, "/dev")
    else:
        null = bundle.rootfs / "dev/null"
        null.parent.mkdir()
    if kind == "symlink":
        null.symlink_to("/proc/cmdline")
    else:
        null.write_text("unmasked\n")
    bundle.linux["maskedPaths"] = ["/proc/version"]
    assert bundle.run("cat /proc/version").out == ""


def test_a_race_for_dev_null_is_lost(bundle: Bundle) -> None:
    """CVE-2025-31133: neither does one that is exchanged while the masks are put on."""
    known_of_crun("takes the container's /dev/null for masks", when=False)
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] == "proc"]
    dev = bundle.directory("dev")
    bundle.bind(dev, "/dev")
    if capabilities.has_capability(27) and not bundle.identity.user_namespace:
        os.mknod(dev / "null", 0o20666, os.makedev(1, 3))
    else:
        (dev / "null").write_text("")
    (bundle.rootfs / "unmasked").write_text("unmasked\n")
    (dev / "other").symlink_to("/unmasked")
    bundle.linux["maskedPaths"] = ["/proc/version"]
    bundle.process["args"] = ["cat", "/proc/version"]
    bundle.write_config()
    with Exchange(dev / "null", dev / "other"):
        for number in rounds():
            command = ("run", "--bundle", str(bundle.path), f"{bundle.id}-{number}")
            assert verb(bundle, *command).out == ""


@pytest.mark.parametrize("kind", ["symlink outside", "symlink to proc"])
def test_the_console_is_bound_over_nothing_else(bundle: Bundle, kind: str) -> None:
    """CVE-2025-52565: a /dev/console that leads elsewhere stays inside, and masks come later."""
    known_of_crun("makes its default devices and links wherever /dev leads", when=False)
    outside = bundle.directory("outside")
    (outside / "file").write_text("the host's\n")
    dev = bundle.rootfs / "dev"
    (dev / "pts").mkdir(parents=True)
    bundle.give(dev)
    bundle.config["mounts"] = [
        m for m in bundle.config["mounts"] if m["destination"] in ("/proc", "/dev/pts")
    ]
    if not any(m["destination"] == "/dev/pts" for m in bundle.config["mounts"]):
        bundle.mount("/dev/pts", "devpts", "devpts", ["newinstance", "ptmxmode=0666", "mode=0620"])
    target = outside / "file" if kind == "symlink outside" else "/proc/version"
    (dev / "console").symlink_to(target)
    bundle.linux["maskedPaths"] = ["/proc/version"]
    bundle.process["terminal"] = True
    finished = bundle.run(f"cat /proc/version; {COUNT_PTYS}")
    assert "Linux" not in finished.out
    assert finished.lines[-1:] == ["2"] or not is_ours()
    assert (outside / "file").read_text() == "the host's\n"


def test_a_race_for_the_console_is_lost(bundle: Bundle) -> None:
    """CVE-2025-52565: it is our terminal that is bound, and inside, whatever names lead to at that moment."""
    dev = bundle.rootfs / "dev"
    (dev / "pts").mkdir(parents=True)
    bundle.give(dev)
    (dev / "pts/ptmx").symlink_to("/dev/own/ptmx")
    (dev / "pts/0").symlink_to("/proc/version")
    outside = bundle.directory("outside")
    (outside / "file").write_text("the host's\n")
    (dev / "console").write_text("")
    (dev / "other").symlink_to(outside / "file")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] == "/proc"]
    bundle.mount("/dev/own", "devpts", "devpts", ["newinstance", "ptmxmode=0666", "mode=0620"])
    bundle.process["terminal"] = True
    bundle.process["args"] = ["sh", "-c", COUNT_PTYS]
    bundle.write_config()
    with Exchange(dev / "console", dev / "other"):
        for number in rounds():
            command = ("run", "--bundle", str(bundle.path), f"{bundle.id}-{number}")
            finished = verb(bundle, *command)
            assert finished.lines == ["2"] or finished.code != 0, finished
            assert (outside / "file").read_text() == "the host's\n"
    finished = verb(bundle, "run", "--bundle", str(bundle.path), bundle.id)
    assert finished.lines == ["2"] or not is_ours(), finished
