"""What of /proc and /sys is masked or read-only stays so, whatever a test tries."""

from __future__ import annotations

import pytest

from .project import Project

MASKED = """
import os

FILES = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats"]
DIRECTORIES = ["/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"]


def assert_masked():
    checked = 0
    for path in FILES:
        if os.path.exists(path):
            with open(path, "rb") as file:
                assert file.read() == b"", path
            checked += 1
    for path in DIRECTORIES:
        if os.path.isdir(path):
            assert os.listdir(path) == [], path
            checked += 1
    assert checked
"""

MARKS = pytest.mark.parametrize("mark", ["isolated", "isolated(root=True)"], ids=["caller", "root"])


@MARKS
def test_masked_paths_are_empty(project: Project, mark: str) -> None:
    """Masked files read as empty, masked directories list nothing, and writing to them does nothing."""
    project.test_marked(
        MASKED
        + f"""
import pytest

@pytest.mark.{mark}
def test_masked():
    assert_masked()
    for path in FILES:
        try:
            with open(path, "wb") as file:
                file.write(b"x")
        except OSError:
            pass
    assert_masked()
"""
    ).assert_outcomes(passed=1)


@MARKS
def test_sysctls_of_the_kernel_cannot_be_written(project: Project, mark: str) -> None:
    """What is below /proc/sys, /proc/irq, /proc/bus and /proc/sysrq-trigger is read-only, also for root."""
    project.test_marked(
        f"""
        import errno, glob, os, pytest

        PATHS = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/panic", "/proc/sys/kernel/hostname",
            "/proc/sys/kernel/randomize_va_space", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
            *glob.glob("/proc/irq/*/smp_affinity")[:1]]

        @pytest.mark.{mark}
        def test_written():
            for path in PATHS:
                if os.path.exists(path):
                    # Opened only: were it possible, nothing would be changed.
                    with pytest.raises(OSError) as caught:
                        os.close(os.open(path, os.O_WRONLY))
                    assert caught.value.errno in (errno.EROFS, errno.EACCES), path
        """
    ).assert_outcomes(passed=1)


@MARKS
def test_masks_cannot_be_removed(project: Project, mark: str) -> None:
    """Unmounting, remounting or moving a mask fails, and it still masks."""
    project.test_marked(
        MASKED
        + f"""
import ctypes, pytest

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE, MNT_DETACH = 1, 32, 4096, 8192, 2

@pytest.mark.{mark}
def test_unmask():
    libc = ctypes.CDLL(None, use_errno=True)
    os.mkdir("/tmp/elsewhere")
    paths = [p for p in FILES + DIRECTORIES + ["/proc/sys", "/proc/irq", "/proc"] if os.path.exists(p)]
    for path in paths:
        for flags in (0, MNT_DETACH):
            assert libc.umount2(path.encode(), flags) == -1, path
        assert libc.mount(b"", path.encode(), None, MS_REMOUNT | MS_BIND, None) == -1 or path == "/proc"
        assert libc.mount(path.encode(), b"/tmp/elsewhere", None, MS_MOVE, None) == -1, path
    assert_masked()
    with pytest.raises(OSError):
        os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
"""
    ).assert_outcomes(passed=1)


@MARKS
def test_fresh_proc_unmasks_nothing(project: Project, mark: str) -> None:
    """A new /proc or a bind of the old one, also from nested namespaces, shows nothing that is masked."""
    project.test_marked(
        MASKED
        + f"""
import subprocess, pytest

NESTED = '''
mkdir -p /tmp/p
mount -t proc proc /tmp/p 2>/dev/null && echo fresh
mount --bind /proc /tmp/p 2>/dev/null && test -s /tmp/p/timer_list && echo uncovered
umount /proc/kcore 2>/dev/null && echo unmounted
umount -l /proc 2>/dev/null && echo detached
mount -o remount,bind,rw /proc/sys 2>/dev/null && echo remounted
echo tried
'''

@pytest.mark.{mark}
@pytest.mark.parametrize("options", [[], ["--mount"], ["--user", "--map-root-user", "--mount"],
    ["--user", "--map-root-user", "--mount", "--pid", "--fork"]], ids=len)
def test_nested(options):
    program = ["unshare", *options] if options else []
    ran = subprocess.run([*program, "sh", "-c", NESTED], capture_output=True, text=True)
    if not ran.returncode:
        assert ran.stdout == "tried\\n"
    assert_masked()
"""
    ).assert_outcomes(passed=4)


def test_old_root_is_out_of_reach(project: Project) -> None:
    """Changing the root and walking up from inside leads nowhere but to the sandbox's own root."""
    project.test_marked(
        """
        import os, pytest

        @pytest.mark.isolated(root=True)
        def test_escape():
            own = os.stat("/")
            os.mkdir("/tmp/jail")
            fd = os.open("/", os.O_RDONLY)
            os.chroot("/tmp/jail")
            os.fchdir(fd)
            for _level in range(20):
                os.chdir("..")
            os.chroot(".")
            now = os.stat("/")
            assert (now.st_dev, now.st_ino) == (own.st_dev, own.st_ino)
            assert not os.path.exists("/.nsisolate")
            with open("/proc/self/mountinfo") as file:
                assert "/.nsisolate" not in " ".join(line.split()[4] for line in file)
        """
    ).assert_outcomes(passed=1)


def test_devices_cannot_be_made(project: Project) -> None:
    """The block devices of the machine are not there, and nobody can make nodes for them."""
    project.test_marked(
        """
        import os, stat, pytest

        @pytest.mark.isolated(root=True)
        def test_devices():
            for name in os.listdir("/dev"):
                assert not stat.S_ISBLK(os.stat(f"/dev/{name}").st_mode)
            with pytest.raises(PermissionError):
                os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(8, 0))
            with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError):
                full.write(b"x")
            assert open("/dev/zero", "rb").read(2) == b"\\0\\0"
            assert open("/dev/null").read() == ""
            os.close(os.openpty()[0])
        """
    ).assert_outcomes(passed=1)
