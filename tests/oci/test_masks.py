"""``linux.maskedPaths`` and ``linux.readonlyPaths``."""

from __future__ import annotations

import pytest

from .bundle import Bundle
from .runtime_under_test import known_of_crun

USER_NAMESPACED = pytest.mark.parametrize("identity", ["root-userns", "user"], indirect=True)


@pytest.fixture
def secrets(bundle: Bundle) -> Bundle:
    """Return a bundle with a file and a directory to mask."""
    directory = bundle.directory("rootfs/secrets")
    (directory / "file").write_text("secret\n")
    (bundle.rootfs / "secret").write_text("secret\n")
    return bundle


def test_a_masked_file_reads_empty(secrets: Bundle) -> None:
    """A masked file can be opened, and holds nothing."""
    secrets.linux["maskedPaths"] = ["/secret"]
    assert secrets.output("cat /secret | wc -c") == "0"


def test_a_masked_directory_is_empty(secrets: Bundle) -> None:
    """A masked directory lists nothing and takes nothing."""
    secrets.linux["maskedPaths"] = ["/secrets"]
    assert secrets.output("ls /secrets; echo x > /secrets/new || echo refused") == "refused"


def test_masks_work_in_proc(bundle: Bundle) -> None:
    """What is masked below /proc is not the kernel's any more."""
    bundle.linux["maskedPaths"] = ["/proc/keys", "/proc/bus", "/proc/timer_list"]
    assert bundle.output("cat /proc/keys /proc/timer_list; ls /proc/bus") == ""


def test_a_masked_path_that_is_missing_is_skipped(bundle: Bundle) -> None:
    """A path that does not exist needs no mask."""
    bundle.linux["maskedPaths"] = ["/nonexistent", "/non/existent"]
    assert bundle.run("true").code == 0


def test_a_masked_path_below_a_file_is_skipped(bundle: Bundle) -> None:
    """A path that leads through a file does not exist either."""
    known_of_crun("stops at ENOTDIR")
    bundle.linux["maskedPaths"] = ["/bin/busybox/below"]
    assert bundle.run("true").code == 0


@pytest.mark.parametrize("path", ["/secret", "/secrets", "/proc/keys"])
def test_a_mask_cannot_be_unmounted(secrets: Bundle, path: str) -> None:
    """Unmounting a mask fails for the container's root, who lacks CAP_SYS_ADMIN."""
    secrets.linux["maskedPaths"] = [path]
    finished = secrets.run(f"umount {path} || umount -l {path}")
    assert finished.code != 0
    assert "secret" not in secrets.output(f"cat {path} {path}/file 2>/dev/null; true")


@USER_NAMESPACED
def test_a_mask_cannot_be_shed_by_a_further_user_namespace(secrets: Bundle) -> None:
    """Who makes a user namespace of his own inside gets the masks with it, locked."""
    secrets.linux["maskedPaths"] = ["/secret"]
    finished = secrets.run("unshare -Urm sh -c 'umount /secret; cat /secret' 2>/dev/null; true")
    assert "secret" not in finished.out


def test_a_readonly_path_refuses_writes(secrets: Bundle) -> None:
    """A read-only path can be read and not written, directory or file."""
    secrets.linux["readonlyPaths"] = ["/secrets", "/secret"]
    script = "cat /secret; echo x > /secret || echo no; echo x > /secrets/new || echo no"
    assert secrets.output(script).split() == ["secret", "no", "no"]


def test_proc_sys_is_readonly(bundle: Bundle) -> None:
    """The usual read-only /proc/sys refuses the container's root."""
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    finished = bundle.run("echo changed > /proc/sys/kernel/hostname")
    assert finished.code != 0
    assert "Read-only file system" in finished.err


def test_a_readonly_path_covers_the_mounts_below(secrets: Bundle) -> None:
    """What is mounted below a read-only path is read-only as well."""
    known_of_crun("leaves the mounts below as they are")
    secrets.mount("/secrets/below", "tmpfs", "tmpfs")
    secrets.linux["readonlyPaths"] = ["/secrets"]
    assert secrets.run("echo x > /secrets/below/new").code != 0


def test_a_readonly_path_that_is_missing_is_skipped(bundle: Bundle) -> None:
    """A path that does not exist needs not be read-only."""
    bundle.linux["readonlyPaths"] = ["/nonexistent"]
    assert bundle.run("true").code == 0


def test_a_readonly_path_cannot_be_remounted(secrets: Bundle) -> None:
    """Without CAP_SYS_ADMIN a read-only path cannot be made writable again."""
    secrets.linux["readonlyPaths"] = ["/secrets"]
    script = "mount -o remount,rw,bind /secrets; umount /secrets; echo x > /secrets/new"
    assert secrets.run(script).code != 0


def test_a_masked_path_below_a_readonly_path_stays_masked(secrets: Bundle) -> None:
    """A read-only path does not uncover the masks below it."""
    secrets.linux["maskedPaths"] = ["/secrets/file"]
    secrets.linux["readonlyPaths"] = ["/secrets"]
    assert secrets.output("cat /secrets/file | wc -c") == "0"


@pytest.mark.parametrize("key", ["maskedPaths", "readonlyPaths"])
def test_a_relative_path_is_refused(bundle: Bundle, key: str) -> None:
    """config-linux.md: the values MUST be absolute paths."""
    known_of_crun("takes relative ones from the root")
    bundle.linux[key] = ["relative"]
    finished = bundle.run("true")
    assert finished.code == 1
    assert f"linux.{key}[0]" in finished.err
