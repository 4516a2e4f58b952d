"""``exec``: a further process in a running container."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .bundle import TIMEOUT, Bundle, Finished
from .identity import demotion
from .lifecycle import create, ok, start, state, verb, wait_for
from .runtime_under_test import ours_only, runtime_command
from .test_errors import assert_one_sentence

pytestmark = ours_only("its own options and sentences")


def execute(bundle: Bundle, *args: str) -> Finished:
    """Execute a command in the container."""
    return verb(bundle, "exec", *args)


def inside(bundle: Bundle, script: str, *options: str) -> str:
    """Return what a script in the container prints, stripped."""
    return ok(bundle, "exec", *options, bundle.id, "sh", "-c", script).out.strip()


def test_it_is_in_every_namespace(bundle: Bundle) -> None:
    """The process is in all of the container's namespaces, and sees its root."""
    bundle.namespace("cgroup")
    bundle.namespace("time")
    start(bundle)
    script = "for n in /proc/%s/ns/*; do readlink $n; done"
    assert inside(bundle, script % "self") == inside(bundle, script % "1")
    assert inside(bundle, "hostname; ls /proc | grep -c '^[0-9]'").startswith("box\n")
    assert inside(bundle, "ls /") == " ".join(inside(bundle, "ls -d /*").split()).replace(
        "/", ""
    ).replace(" ", "\n")


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_its_cwd_may_be_closed_to_its_user(bundle: Bundle) -> None:
    """A directory that the container's root may enter is a cwd for each user."""
    bundle.directory("rootfs/private", mode=0o700)
    start(bundle)
    assert inside(bundle, "pwd", "--cwd", "/private", "--user", "1000:1000") == "/private"
    assert inside(bundle, "pwd", "--cwd", "/private", "--user", "0") == "/private"


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_process_own(bundle: Bundle, script: str, code: int) -> None:
    """In the foreground the exit code is passed on."""
    start(bundle)
    assert execute(bundle, bundle.id, "sh", "-c", script).code == code


def test_a_program_that_is_not_there(bundle: Bundle) -> None:
    """What cannot be executed is said in the words that callers read, and no zombie stays."""
    start(bundle)
    finished = execute(bundle, bundle.id, "nosuch")
    assert 'exec: "nosuch": executable file not found in $PATH' in finished.err
    assert finished.code == 255
    assert execute(bundle, bundle.id, "/tmp").code == 255
    assert_one_sentence(execute(bundle, bundle.id), "process args cannot be empty", code=255)


def test_the_search_path_is_the_one_that_counts(bundle: Bundle) -> None:
    """A program is looked for in the PATH that it gets itself, which is the last that is given."""
    own = bundle.rootfs / "opt/mytool"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho mine\n")
    own.chmod(0o755)
    start(bundle)
    path = ("--env", "PATH=/opt:/bin")
    assert execute(bundle, *path, bundle.id, "mytool").out == "mine\n"
    finished = execute(bundle, "--env", "PATH=/nowhere", bundle.id, "sh")
    assert 'exec: "sh": executable file not found in $PATH' in finished.err


def test_options_change_the_process(bundle: Bundle) -> None:
    """``--cwd`` and ``--env`` change what the container's own process has; the rest is kept."""
    bundle.process["env"].append("KEPT=yes")
    start(bundle)
    options = ("--cwd", "/bin", "--env", "A=b", "-e", "C=d e")
    assert inside(bundle, 'pwd; echo "$KEPT $A $C"', *options).splitlines() == ["/bin", "yes b d e"]


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_another_user(bundle: Bundle) -> None:
    """``--user`` and ``--additional-gids`` are numbers inside of the container."""
    start(bundle)
    assert inside(bundle, "id -u; id -g", "--user", "5:6").split() == ["5", "6"]
    assert inside(bundle, "id -u; id -g", "-u", "5").split() == ["5", "0"]
    assert "7" in inside(bundle, "id -G", "-g", "7").split()
    for wrong in ("x", "-1", "4294967295"):  # the last is "no change" for the kernel
        finished = execute(bundle, "--user", wrong, bundle.id, "true")
        assert_one_sentence(finished, repr(wrong), code=255)


def test_home_is_the_users(bundle: Bundle) -> None:
    """Without a HOME of its own the process has that of the container's /etc/passwd, or ``/``."""
    start(bundle)
    assert inside(bundle, "echo $HOME") == "/"
    (bundle.rootfs / "etc/passwd").write_text("x\nroot:x:0:0:root:/tmp:/bin/sh\n")
    assert inside(bundle, "echo $HOME") == "/tmp"
    assert inside(bundle, "echo $HOME", "--env", "HOME=/bin") == "/bin"
    (bundle.rootfs / "etc/passwd").unlink()
    os.mkfifo(bundle.rootfs / "etc/passwd")
    assert inside(bundle, "echo $HOME") == "/"


def test_a_further_capability(bundle: Bundle) -> None:
    """``--cap`` adds to what the container's own process has."""
    start(bundle)
    own = inside(bundle, "grep CapEff /proc/self/status").split()[1]
    more = inside(bundle, "grep CapEff /proc/self/status", "--cap", "CAP_SYS_PTRACE").split()[1]
    assert int(more, 16) == int(own, 16) | 1 << 19


def write_process(bundle: Bundle, **process: Any) -> str:
    """Write a process for ``--process``; return the file's path."""
    path = bundle.path / "process.json"
    env = ["PATH=/bin", f"NSISOLATE_TEST={bundle.id}"]
    path.write_text(json.dumps({"cwd": "/", "env": env} | process))
    return str(path)


def test_a_process_from_a_file(bundle: Bundle) -> None:
    """``--process`` is the whole process: nothing of the container's own one is kept."""
    bundle.process["env"].append("KEPT=yes")
    start(bundle)
    path = write_process(bundle, args=["sh", "-c", 'pwd; echo "$KEPT."'], cwd="/bin")
    assert ok(bundle, "exec", "--process", path, bundle.id).lines == ["/bin", "."]
    path = write_process(bundle, args=[], cwd="/bin")
    assert_one_sentence(execute(bundle, "--process", path, bundle.id), "process.args", code=255)
    finished = execute(bundle, "--process", "/nonexistent", bundle.id)
    assert_one_sentence(finished, "/nonexistent", code=255)


def test_a_detached_process(bundle: Bundle) -> None:
    """``--detach`` returns at once, and the pid file has its pid."""
    start(bundle)
    pid_file = bundle.path / "pid"
    path = write_process(bundle, args=["sh", "-c", "echo $$ >/tmp/pid; exec sleep 100"])
    ok(bundle, "exec", "--detach", "--pid-file", str(pid_file), "--process", path, bundle.id)
    wait_for((bundle.rootfs / "tmp/pid").exists)
    pid = int(pid_file.read_text())
    wait_for(lambda: "sleep" in Path(f"/proc/{pid}/comm").read_text())
    pids = json.loads(ok(bundle, "ps", "--format", "json", bundle.id).out)
    assert {pid, state(bundle)["pid"]} <= set(pids)


def test_it_ends_with_the_container(bundle: Bundle) -> None:
    """When the container ends, so does whatever else runs in its pid namespace."""
    start(bundle)
    path = write_process(bundle, args=["sleep", "100"])
    pid_file = bundle.path / "pid"
    ok(bundle, "exec", "--detach", "--pid-file", str(pid_file), "--process", path, bundle.id)
    ok(bundle, "delete", "--force", bundle.id)
    status = Path(f"/proc/{pid_file.read_text()}/status")
    wait_for(lambda: not status.exists() or "State:\tZ" in status.read_text())


def test_signals_are_passed_on(bundle: Bundle) -> None:
    """A signal to the foreground ``exec`` reaches the process."""
    start(bundle)
    script = "trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done"
    popen = subprocess.Popen(
        [*runtime_command(), "exec", bundle.id, "sh", "-c", script],
        stdout=subprocess.PIPE,
        env=bundle.environment(),
        **demotion(bundle.identity),
    )
    with popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"ready\n"
        popen.send_signal(signal.SIGTERM)
        assert popen.wait(TIMEOUT) == 9


def test_a_terminal(bundle: Bundle) -> None:
    """``--tty`` gives the process a terminal of the container's."""
    start(bundle)
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [
                *runtime_command(),
                "exec",
                "--tty",
                bundle.id,
                "sh",
                "-c",
                "tty; test -t 0 && exit 4",
            ],
            stdin=slave,
            stdout=subprocess.PIPE,
            env=bundle.environment(),
            timeout=TIMEOUT,
            check=False,
            **demotion(bundle.identity),
        )
    finally:
        os.close(master)
        os.close(slave)
    assert done.stdout.strip() == b"/dev/pts/0"
    assert done.returncode == 4


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_it_works_before_start(bundle: Bundle) -> None:
    """A created container can be looked at, as with runc."""
    create(bundle)
    assert inside(bundle, "hostname") == "box"


def test_preserved_descriptors(bundle: Bundle) -> None:
    """``--preserve-fds`` hands descriptors on; others are closed, ours among them."""
    start(bundle)
    passed = bundle.path / "passed"
    script = "echo through >&3; ls /proc/self/fd | wc -l"
    command = ("--preserve-fds", "1", bundle.id, "sh", "-c", script)
    shell = ("sh", "-c", f'exec "$@" 3>{passed} 4</dev/null', "sh")
    finished = verb(bundle, "exec", *command, prefix=shell)
    assert passed.read_text() == "through\n"
    assert finished.out.strip() == "5"  # and the directory itself
    more = ("--preserve-fds", "50", bundle.id, "sh", "-c", "ls /proc/self/fd | wc -l")
    assert execute(bundle, *more).out.strip() == "4"
    finished = execute(bundle, "--preserve-fds", "x", bundle.id, "true")
    assert_one_sentence(finished, "--preserve-fds", "'x'", code=255)
