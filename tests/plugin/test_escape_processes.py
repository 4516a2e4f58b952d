"""The processes around a test, and around the fixtures of wider scopes, are no way to the host's files."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from .project import PLAIN, Project

MARKS = pytest.mark.parametrize("mark", ["isolated", "isolated(root=True)"], ids=["caller", "root"])

#: Code that looks at each process that it sees, but for those that it is itself.
LOOK = """
import ctypes, os

PTRACE_SEIZE = 0x4206


def attack():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    own = os.stat("/")
    reached = []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        try:
            fd = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
            os.fchmod(fd, 0o777)
        except OSError:
            pass
        if pid == os.getpid():
            continue
        for where in ("root", "cwd"):
            try:
                found = os.stat(f"/proc/{pid}/{where}")
                os.listdir(f"/proc/{pid}/{where}")
            except OSError:
                continue
            if (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino):
                reached.append(f"/proc/{pid}/{where}")
            try:
                open(f"/proc/{pid}/{where}/escaped", "w").close()
            except OSError:
                pass
    return reached
"""


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """Return a copy of the interpreter, for attacks to harm."""
    directory = tmp_path / "python"
    directory.mkdir()
    copy = directory / "python3"
    shutil.copy(os.path.realpath(sys.executable), copy)
    copy.chmod(0o755)
    return copy


@MARKS
def test_the_interpreter_is_out_of_reach(
    project: Project, interpreter: Path, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    """CVE-2019-5736: neither a test's own executable nor its init's is the host's file, to be changed."""
    monkeypatch.setenv("PYTHONHOME", sys.base_prefix)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    project.write(
        "test_it.py",
        LOOK
        + f"""
import pytest

@pytest.fixture(scope="session")
def wide():
    attack()

@pytest.mark.{mark}
def test_attack(wide):
    attack()
    assert os.path.basename(os.readlink("/proc/self/exe")) == "python3"
""",
    )
    before = interpreter.read_bytes()
    result = project.run_program(str(interpreter), "-m", "pytest", *PLAIN)
    result.assert_outcomes(passed=1)
    assert interpreter.stat().st_mode & 0o7777 == 0o755
    assert interpreter.read_bytes() == before


@MARKS
def test_no_other_root_or_directory(project: Project, mark: str) -> None:
    """No process that a test or a wide fixture sees has another root or directory to go through.

    What a wide fixture sees is the init and the factory of its sandbox: these have had the host's files.
    """
    project.test_marked(
        LOOK
        + f"""
import pytest

@pytest.fixture(scope="session")
def wide():
    return attack()

@pytest.mark.{mark}
def test_attack(wide):
    assert wide == []
    assert attack() == []
"""
    ).assert_outcomes(passed=1)
    assert not (project.path / "escaped").exists()
    assert not os.path.exists("/escaped")


@MARKS
def test_nobody_else_can_be_traced(project: Project, mark: str) -> None:
    """ptrace(2) and the memory of any process that a wide fixture sees, save its own, are refused."""
    project.test_marked(
        LOOK
        + f"""
import pytest

@pytest.fixture(scope="session")
def traced():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    seized = []
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    assert {{1, 2}} <= set(pids)
    for pid in pids:
        if pid != os.getpid():
            if libc.ptrace(PTRACE_SEIZE, pid, 0, 0) == 0:
                seized.append(pid)
            with pytest.raises(OSError):
                os.close(os.open(f"/proc/{{pid}}/mem", os.O_RDWR))
            pidfd = os.pidfd_open(pid)
            assert libc.syscall(438, pidfd, 0, 0) == -1, "pidfd_getfd"
            os.close(pidfd)
    return seized

@pytest.mark.{mark}
def test_traced(traced):
    assert traced == []
"""
    ).assert_outcomes(passed=1)
