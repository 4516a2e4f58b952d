"""What an isolated test sees of itself and of the machine around it."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from pathlib import Path

from .. import capabilities
from .project import Project


def test_namespaces_are_its_own(project: Project) -> None:
    """Every namespace but the network's is another one than the host's."""
    kinds = ("user", "pid", "mnt", "uts", "ipc", "cgroup", "net")
    here = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in kinds}
    project.test(
        f"""
        import os

        def test_namespaces():
            there = {{kind: os.readlink(f"/proc/self/ns/{{kind}}") for kind in {kinds}}}
            same = [kind for kind, link in {here}.items() if there[kind] == link]
            assert same == ["net"]
        """
    ).assert_outcomes(passed=1)


def test_pid_is_small(project: Project) -> None:
    """The test's pid is small but not 1, and so is what it starts."""
    project.test(
        """
        import os, subprocess

        def test_pid():
            assert 1 < os.getpid() < 10
            assert int(subprocess.check_output(["sh", "-c", "echo $$"])) < 12
        """
    ).assert_outcomes(passed=1)


def test_proc_lists_own_processes_only(project: Project) -> None:
    """What /proc lists is the init, the test and its children."""
    project.test(
        """
        import os, subprocess

        def test_processes():
            child = subprocess.Popen(["sleep", "60"])
            pids = {int(name) for name in os.listdir("/proc") if name.isdecimal()}
            assert pids == {1, os.getpid(), child.pid}
        """
    ).assert_outcomes(passed=1)


def test_what_is_copied_is_the_same(project: Project) -> None:
    """The loader's cache, which is binary, has the bytes that the host's has."""
    cache = Path("/etc/ld.so.cache")
    capabilities.need(cache.exists(), "/etc/ld.so.cache")
    digest = hashlib.sha256(cache.read_bytes()).hexdigest()
    project.test(
        f"""
        import hashlib, pathlib

        def test_it():
            content = pathlib.Path("/etc/ld.so.cache").read_bytes()
            assert hashlib.sha256(content).hexdigest() == {digest!r}
        """
    ).assert_outcomes(passed=1)


def test_etc_is_generated(project: Project) -> None:
    """/etc/passwd and /etc/group know the caller and nobody else of the host, and getpass works."""
    project.test(
        f"""
        import grp, os, pwd

        def test_identity():
            assert os.getuid() == os.geteuid() == {os.geteuid()}
            assert os.getgid() == {os.getegid()}
            assert pwd.getpwuid(os.getuid()).pw_dir == os.environ["HOME"]
            assert grp.getgrgid(os.getgid())
            known = {{entry.pw_uid for entry in pwd.getpwall()}}
            assert known <= {{0, os.getuid(), 65534}}
            assert not os.path.exists("/etc/shadow")
            assert open("/etc/hostname").read() == "nsisolate\\n"
        """
    ).assert_outcomes(passed=1)


def test_hostname_can_be_set(project: Project) -> None:
    """Setting the host's name works inside, and outside nothing changes."""
    before = socket.gethostname()
    project.test(
        """
        import socket

        def test_first():
            assert socket.gethostname() == "nsisolate"
            socket.sethostname("changed")
            assert socket.gethostname() == "changed"

        def test_second():
            assert socket.gethostname() == "nsisolate"
        """
    ).assert_outcomes(passed=2)
    assert socket.gethostname() == before


def test_shared_memory_and_semaphores_are_its_own(project: Project) -> None:
    """POSIX shared memory of the host is not there, and a test's own is gone afterwards."""
    name = f"nsisolate-{os.getpid()}"
    with open(f"/dev/shm/x{name}", "w"):
        pass
    try:
        project.test(
            f"""
            import os
            from multiprocessing import Lock, shared_memory

            def test_memory():
                assert os.listdir("/dev/shm") == []
                shared_memory.SharedMemory("{name}", create=True, size=10).close()
                Lock().acquire()
            """,
            "-W",
            "ignore",
        ).assert_outcomes(passed=1)
        assert not os.path.exists(f"/dev/shm/{name}")
    finally:
        os.unlink(f"/dev/shm/x{name}")


def test_plain_tests_stay_outside(project: Project) -> None:
    """Without a mark a test runs in pytest's own process, as ever."""
    project.test_marked(
        f"""
        import os, pytest

        def test_plain():
            assert os.getpid() > 10
            assert os.readlink("/proc/self/ns/pid") == {os.readlink("/proc/self/ns/pid")!r}

        @pytest.mark.isolated
        def test_isolated():
            assert os.getpid() < 10

        @pytest.mark.nsisolated
        def test_isolated_by_the_other_name():
            assert os.getpid() < 10
        """
    ).assert_outcomes(passed=3)


def test_tools_see_the_same(project: Project) -> None:
    """A shell inside sees the test's processes, host name and root only."""
    project.test(
        """
        import subprocess

        def test_shell():
            script = "hostname 2>/dev/null || uname -n; ls -d /proc/[0-9]* | wc -l; cat /proc/1/comm"
            out = subprocess.check_output(["sh", "-c", script], text=True).split("\\n")
            assert out[0] == "nsisolate"
            assert int(out[1]) < 8
            assert "nsisolate" in out[2]
        """
    ).assert_outcomes(passed=1)


def test_private_directories_are_its_own(project: Project) -> None:
    """Directories for temporary files can be written to, and what is in them is neither side's."""
    name = f"nsisolate-private-{os.getpid()}"
    outside = Path(tempfile.gettempdir()) / f"{name}-outside"
    outside.touch()
    try:
        project.test(
            f"""
            import os, tempfile, pytest

            DIRECTORIES = ["/tmp", "/var/tmp", "/run", "/dev/shm", tempfile.gettempdir()]

            @pytest.mark.parametrize("path", DIRECTORIES, ids="abcde")
            def test_private(path):
                assert not [n for n in os.listdir(path) if n.startswith("nsisolate-private")]
                open(path + "/{name}", "w").close()
            """
        ).assert_outcomes(passed=5)
    finally:
        outside.unlink()
    for path in ("/tmp", "/var/tmp", "/run", "/dev/shm", tempfile.gettempdir()):
        assert not os.path.exists(f"{path}/{name}")
