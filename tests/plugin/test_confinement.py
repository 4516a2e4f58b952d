"""A test cannot reach the processes that run it."""

from __future__ import annotations

from .project import Project


def test_open_descriptors(project: Project) -> None:
    """A test inherits its streams, what pytest captures with, and one socket that takes results."""
    project.test(
        """
        import os, stat

        def test_descriptors():
            sockets = []
            for name in os.listdir("/proc/self/fd"):
                try:
                    link = os.readlink(f"/proc/self/fd/{name}")
                except FileNotFoundError:
                    continue  # the listing's own
                assert not link.startswith("/proc"), link
                assert "anon_inode" not in link, link
                if link.startswith("socket:"):
                    sockets.append(int(name))
            assert len(sockets) == 1
        """
    ).assert_outcomes(passed=1)


def test_children_inherit_streams_only(project: Project) -> None:
    """A program that a test executes has 0, 1 and 2 open, and not what pytest itself was started with."""
    project.write(
        "test_it.py",
        """
        import subprocess

        def test_child():
            listed = subprocess.check_output(["sh", "-c", "ls /proc/$$/fd"], close_fds=False, text=True)
            assert listed.split() == ["0", "1", "2"]
        """,
    )
    program = ("sh", "-c", 'exec "$@" 9<.', "sh")
    project.run_in(*program, args=("--nsisolate-all",)).assert_outcomes(passed=1)


def test_standard_input_is_empty(project: Project) -> None:
    """Reading the standard input behaves as in any captured test, and for children it is at its end."""
    project.test(
        """
        import subprocess, sys, pytest

        def test_input():
            with pytest.raises(OSError, match="reading from stdin"):
                sys.stdin.read()
            assert subprocess.run(["cat"], stdout=subprocess.PIPE, timeout=10).stdout == b""
        """
    ).assert_outcomes(passed=1)


def test_parent_is_out_of_sight(project: Project) -> None:
    """The parent's pid is 0 or an init's: there is nobody above whom a test could name, trace or signal."""
    project.test(
        """
        import ctypes, os, signal, pytest

        PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206

        def test_parent():
            assert os.getppid() in (0, 1)
            libc = ctypes.CDLL(None, use_errno=True)
            libc.ptrace.argtypes = [ctypes.c_long] * 4
            assert libc.ptrace(PTRACE_SEIZE, os.getppid(), 0, 0) == -1
            for pid in range(2, 400):
                if pid != os.getpid():
                    with pytest.raises(ProcessLookupError):
                        os.kill(pid, 0)

        def test_init_survives_signals():
            os.kill(1, signal.SIGTERM)
            os.kill(1, signal.SIGKILL)
            os.kill(1, 0)
            assert open("/proc/1/comm").read().startswith("nsisolate")
        """
    ).assert_outcomes(passed=2)


def test_kill_everything(project: Project) -> None:
    """kill(-1) reaches the test's own children only; the run goes on."""
    project.test(
        """
        import os, signal, subprocess

        def test_kill():
            child = subprocess.Popen(["sleep", "60"])
            os.kill(-1, signal.SIGKILL)
            assert child.wait(10) == -signal.SIGKILL

        def test_next():
            assert [name for name in os.listdir("/proc") if name.isdecimal()] == ["1", str(os.getpid())]
        """
    ).assert_outcomes(passed=2)


def test_init_has_nothing_to_take(project: Project) -> None:
    """The init that a test runs under has no file open but the null device, and no other root."""
    project.test_marked(
        """
        import os, pytest

        @pytest.mark.isolated(root=True)
        def test_init():
            try:
                files = {os.readlink(f"/proc/1/fd/{fd}") for fd in os.listdir("/proc/1/fd")}
                assert files == {"/dev/null"}
                assert os.readlink("/proc/1/root") == "/"
            except PermissionError:
                pass
        """
    ).assert_outcomes(passed=1)


def test_own_session(project: Project) -> None:
    """A test is the leader of a session of its own: it has no terminal to type into."""
    project.test(
        """
        import os, pytest

        def test_session():
            assert os.getsid(0) == os.getpid() == os.getpgid(0)
            with pytest.raises(OSError):
                os.open("/dev/tty", os.O_RDWR)
        """
    ).assert_outcomes(passed=1)
