"""Bind mounts and their options (config.md, "Linux mount options")."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .runtime_under_test import known_of_crun

ROOT_ONLY = pytest.mark.parametrize("identity", ["root"], indirect=True)


def options_of(bundle: Bundle, destination: str) -> set[str]:
    """Run the bundle; return the per-mount options of a destination inside."""
    for line in bundle.output("cat /proc/self/mountinfo").splitlines():
        fields = line.split()
        if fields[4] == destination:
            return set(fields[5].split(","))
    raise AssertionError(f"{destination} is not mounted")


def test_a_directory_is_bound(bundle: Bundle) -> None:
    """A bound directory shows the host's files, and writes reach the host."""
    data = bundle.directory("data")
    (data / "file").write_text("from outside\n")
    bundle.bind(data, "/mnt/data")
    assert bundle.output("cat /mnt/data/file; echo inside > /mnt/data/new") == "from outside"
    assert (data / "new").read_text() == "inside\n"


def test_a_file_is_bound(bundle: Bundle) -> None:
    """A file can be bound; its mount point is made, with the directories above."""
    source = bundle.path / "a-file"
    source.write_text("content\n")
    bundle.bind(source, "/etc/deep/down/file")
    assert bundle.output("cat /etc/deep/down/file") == "content"


@pytest.mark.parametrize("identity", ["root-userns"], indirect=True)
def test_root_binds_what_the_user_namespace_cannot_reach(bundle: Bundle) -> None:
    """A source behind a directory that is closed to the container's root is bound all the same."""
    closed = bundle.path / "closed"
    (closed / "data").mkdir(parents=True)
    (closed / "data/file").write_text("found\n")
    (closed / "link").symlink_to(closed / "data")
    closed.chmod(0o700)
    bundle.bind(closed / "data", "/data")
    bundle.bind(closed / "link", "/link", "bind", "ro")
    assert bundle.output("cat /data/file /link/file").split() == ["found", "found"]


@pytest.mark.parametrize("identity", ["root-userns"], indirect=True)
def test_what_is_mounted_on_such_a_bind_does_not_reach_the_host(bundle: Bundle) -> None:
    """A bind of a shared mount is a slave: what the container mounts there stays inside."""
    bundle.add_capabilities("CAP_SYS_ADMIN")
    shared = bundle.directory("shared")
    bundle.bind(shared, "/shared", "rbind")
    inner = shlex.join(bundle.command()[:-4])
    bundle.process["args"] = [
        "sh",
        "-c",
        "mkdir /shared/x && mount -t tmpfs t /shared/x && echo mounted",
    ]
    bundle.write_config()
    script = f"""
        mount --bind {shared} {shared} && mount --make-shared {shared} &&
        {inner} run --bundle {bundle.path} {bundle.id} && grep -c {shared}/x /proc/self/mountinfo
    """
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script],
        env=bundle.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == ["mounted", "0"], done


def test_a_relative_source_is_relative_to_the_bundle(bundle: Bundle) -> None:
    """config.md: a relative source is relative to the bundle."""
    (bundle.directory("data") / "file").write_text("found\n")
    bundle.bind("data", "/data")
    assert bundle.output("cat /data/file") == "found"


def test_the_option_decides_and_not_the_type(bundle: Bundle) -> None:
    """A mount with the option ``bind`` is a bind mount whatever its type says."""
    (bundle.directory("data") / "file").write_text("found\n")
    bundle.mount("/data", "tmpfs", str(bundle.path / "data"), ["bind"])
    assert bundle.output("cat /data/file") == "found"


def test_type_bind_works_with_the_option(bundle: Bundle) -> None:
    """The type ``bind``, which many generators write, goes with the option."""
    (bundle.directory("data") / "file").write_text("found\n")
    bundle.mount("/data", "bind", str(bundle.path / "data"), ["rbind", "rprivate"])
    assert bundle.output("cat /data/file") == "found"


def test_a_readonly_bind_refuses_writes(bundle: Bundle) -> None:
    """``ro`` makes the bound directory read-only inside, and leaves the host's writable."""
    data = bundle.directory("data")
    bundle.bind(data, "/data", "bind", "ro")
    finished = bundle.run("echo x > /data/new")
    assert finished.code != 0
    assert "Read-only file system" in finished.err
    (data / "host").write_text("still writable")


@pytest.mark.parametrize("option", ["nosuid", "nodev", "noexec", "ro"])
def test_a_flag_is_on_the_mount(bundle: Bundle, option: str) -> None:
    """Each flag of a bind mount shows in the container's mount table."""
    known_of_crun(
        "loses all flags but ro when root uses a user namespace",
        when=bundle.identity.name == "root-userns" and option != "ro",
    )
    bundle.bind(bundle.directory("data"), "/data", "bind", option)
    assert option in options_of(bundle, "/data")


@pytest.mark.parametrize("option", ["noatime", "nodiratime", "strictatime", "rnoatime"])
def test_an_access_time_flag_is_on_the_mount_or_told_of(bundle: Bundle, option: str) -> None:
    """Flags for access times are set; for an ordinary user the kernel locks them, and that is said."""
    known_of_crun(
        "ignores them in a user namespace, and gets rnoatime wrong",
        when=bundle.identity.user_namespace or option == "rnoatime",
    )
    data = bundle.directory("data")
    bundle.bind(data, "/data", "rbind", option)
    if bundle.identity.is_ordinary_user:
        finished = bundle.run("echo ran")
        if option.removeprefix("r") == _access_times_of(data):
            assert (finished.out, finished.err) == ("ran\n", "")
        elif option.startswith("r"):
            assert finished.code == 1
            assert "access times cannot be changed" in finished.err
        else:
            assert finished.out == "ran\n"
            assert "warning: mounts: access times on /data are kept as on the host" in finished.err
    else:
        found = options_of(bundle, "/data")
        assert option.removeprefix("r") in found or "relatime" not in found


def test_the_hosts_own_access_times_are_nothing_to_tell_of(bundle: Bundle) -> None:
    """Asking for what is there anyway costs no warning."""
    data = bundle.directory("data")
    bundle.bind(data, "/data", "rbind", _access_times_of(data))
    assert bundle.run("true").err == ""


def _access_times_of(path: Path) -> str:
    """Return the option that the file system of *path* is mounted with."""
    flags = os.statvfs(path).f_flag
    if flags & os.ST_NOATIME:
        return "noatime"
    return "relatime" if flags & os.ST_RELATIME else "strictatime"


def test_nosymfollow_is_on_the_mount(bundle: Bundle) -> None:
    """``nosymfollow`` keeps symlinks on the mount from being followed."""
    data = bundle.directory("data")
    (data / "target").write_text("x")
    (data / "link").symlink_to("target")
    bundle.bind(data, "/data", "bind", "nosymfollow")
    known_of_crun("does not know nosymfollow")
    assert bundle.run("cat /data/target && ! cat /data/link").code == 0


def test_noexec_keeps_programs_from_running(bundle: Bundle) -> None:
    """A program on a ``noexec`` mount cannot be executed."""
    data = bundle.directory("data")
    (data / "program").write_bytes(Path("/usr/bin/busybox").read_bytes())
    (data / "program").chmod(0o755)
    known_of_crun("loses noexec", when=bundle.identity.name == "root-userns")
    bundle.bind(data, "/data", "bind", "noexec")
    assert bundle.run("/data/program true").code == 126


def test_later_options_win(bundle: Bundle) -> None:
    """Of two options that contradict each other the later one counts, as with mount(8)."""
    known_of_crun("lets the first one win")
    bundle.bind(bundle.directory("data"), "/data", "bind", "ro", "noexec", "rw", "exec")
    assert not {"ro", "noexec"} & options_of(bundle, "/data")


@ROOT_ONLY
def test_rbind_brings_the_mounts_below(bundle: Bundle) -> None:
    """``rbind`` binds what is mounted below the source too, ``bind`` does not."""
    data = bundle.directory("data")
    (data / "below").mkdir()
    with mounted_tmpfs(data / "below"):
        (data / "below/file").write_text("below\n")
        bundle.bind(data, "/plain", "bind")
        bundle.bind(data, "/recursive", "rbind")
        assert bundle.output("ls /plain/below; ls /recursive/below") == "file"


@ROOT_ONLY
def test_ro_is_for_the_top_and_rro_for_the_tree(bundle: Bundle) -> None:
    """``ro`` leaves the mounts below writable; ``rro`` makes the whole tree read-only."""
    data = bundle.directory("data")
    (data / "below").mkdir()
    with mounted_tmpfs(data / "below"):
        bundle.bind(data, "/top", "rbind", "ro")
        bundle.bind(data, "/tree", "rbind", "rro")
        script = "echo x > /top/below/ok || exit 1; echo x > /tree/below/no && exit 2; exit 0"
        assert bundle.run(script).code == 0


@pytest.mark.parametrize("option", ["rnosuid", "rnodev", "rnoexec", "rro"])
def test_a_recursive_flag_is_on_the_mount(bundle: Bundle, option: str) -> None:
    """Each recursive option shows, without its ``r``, in the mount table."""
    bundle.bind(bundle.directory("data"), "/data", "rbind", option)
    assert option.removeprefix("r") in options_of(bundle, "/data")


def test_order_is_the_configs(bundle: Bundle) -> None:
    """Mounts are made in the config's order, so that one can lie on another."""
    (bundle.directory("data") / "file").write_text("found\n")
    bundle.mount("/mnt", "tmpfs", "tmpfs")
    bundle.bind("data", "/mnt/data")
    assert bundle.output("cat /mnt/data/file") == "found"


def test_a_source_that_is_missing_is_an_error(bundle: Bundle) -> None:
    """A source that does not exist stops the container, and is named."""
    bundle.bind("/nonexistent/source", "/data")
    finished = bundle.run("true")
    assert finished.code != 0
    assert "/nonexistent/source" in finished.err


@pytest.mark.parametrize("identity", ["user", "root-userns"], indirect=True)
def test_a_flag_that_the_host_has_locked_stays(bundle: Bundle) -> None:
    """Binding a mount that the host made nosuid or read-only works, and does not lose the flag."""
    bundle.bind("/proc/sys/kernel", "/kernel", "bind", "ro")
    assert "ro" in options_of(bundle, "/kernel")


@ROOT_ONLY
def test_a_bind_mount_can_be_remounted(bundle: Bundle) -> None:
    """``remount`` with ``bind`` changes the flags of what is mounted there already."""
    bundle.bind(bundle.directory("data"), "/data", "bind")
    bundle.mount("/data", options=["remount", "bind", "ro"])
    assert "ro" in options_of(bundle, "/data")


class mounted_tmpfs:  # noqa: N801 - reads as a function
    """A tmpfs on the host, for the time of a ``with`` block; needs root."""

    def __init__(self, path: Path, *options: str) -> None:
        capabilities.need_root()
        self._path = path
        self._options = options

    def __enter__(self) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", *self._options, "tmpfs", self._path], check=True)
        return self._path

    def __exit__(self, *_exception: object) -> None:
        subprocess.run(["umount", self._path], check=True)
