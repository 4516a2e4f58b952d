"""The lifecycle of runtime.md: each operation works in its state and is an error in every other one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from .bundle import TIMEOUT, Bundle, wait_until_gone
from .identity import demotion
from .lifecycle import WAITS, create, launch, ok, start, state, verb, wait_for, wait_for_status
from .runtime_under_test import ours_only, runtime_command
from .test_errors import assert_one_sentence

pytestmark = ours_only("its own state and sentences")


def test_a_process_is_required_to_start_only(bundle: Bundle) -> None:
    """config.md: process is required when start is called; without one a container can be created."""
    del bundle.config["process"]
    bundle.write_config()
    ok(bundle, "create", bundle.id)
    assert state(bundle)["status"] == "created"
    assert_one_sentence(verb(bundle, "start", bundle.id), "process", "start")
    assert state(bundle)["status"] == "created"
    ok(bundle, "delete", "--force", bundle.id)
    assert_one_sentence(verb(bundle, "run", bundle.id), "process", "run")


def test_a_container_goes_from_created_to_gone(bundle: Bundle) -> None:
    """create, start, kill, delete: the status follows, and the program runs only after start."""
    output = create(bundle)
    created = state(bundle)
    assert created["status"] == "created"
    assert created["id"] == bundle.id
    assert created["bundle"] == str(bundle.path)
    assert os.path.exists(f"/proc/{created['pid']}")
    assert output.read_text() == ""
    ok(bundle, "start", bundle.id)
    assert state(bundle)["status"] == "running"
    assert state(bundle)["pid"] == created["pid"]
    wait_for(lambda: output.read_text() == "started\n")
    ok(bundle, "kill", bundle.id, "TERM")
    wait_for_status(bundle, "stopped")
    assert output.read_text() == "started\ngot TERM\n"
    ok(bundle, "delete", bundle.id)
    assert_one_sentence(verb(bundle, "state", bundle.id), "does not exist")
    assert not bundle.state_directory.exists()


def test_what_a_created_container_refuses(bundle: Bundle) -> None:
    """A created container cannot be created once more; it stays what it is."""
    create(bundle)
    finished = verb(bundle, "create", "--bundle", str(bundle.path), bundle.id)
    assert_one_sentence(finished, "already exists")
    finished = verb(bundle, "run", "--bundle", str(bundle.path), bundle.id)
    assert_one_sentence(finished, "already exists")
    assert state(bundle)["status"] == "created"


def test_what_a_running_container_refuses(bundle: Bundle) -> None:
    """A running container cannot be started or deleted; it goes on."""
    start(bundle)
    assert_one_sentence(verb(bundle, "start", bundle.id), "already running")
    assert_one_sentence(verb(bundle, "delete", bundle.id), "not stopped", "running")
    assert state(bundle)["status"] == "running"


def test_what_a_stopped_container_refuses(bundle: Bundle) -> None:
    """A stopped container cannot be started, signalled or executed in; it has no pid."""
    start(bundle, "echo started")
    wait_for_status(bundle, "stopped")
    assert state(bundle)["pid"] == 0
    assert_one_sentence(verb(bundle, "start", bundle.id), "stopped")
    assert_one_sentence(verb(bundle, "kill", bundle.id), "not running")
    assert_one_sentence(verb(bundle, "exec", bundle.id, "true"), "stopped", code=255)
    ok(bundle, "kill", "--all", bundle.id, "9")
    ok(bundle, "delete", bundle.id)


@pytest.mark.parametrize("args", [("start",), ("state",), ("kill",), ("delete",), ("exec", "true")])
def test_a_container_that_is_not_there(bundle: Bundle, args: tuple[str, ...]) -> None:
    """No operation works on a container that does not exist, or without an id."""
    finished = verb(bundle, args[0], bundle.id, *args[1:])
    code = 255 if args[0] == "exec" else 1
    assert_one_sentence(finished, "does not exist", bundle.id, code=code)
    assert_one_sentence(verb(bundle, args[0]), "ID")


@pytest.mark.parametrize("container_id", ["a/b", "..", "a b", "ä", "x" * 300])
def test_an_id_that_cannot_be_one(bundle: Bundle, container_id: str) -> None:
    """An id is letters, digits and a few signs, so that it can be a file's name."""
    bundle.write_config()
    finished = verb(bundle, "create", "--bundle", str(bundle.path), container_id)
    assert_one_sentence(finished, "invalid container ID")


def test_a_forced_delete_ends_what_runs(bundle: Bundle) -> None:
    """``delete --force`` kills, waits for the end, and is content with a container that is gone."""
    start(bundle)
    pidfd = os.pidfd_open(state(bundle)["pid"])
    try:
        ok(bundle, "delete", "--force", bundle.id)
        assert wait_until_gone(pidfd, 0)
    finally:
        os.close(pidfd)
    ok(bundle, "delete", "--force", bundle.id)


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_a_created_container_can_be_deleted(bundle: Bundle, options: tuple[str, ...]) -> None:
    """``delete`` works before start, as with runc and crun, and without PATH or HOME, as for conmon."""
    create(bundle)
    kept = ("PYTHON", "XDG", "NSISOLATE", "COVERAGE")
    env = {k: v for k, v in bundle.environment().items() if k.startswith(kept)}
    assert verb(bundle, "delete", *options, bundle.id, env=env).code == 0
    assert verb(bundle, "state", bundle.id).code == 1


def test_the_config_may_change_after_create(bundle: Bundle) -> None:
    """Changes to config.json after create have no effect, also if it is gone (runtime.md, "Create")."""
    output = create(bundle, "echo as created; sleep 100")
    (bundle.path / "config.json").unlink()
    ok(bundle, "start", bundle.id)
    wait_for(lambda: output.read_text() == "as created\n")
    assert ok(bundle, "exec", bundle.id, "echo", "here").out == "here\n"
    ok(bundle, "delete", "--force", bundle.id)


def test_annotations_are_in_the_state(bundle: Bundle) -> None:
    """The config's annotations are in the state (runtime.md, "State")."""
    bundle.config["annotations"] = {"org.example.key": "value", "empty": ""}
    create(bundle)
    assert state(bundle)["annotations"] == {"org.example.key": "value", "empty": ""}


@pytest.mark.parametrize("verb_name", ["create", "run"])
def test_the_pid_file_has_the_pid(bundle: Bundle, verb_name: str) -> None:
    """``--pid-file`` holds the container process's pid and nothing else, once the call is over."""
    pid_file = bundle.path / "pid"
    bundle.process["args"] = ["sh", "-c", WAITS]
    detach = ["--detach"] if verb_name == "run" else []
    launch(bundle, verb_name, *detach, "--pid-file", str(pid_file))
    assert pid_file.read_text() == str(state(bundle)["pid"])


def test_a_pid_file_that_cannot_be_written(bundle: Bundle) -> None:
    """If the pid file cannot be written there is no container."""
    bundle.write_config()
    finished = verb(bundle, "create", "--pid-file", "/nonexistent/pid", bundle.id)
    assert_one_sentence(finished, "/nonexistent/pid")
    assert verb(bundle, "state", bundle.id).code == 1


def test_a_failed_create_leaves_nothing(bundle: Bundle) -> None:
    """A create that fails says why, once, and there is no container afterwards."""
    bundle.bind("/nonexistent", "/two")
    bundle.write_config()
    finished = verb(bundle, "create", bundle.id)
    assert_one_sentence(finished, "mount", "ENOENT")
    assert not bundle.state_directory.exists()
    ok(bundle, "delete", "--force", bundle.id)


def test_a_program_that_is_not_there(bundle: Bundle) -> None:
    """``create`` looks for the program, and says that it is not there in the words that podman reads."""
    bundle.process["args"] = ["nosuch"]
    bundle.write_config()
    finished = verb(bundle, "create", bundle.id)
    assert 'exec: "nosuch": executable file not found in $PATH' in finished.err
    assert finished.code != 0
    assert not bundle.state_directory.exists()


def test_a_detached_run_goes_on_alone(bundle: Bundle) -> None:
    """``run --detach`` returns while the container runs, and its end is noticed."""
    bundle.process["args"] = ["sh", "-c", WAITS]
    output = launch(bundle, "run", "--detach")
    wait_for(lambda: output.read_text() == "started\n")
    assert state(bundle)["status"] == "running"
    ok(bundle, "kill", bundle.id, "15")
    wait_for_status(bundle, "stopped")


def test_a_container_in_the_foreground_is_one_like_any_other(bundle: Bundle) -> None:
    """While ``run`` waits, the container can be found; afterwards it is gone."""
    running = bundle.start("echo ready; read line; exit 5")
    assert running.line() == "ready"
    found = state(bundle)
    assert (found["status"], found["pid"]) == ("running", running.container_pid())
    assert ok(bundle, "exec", bundle.id, "hostname").out == "box\n"
    assert running.finish("x\n").code == 5
    assert verb(bundle, "state", bundle.id).code == 1


def test_keep_keeps_the_stopped_container(bundle: Bundle) -> None:
    """``run --keep`` leaves the container for ``delete``."""
    launch(bundle, "run", "--keep")
    assert state(bundle)["status"] == "stopped"
    ok(bundle, "delete", bundle.id)


def test_a_forced_delete_does_not_wait_for_a_hook(bundle: Bundle) -> None:
    """``delete --force`` ends a container whose start hangs in a hook; that start is an error then."""
    bundle.config["hooks"] = {
        "startContainer": [{"path": "/bin/sleep", "args": ["sleep", "100"], "env": ["PATH=/bin"]}]
    }
    create(bundle)
    starting = subprocess.Popen(
        [*runtime_command(), "start", bundle.id],
        env=bundle.environment(),
        stderr=subprocess.DEVNULL,
        **demotion(bundle.identity),
    )
    try:
        pid = state(bundle)["pid"]
        wait_for(Path(f"/proc/{pid}/task/{pid}/children").read_text)
        ok(bundle, "delete", "--force", bundle.id)
        assert starting.wait(TIMEOUT) == 1
    finally:
        starting.kill()
        starting.wait()


def test_no_reused_pid_is_taken_for_the_container(bundle: Bundle) -> None:
    """A process with the container's pid that began at another time is somebody else."""
    create(bundle)
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")
    other = subprocess.Popen(["sleep", "100"])
    try:
        path = bundle.state_directory / "status"
        stored = json.loads(path.read_text())
        path.write_text(json.dumps(stored | {"pid": other.pid}))
        assert state(bundle)["status"] == "stopped"
        assert verb(bundle, "kill", bundle.id, "KILL").code == 1
        ok(bundle, "kill", "--all", bundle.id, "KILL")
        ok(bundle, "delete", bundle.id)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def at_once(bundle: Bundle, count: int, *args: str) -> list[int]:
    """Call the runtime several times at the same time; return the exit codes, sorted."""
    calls = [
        subprocess.Popen(
            [*runtime_command(), *args],
            cwd=bundle.path,
            env=bundle.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **demotion(bundle.identity),
        )
        for _ in range(count)
    ]
    return sorted(call.wait(TIMEOUT) for call in calls)


def test_of_several_callers_one_succeeds(bundle: Bundle) -> None:
    """Of calls at the same moment, one creates, one starts and one deletes; the others are errors."""
    bundle.process["args"] = ["sh", "-c", "echo x >>/tmp/started; sleep 100"]
    bundle.write_config()
    assert at_once(bundle, 3, "create", bundle.id) == [0, 1, 1]
    assert state(bundle)["status"] == "created"
    assert at_once(bundle, 3, "start", bundle.id) == [0, 1, 1]
    wait_for((bundle.rootfs / "tmp/started").exists)
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")
    assert at_once(bundle, 3, "delete", bundle.id) == [0, 1, 1]
    assert (bundle.rootfs / "tmp/started").read_text() == "x\n"


def test_a_creator_that_is_killed_leaves_what_can_be_deleted(bundle: Bundle) -> None:
    """SIGKILL in mid-creation ends the half-made container, and its directory is no obstacle."""
    fifo = bundle.path / "fifo"
    os.mkfifo(fifo)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"echo > {fifo}; sleep 100"]}
    bundle.config["hooks"] = {"createRuntime": [hook | {"env": [f"NSISOLATE_TEST={bundle.id}"]}]}
    bundle.give(fifo)
    bundle.write_config()
    creator = subprocess.Popen(
        [*runtime_command(), "create", bundle.id],
        cwd=bundle.path,
        env=bundle.environment(),
        start_new_session=True,
        **demotion(bundle.identity),
    )
    fifo.read_text()
    pidfd = os.pidfd_open(state(bundle)["pid"])
    assert state(bundle)["status"] == "creating"
    os.killpg(creator.pid, signal.SIGKILL)
    creator.wait()
    try:
        assert wait_until_gone(pidfd)
    finally:
        os.close(pidfd)
    ok(bundle, "delete", "--force", bundle.id)
    assert not bundle.state_directory.exists()
