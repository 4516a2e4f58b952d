"""Tests that use up whatever there is: they fail, the run goes on, and nothing is left."""

from __future__ import annotations

import pytest

from tests.capabilities import can_make_cgroups, need_of_machine

from .project import Project

TESTS = """
import os, pytest, resource, signal, subprocess, sys, threading, time

@pytest.mark.isolated(LIMITS)
def test_bomb():
    BODY

@pytest.mark.isolated
def test_next():
    assert [pid for pid in os.listdir("/proc") if pid.isdecimal()] == ["1", str(os.getpid())]
    assert not os.path.exists("/tmp/big") and not os.listdir("/dev/shm")
"""

#: name: limits, whether they take cgroups, the test's body, what its report has to say
BOMBS = {
    "forks": (
        "pids=40",
        False,
        "while True:\n        try: os.fork()\n        except BlockingIOError: os.abort()",
        "*was killed by SIGABRT*",
    ),
    "forks-without-end": (
        "pids=40, timeout=3",
        False,
        "while True:\n        try: os.fork()\n        except BlockingIOError: pass",
        "*timeout: the test ran for more than 3 s*",
    ),
    "memory": (
        "memory='60M'",
        True,
        "kept = []\n    while True: kept.append(b'x' * (1 << 20))",
        "*out of memory*",
    ),
    "memory-of-children": (
        "memory='60M', pids=30, timeout=20",
        True,
        (
            "code = 'kept = []\\nwhile True: kept.append(bytes(bytearray(b\"x\") * (1 << 20)))'\n"
            "    run = [subprocess.Popen([sys.executable, '-c', code]) for _ in range(8)]\n"
            "    assert {child.wait() for child in run} == {0}"
        ),
        "*killed for want of memory*",
    ),
    "disk-tmp": (
        "memory='60M'",
        True,
        "with open('/tmp/big', 'wb') as file:\n        while True: file.write(b'x' * (1 << 20))",
        "*out of memory*",
    ),
    "disk-shm": (
        "memory='60M'",
        True,
        "with open('/dev/shm/big', 'wb') as file:\n        while True: file.write(b'x' * (1 << 20))",
        "*out of memory*",
    ),
    "descriptors": (
        "",
        False,
        (
            "resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))\n"
            "    kept = []\n    while True: kept.append(os.pipe())"
        ),
        "*Too many open files*",
    ),
    "threads": (
        "pids=60",
        False,
        "while True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "*can't start new thread*",
    ),
    "zombies": (
        "pids=60",
        False,
        "while True:\n        if os.fork() == 0: os._exit(0)",
        "*BlockingIOError*",
    ),
    "orphaned-zombies": (
        "pids=60",
        False,
        (
            "# The container's init reaps those of others.\n"
            "    for _ in range(300):\n"
            "        if (pid := os.fork()) == 0:\n"
            "            if os.fork() == 0: os._exit(0)\n"
            "            os._exit(0)\n"
            "        os.waitpid(pid, 0)\n"
            "    assert not 'all reaped'"
        ),
        "*all reaped*",
    ),
    "deaf": (
        "timeout=2",
        False,
        (
            "for n in set(range(1, 65)) - {9, 19, 32, 33}: signal.signal(n, signal.SIG_IGN)\n"
            "    for _ in range(3): os.fork()\n"
            "    while True: time.sleep(1)"
        ),
        "*timeout: the test ran for more than 2 s*",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(project: Project, name: str) -> None:
    """The bomb's own test fails with the reason, the next one finds nothing of it."""
    limits, takes_cgroups, body, sentence = BOMBS[name]
    need_of_machine(
        not takes_cgroups or can_make_cgroups(), "root, or a cgroup v2 that is delegated to us"
    )
    result = project.test_marked(TESTS.replace("LIMITS", limits).replace("BODY", body))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([sentence])


def test_tmpfs_have_sizes(project: Project) -> None:
    """Without a limit of memory, what can be written to one place is a quarter of the machine's memory."""
    project.test(
        """
        import os, pytest

        @pytest.mark.parametrize("path", ["/tmp", "/var/tmp", "/run", "/dev/shm", os.path.expanduser("~")])
        def test_size(path):
            found = os.statvfs(path)
            memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            assert 0 < found.f_blocks * found.f_frsize <= memory * 0.26
        """
    ).assert_outcomes(passed=5)


@pytest.mark.parametrize("stream", [1, 2])
def test_output_flood(project: Project, stream: int) -> None:
    """Of 300 MB of output the report has the beginning and the end; the host does not hold it in memory."""
    project.write(
        "conftest.py",
        """
        def pytest_unconfigure():
            # Not ru_maxrss, which is what this process had before it executed pytest, too.
            with open("/proc/self/status") as file:
                kib = next(line.split()[1] for line in file if line.startswith("VmHWM:"))
            print("peak", int(kib) // 1024, "MB")
        """,
    )
    body = (
        f"line = b'x' * 999 + b'\\n'\n    os.write({stream}, b'first\\n')\n"
        f"    for _ in range(300000): os.write({stream}, line)\n"
        f"    os.write({stream}, b'last\\n')\n    os.abort()"
    )
    result = project.test_marked(TESTS.replace("LIMITS", "").replace("BODY", body))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["first", "*bytes left out by pytest-nsisolate*", "last"])
    peak = next(line for line in result.stdout.lines if line.startswith("peak "))
    assert int(peak.split()[1]) < 200
