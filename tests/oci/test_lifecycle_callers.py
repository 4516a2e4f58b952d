"""What the callers of an OCI runtime rely on: list, ps, signals, logs, the console, where the state is."""

from __future__ import annotations

import array
import json
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from .bundle import TIMEOUT, Bundle
from .lifecycle import WAITS, create, launch, ok, start, state, verb, wait_for, wait_for_status
from .runtime_under_test import ours_only
from .test_errors import assert_one_sentence

pytestmark = ours_only("its own layout and sentences")


def test_list_has_every_container(bundle: Bundle) -> None:
    """``list`` is a table, JSON, or the ids."""
    create(bundle)
    pid = state(bundle)["pid"]
    header, *rows = ok(bundle, "list").lines
    assert header.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert [bundle.id, str(pid), "created", str(bundle.path)] in [row.split()[:4] for row in rows]
    assert bundle.id in ok(bundle, "list", "-q").lines
    (entry,) = [
        c for c in json.loads(ok(bundle, "list", "--format", "json").out) if c["id"] == bundle.id
    ]
    assert entry == state(bundle)
    assert_one_sentence(verb(bundle, "list", "--format", "xml"), "xml")
    # Compact, as Go writes it: there are readers that do not parse it.
    assert f'"id":"{bundle.id}","pid":{pid},' in ok(bundle, "list", "-f", "json").out


def test_list_without_containers(bundle: Bundle) -> None:
    """Without containers there is a header, or an empty array."""
    root = ("--root", str(bundle.path / "state"))
    assert len(ok(bundle, *root, "list").lines) == 1
    assert json.loads(ok(bundle, *root, "list", "-f", "json").out) == []


def test_ps_has_the_processes(bundle: Bundle) -> None:
    """``ps`` shows the container's processes only, as ps(1) does, or their pids."""
    output = start(bundle, "sleep 100 & echo started; wait")
    assert output.read_text() == "started\n"
    pids = json.loads(ok(bundle, "ps", "--format", "json", bundle.id).out)
    assert len(pids) == 2
    assert state(bundle)["pid"] in pids
    header, *rows = ok(bundle, "ps", bundle.id).lines
    assert "PID" in header
    assert len(rows) == 2
    assert len(ok(bundle, "ps", bundle.id, "-e", "-o", "pid,comm").lines) == 3
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")
    assert json.loads(ok(bundle, "ps", "-f", "json", bundle.id).out) == []


@pytest.mark.parametrize("name", ["USR1", "SIGUSR1", "usr1", "10"])
def test_a_signal_by_name_or_number(bundle: Bundle, name: str) -> None:
    """``kill`` takes a signal's name, with or without SIG, and its number."""
    output = start(bundle, f"trap 'echo got it; exit' USR1; {WAITS}")
    ok(bundle, "kill", bundle.id, name)
    wait_for(lambda: "got it" in output.read_text())


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_a_signal_that_there_is_not(bundle: Bundle) -> None:
    """A signal that nobody knows is an error."""
    start(bundle)
    for name in ("NOSUCH", "0x9", "999", "RTMIN+99", ""):
        assert_one_sentence(verb(bundle, "kill", bundle.id, name), "unknown signal")


def test_kill_all_reaches_every_process(bundle: Bundle) -> None:
    """``kill --all`` signals what else runs in the container, also without a pid namespace."""
    bundle.drop_namespace("pid")
    bundle.config["mounts"] = bundle.config["mounts"][1:]
    child = "trap 'echo child got TERM; exit' TERM; echo started; while true; do sleep 0.05; done"
    output = start(bundle, f"({child}) & trap '' TERM; wait; wait")
    ok(bundle, "kill", "--all", bundle.id, "TERM")
    wait_for(lambda: "child got TERM" in output.read_text())
    ok(bundle, "delete", "--force", bundle.id)


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_errors_are_in_the_log_as_json(bundle: Bundle) -> None:
    """``--log`` and ``--log-format json`` give a line with msg, level and time; the options come first."""
    log = bundle.path / "log"
    options = (f"--log={log}", "--log-format=json", "--systemd-cgroup", "--rootless", "auto")
    assert verb(bundle, *options, "--cgroup-manager", "disabled", "state", "nosuch").code == 1
    (line,) = log.read_text().splitlines()
    entry = json.loads(line)
    assert entry["level"] == "error"
    assert "does not exist" in entry["msg"]
    assert entry["time"].startswith("20")
    assert verb(bundle, "--log", str(log), "state", "nosuch").code == 1
    assert 'level=error msg="container does not exist' in log.read_text().splitlines()[1]


#: What is said from inside; callers look for the words that runc has there.
FROM_INSIDE = ("nsexec container setup: ", "child process in init()")


def test_debug_says_what_is_done(bundle: Bundle) -> None:
    """``--debug`` says what is done on standard error, also from inside, and leaves nothing in there."""
    bundle.process["args"] = ["sh", "-c", "ls / /proc/$$/fd"]
    bundle.write_config()
    finished = ok(bundle, "--debug", "run", bundle.id)
    details = finished.err.splitlines()
    assert all(line.startswith('time="20') and " level=debug msg=" in line for line in details)
    for part in (
        *FROM_INSIDE,
        "mount -t proc proc /proc",
        "init: closing the pipe to signal completion",
    ):
        assert [line for line in details if part in line], part
    assert finished.out == ok(bundle, "run", bundle.id).out


@pytest.mark.parametrize("form", ["text", "json"])
def test_debug_goes_to_the_log(bundle: Bundle, form: str) -> None:
    """With ``--log`` it goes there instead, also what is said behind pivot_root."""
    log = bundle.path / "log"
    log.touch()
    log.chmod(0o666)
    settings = ("--debug", "--log", str(log), "--log-format", form)
    bundle.process["args"] = ["sleep", "100"]
    bundle.write_config()
    ok(bundle, *settings, "create", bundle.id)
    created = log.read_text()
    ok(bundle, *settings, "start", bundle.id)
    assert ok(bundle, *settings, "exec", bundle.id, "true").err == ""
    executed = log.read_text().removeprefix(created)
    for text, last in (
        (created, "init: closing the pipe"),
        (executed, "setns_init: about to exec"),
    ):
        for part in (*FROM_INSIDE, last):
            assert part in text
    assert set(_levels(log.read_text(), form)) == {"debug"}


def _levels(text: str, form: str) -> list[str]:
    """Return the level of each line."""
    if form == "json":
        return [json.loads(line)["level"] for line in text.splitlines()]
    return [line.split(" level=")[1].split()[0] for line in text.splitlines()]


@pytest.mark.parametrize(
    "args", [("--log-format", "xml", "list"), ("--cgroup-manager", "x", "list"), ("--root",)]
)
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_wrong_options_before_the_verb(bundle: Bundle, args: tuple[str, ...]) -> None:
    """A wrong global option is named."""
    assert_one_sentence(verb(bundle, *args), args[0])


def test_another_root(bundle: Bundle) -> None:
    """``--root`` is where the state is, and nobody else can look into it."""
    root = bundle.path / "state/of/it"
    bundle.process["args"] = ["sleep", "100"]
    bundle.write_config()
    ok(bundle, "--root", str(root), "create", bundle.id)
    assert stat.S_IMODE((root / bundle.id).stat().st_mode) == 0o700
    assert verb(bundle, "state", bundle.id).code == 1
    ok(bundle, "--root", str(root), "delete", "--force", bundle.id)
    assert not (root / bundle.id).exists()


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_without_a_runtime_directory(bundle: Bundle) -> None:
    """Without a place for its state a container can run in the foreground, and nothing else."""
    env = bundle.environment()
    del env["XDG_RUNTIME_DIR"]
    if not os.path.isdir(f"/run/user/{bundle.identity.mapped_uid}"):
        assert_one_sentence(verb(bundle, "list", env=env), "XDG_RUNTIME_DIR", "--root")
    bundle.process["args"] = ["echo", "ran"]
    bundle.write_config()
    assert verb(bundle, "run", str(bundle.path), env=env).out == "ran\n"


def test_another_config(bundle: Bundle) -> None:
    """``--config`` names another file in the bundle."""
    bundle.process["args"] = ["echo", "other"]
    bundle.write_config()
    (bundle.path / "config.json").rename(bundle.path / "other.json")
    assert ok(bundle, "run", "--config", "other.json", bundle.id).out == "other\n"


def receive_master(listening: socket.socket) -> int:
    """Return the descriptor that comes to a console socket."""
    connection, _ = listening.accept()
    with connection:
        connection.settimeout(TIMEOUT)
        _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
    fds = array.array("i")
    fds.frombytes(ancillary[0][2])
    return fds[0]


def console_socket(bundle: Bundle) -> tuple[socket.socket, Path]:
    """Return a listening socket that the runtime can reach, and its path."""
    directory = bundle.directory("console")
    listening = socket.socket(socket.AF_UNIX)
    path = directory / "socket"
    listening.bind(str(path))
    path.chmod(0o777)
    listening.listen()
    listening.settimeout(TIMEOUT)
    return listening, path


@pytest.mark.parametrize("verb_name", ["create", "exec"])
def test_the_terminal_goes_to_the_console_socket(bundle: Bundle, verb_name: str) -> None:
    """A detached process's terminal is sent to ``--console-socket``."""
    script = "tty; read line; echo got $line"
    listening, path = console_socket(bundle)
    option = ("--console-socket", str(path))
    with listening:
        if verb_name == "create":
            bundle.process["terminal"] = True
            create(bundle, script, *option)
        else:
            start(bundle)
            arguments = ("--tty", "--detach", bundle.id, "sh", "-c", script)
            ok(bundle, "exec", *option, *arguments)
        master = receive_master(listening)
    if verb_name == "create":
        ok(bundle, "start", bundle.id)
    os.write(master, b"this\n")
    seen = b""
    while b"got this" not in seen:
        seen += os.read(master, 4096)
    os.close(master)
    assert b"/dev/pts/0" in seen


def test_a_terminal_needs_somebody(bundle: Bundle) -> None:
    """A terminal without a console socket, and the reverse, are refused before anything is done."""
    bundle.write_config()
    finished = verb(bundle, "create", "--console-socket", "/x", bundle.id)
    assert_one_sentence(finished, "console socket")
    bundle.process["terminal"] = True
    bundle.write_config()
    assert_one_sentence(verb(bundle, "create", bundle.id), "cannot allocate tty")
    assert_one_sentence(verb(bundle, "run", "--detach", bundle.id), "cannot allocate tty")
    bundle.process["args"] = ["sh", 0]
    bundle.write_config()
    assert_one_sentence(verb(bundle, "run", "--detach", bundle.id), "cannot allocate tty")
    assert_one_sentence(verb(bundle, "run", bundle.id), "process.args[1]")
    bundle.process["args"] = ["sh"]
    bundle.write_config()
    finished = verb(bundle, "create", "--console-socket", "/nonexistent/x", bundle.id)
    assert_one_sentence(finished, "/nonexistent/x")
    assert not bundle.state_directory.exists()


def test_no_descriptor_of_the_creator_stays_open(bundle: Bundle) -> None:
    """While a container waits for start, nothing but its standard streams is held open."""
    read_fd, write_fd = os.pipe()
    bundle.write_config()
    finished = verb(bundle, "create", bundle.id, pass_fds=(write_fd,))
    assert finished.code == 0, finished
    os.close(write_fd)
    with open(read_fd, "rb") as stream:
        assert stream.read() == b""  # which ends only when nobody has the other end


@pytest.mark.parametrize("identity", ["root"], indirect=True)
@pytest.mark.parametrize(("options", "count"), [((), "1"), (("--no-new-keyring",), "0")])
def test_the_session_keyring(bundle: Bundle, options: tuple[str, ...], count: str) -> None:
    """The container has one of its own, unless ``--no-new-keyring`` says otherwise."""
    script = f"grep -c ' _ses.{bundle.id}: ' /proc/keys; sleep 100"
    bundle.process["args"] = ["sh", "-c", script]
    output = launch(bundle, "run", "--detach", *options)
    wait_for(lambda: output.read_text() == f"{count}\n")


def test_sockets_of_systemd_are_handed_on(bundle: Bundle) -> None:
    """With LISTEN_FDS in the caller's environment, descriptors from 3 on are the container's too."""
    bundle.process["args"] = ["sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; echo through >&3"]
    bundle.write_config()
    passed = bundle.path / "passed"
    shell = ("sh", "-c", f'exec "$@" 3>{passed}', "sh")
    env = bundle.environment() | {"LISTEN_FDS": "1"}
    assert verb(bundle, "run", bundle.id, env=env, prefix=shell).out == "1 1\n"
    assert passed.read_text() == "through\n"


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_the_callers_groups_can_be_kept(bundle: Bundle) -> None:
    """An annotation of crun's keeps the supplementary groups of the caller."""
    bundle.process["args"] = ["id", "-G"]
    bundle.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    bundle.write_config()
    prefix = ("setpriv", "--groups", "41,42")
    assert {"41", "42"} <= set(verb(bundle, "run", bundle.id, prefix=prefix).out.split())


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_delete_by_regular_expression(bundle: Bundle) -> None:
    """``delete --regex`` takes all that match, as with crun."""
    create(bundle)
    ok(bundle, "delete", "--force", "--regex", f"^{bundle.id[:-1]}.$")
    assert verb(bundle, "state", bundle.id).code == 1


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_features_names_the_hooks(bundle: Bundle) -> None:
    """``features`` has the six kinds of hooks."""
    hooks = json.loads(ok(bundle, "features").out)["hooks"]
    assert len(hooks) == 6


def test_a_container_outlives_its_creator(bundle: Bundle) -> None:
    """The creator's session may end, and its process be killed: the container waits on."""
    bundle.write_config()
    create(bundle)
    assert subprocess.run(["true"], check=False).returncode == 0
    assert state(bundle)["status"] == "created"
    status = Path(f"/proc/{state(bundle)['pid']}/status").read_text()
    assert "State:\tS" in status
