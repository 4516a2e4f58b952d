"""memory=, pids= and cpu=: enforced for all processes of a test together, or refused."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.capabilities import can_make_cgroups, need_of_machine

from .processes import wait_until
from .project import Project

CGROUPS = "/sys/fs/cgroup"
#: Runs a command line where the cgroups are read-only, as they are in a container of Docker's.
READONLY_CGROUPS = (
    *("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"),
    (
        "for m in $(grep -o ' /sys/fs/cgroup[^ ]* .* - cgroup' /proc/self/mountinfo | cut -d ' ' -f 2); do "
        'mount -o remount,bind,ro $m; done; exec "$@"'
    ),
    "sh",
)
LIMITED = """
import os, pytest, subprocess, sys, time

@pytest.mark.isolated(LIMITS)
def test_it():
    BODY

def test_next():
    pass
"""


def source(limits: str, body: str) -> str:
    """Return a file with one limited test and another one."""
    return LIMITED.replace("LIMITS", limits).replace("BODY", body)


def cgroups_of_sessions() -> set[str]:
    """Return the cgroups of plugin sessions; those of other people's may come and go meanwhile."""
    return {
        os.path.join(where, name)
        for where, names, _files in os.walk(CGROUPS)
        for name in names
        if name.startswith("nsisolate-") and name.rpartition("-")[2].isalnum()
    }


def cgroups_of(pid: int) -> list[str]:
    """Return the cgroups that the session of that pytest process has made."""
    return [path for path in cgroups_of_sessions() if f"/nsisolate-{pid}-" in path]


@pytest.fixture
def controllers() -> None:
    """Skip where we may make no cgroups."""
    need_of_machine(can_make_cgroups(), "root, or a cgroup v2 that is delegated to us")


@pytest.mark.usefixtures("controllers")
def test_out_of_memory(project: Project) -> None:
    """A test that wants more memory than it may is killed; the report has that, the peak and the output."""
    body = 'print("before"); wanted = b"x" * (300 << 20)'
    result = project.test_marked(source('memory="64M"', body))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*out of memory: the test's process was killed at memory=67108864 (peak 6?.? MiB)*"]
    )
    result.stdout.fnmatch_lines(["before"])


@pytest.mark.usefixtures("controllers")
def test_sigkill_is_not_out_of_memory(project: Project) -> None:
    """A test with a limit that is killed by somebody else is reported as that."""
    result = project.test_marked(source('memory="64M"', "os.kill(os.getpid(), 9)"))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*the test's process was killed by SIGKILL*"])
    result.stdout.no_fnmatch_line("*out of memory*")
    result.stdout.no_fnmatch_line("*Limits reached*")


@pytest.mark.usefixtures("controllers")
def test_a_child_out_of_memory(project: Project) -> None:
    """If the kernel kills only a child, the report of the failure says why that died."""
    body = "subprocess.run([sys.executable, '-c', 'x = b\"x\" * (300 << 20)'], check=True)"
    result = project.test_marked(source('memory="64M"', body))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["E*died with <Signals.SIGKILL: 9>."])
    result.stdout.fnmatch_lines(["1 of its processes were killed for want of memory*peak 6*"])


@pytest.mark.usefixtures("controllers")
def test_memory_of_all_processes_counts(project: Project) -> None:
    """The limit is for the processes of a test together: four with 40 MB each are more than 100."""
    body = (
        "code = 'x = b\"x\" * (40 << 20); print(1, flush=True); input()'\n"
        "    run = [subprocess.Popen([sys.executable, '-c', code], stdin=-1, stdout=-1) for _ in '1234']\n"
        "    print([child.stdout.readline() for child in run].count(b''), 'died'); assert 0"
    )
    result = project.test_marked(source("memory=100 << 20", body))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines_random(["*killed for want of memory*"])
    alone = project.test_marked(source("memory=400 << 20", body))
    alone.stdout.fnmatch_lines(["0 died"])


def test_pids(project: Project) -> None:
    """With pids= a test has that many processes and threads, itself included; the next test has others."""
    body = (
        "there = 1\n"
        "    try:\n"
        "        while there < 100:\n"
        "            if os.fork() == 0: time.sleep(600)\n"
        "            there += 1\n"
        "    except BlockingIOError:\n"
        "        print(there, 'processes'); raise"
    )
    result = project.test_marked(
        source("pids=11", body) + source("pids=11", body).replace("test_", "test_2")
    )
    result.assert_outcomes(failed=2, passed=2)
    assert result.stdout.lines.count("11 processes") == 2
    if can_make_cgroups():
        result.stdout.fnmatch_lines(["1 times no process or thread could be started: pids=11"])


def test_pids_of_a_nested_user_namespace(project: Project) -> None:
    """A user namespace of the test's own brings it no further processes."""
    code = (
        "import os, time\\n"
        "there = 0\\n"
        "try:\\n"
        "    while there < 100:\\n"
        "        if os.fork() == 0: time.sleep(600)\\n"
        "        there += 1\\n"
        "except BlockingIOError: print(there, 'more', flush=True)\\n"
    )
    body = (
        f"subprocess.run(['unshare', '-U', sys.executable, '-c', \"{code}\"], check=True); assert 0"
    )
    result = project.test_marked(source("pids=11", body))
    result.stdout.fnmatch_lines(["9 more"])


@pytest.mark.usefixtures("controllers")
def test_cpu(project: Project) -> None:
    """cpu=0.2 gives a busy test a fifth of a processor."""
    body = (
        "began = time.monotonic()\n"
        "    while time.process_time() < 0.6: pass\n"
        "    assert time.monotonic() - began > 1.5"
    )
    project.test_marked(source("cpu=0.2", body)).assert_outcomes(passed=2)


@pytest.mark.usefixtures("controllers")
def test_settings_and_marks(project: Project) -> None:
    """The ini file's limits are the default, a mark's replaces one of them, and None takes it away."""
    project.write("pytest.ini", "[pytest]\nnsisolate_memory = 64M\nnsisolate_pids = 50\n")
    result = project.test(
        """
        import pytest

        BIG = "x" * (100 << 20)

        def test_default():
            "x".join("x" * 1000 for _ in range(100000))

        @pytest.mark.isolated(memory=None)
        def test_unlimited():
            "x".join("x" * 1000 for _ in range(100000))

        @pytest.mark.isolated(memory="500M")
        def test_more():
            "x".join("x" * 1000 for _ in range(100000))
        """
    )
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["*out of memory*memory=67108864*"])


def test_what_cannot_be_enforced_is_an_error(project: Project) -> None:
    """A limit that this caller cannot have stops pytest at the start, with the test and the remedy."""
    project.write("test_it.py", source('memory="64M"', "pass"))
    hidden = READONLY_CGROUPS if can_make_cgroups() else ("env",)
    result = project.run_in(*hidden, args=())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    error = result.stderr.str()
    assert "nsisolate: test_it.py::test_it: memory=67108864 cannot be enforced here: " in error
    assert "systemd-run --user --scope -p Delegate=yes" in error
    assert "Traceback" not in error
    skipping = project.run_in(*hidden, args=("--nsisolate=skip", "-rs"))
    skipping.assert_outcomes(skipped=1, passed=1)
    skipping.stdout.fnmatch_lines(["*memory=67108864 cannot be enforced here: *"])


@pytest.mark.usefixtures("controllers")
def test_no_cgroup_is_left(project: Project) -> None:
    """After the run there is no cgroup of it, also if pytest was killed in mid-test: within a second."""
    before = cgroups_of_sessions()
    project.test_marked(source('memory="64M", pids=9, cpu=1', "pass")).assert_outcomes(passed=2)
    assert not {p for p in cgroups_of_sessions() - before if p in str(project.path)}
    flag = project.home / "started"
    body = f"open({str(flag)!r}, 'w').close(); time.sleep(600)"
    project.write(
        "test_it.py", source(f'memory="64M", pids=9, cpu=1, writable=[{str(project.home)!r}]', body)
    )
    with subprocess.Popen(project.command(), start_new_session=True, stdout=-3) as running:
        try:
            wait_until(flag.exists, 30, "the test has started")
            assert cgroups_of(running.pid)
        finally:
            running.send_signal(signal.SIGKILL)
    wait_until(lambda: not cgroups_of(running.pid), 1.0, "the cgroups are gone")


@pytest.mark.usefixtures("controllers")
def test_a_test_cannot_leave_its_cgroup(project: Project) -> None:
    """Neither root in the sandbox nor a cgroup file system that it mounts leads out of the limits."""
    body = (
        "script = 'for d in /sys/fs/cgroup /sys/fs/cgroup/memory /mnt; do echo 0 > $d/cgroup.procs; done'\n"
        "    subprocess.run(['mount', '-t', 'cgroup', '-o', 'memory', 'none', '/mnt'])\n"
        "    subprocess.run(['mount', '-t', 'cgroup2', 'none', '/mnt'])\n"
        "    subprocess.run(['sh', '-c', script])\n"
        "    wanted = b'x' * (300 << 20)"
    )
    result = project.test_marked(source('memory="64M", root=True', body))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*out of memory: *"])


def test_the_test_has_no_door(project: Project) -> None:
    """The descriptors by which a test got into its cgroup are closed when it runs."""
    body = (
        "found = {}\n"
        "    for name in os.listdir('/proc/self/fd'):\n"
        "        try: found[name] = os.readlink(f'/proc/self/fd/{name}')\n"
        "        except OSError: pass\n"
        "    assert not [path for path in found.values() if 'cgroup' in path], found"
    )
    project.test_marked(source("pids=9", body)).assert_outcomes(passed=2)


def test_own_cgroup_only(project: Project) -> None:
    """The template and its other tests are not in a limited test's cgroup."""
    body = "open(os.environ['OUT'], 'w').write(open('/proc/self/cgroup').read())"
    project.write(
        "test_it.py",
        source(
            f"pids=9, writable=[{str(project.home)!r}], env={{'OUT': {str(project.home / 'out')!r}}}",
            body,
        ),
    )
    project.run().assert_outcomes(passed=2)
    text = (project.home / "out").read_text()
    assert ("/nsisolate-" in text) is can_make_cgroups()
