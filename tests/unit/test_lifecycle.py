"""The lifecycle's parts that need no container: JSON, hooks in a config, liveness, signals, command lines."""

from __future__ import annotations

import _signal
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.cli.arguments import UsageError, read
from pytest_nsisolate.cli.kill import signal_number
from pytest_nsisolate.cli.settings import read_settings
from pytest_nsisolate.runtime.errors import LifecycleError
from pytest_nsisolate.runtime.lifecycle.liveness import open_process, start_time
from pytest_nsisolate.runtime.lifecycle.state import Directory, State, check_id, containers
from pytest_nsisolate.runtime.plan import Hook, Hooks
from pytest_nsisolate.runtime.spec import config as spec
from pytest_nsisolate.runtime.spec.decoding import encode
from pytest_nsisolate.runtime.spec.writer import to_config

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=10,
)
WORDS = st.text("abc/=-", min_size=1, max_size=6)
HOOK = st.builds(
    Hook,
    path=WORDS.map("/{}".format),
    args=st.lists(WORDS, max_size=2).map(tuple),
    env=st.lists(st.builds("{}={}".format, st.sampled_from("AB"), WORDS), max_size=2).map(tuple),
    timeout=st.none() | st.integers(1, 1000),
)
HOOKS = st.lists(HOOK, max_size=2).map(tuple)


@given(JSON)
def test_json_is_encoded(value: object) -> None:
    """What is encoded decodes to the same."""
    assert json.loads(encode(value)) == value


@given(st.builds(Hooks, **dict.fromkeys(Hooks._fields, HOOKS)))
def test_hooks_survive_a_config(hooks: Hooks) -> None:
    """A plan's hooks, written to a config, are read back as they were."""
    config = {
        "ociVersion": "1.0.0",
        "root": {"path": "/"},
        "linux": {"namespaces": [{"type": "mount"}]},
    }
    plan = spec.parse(config, "/").replace(hooks=hooks)
    assert spec.parse(json.loads(json.dumps(to_config(plan))), "/") == plan


def test_a_process_is_told_by_its_start(tmp_path: Path) -> None:
    """A live process is found under pid and start time together, also if its name has a parenthesis."""
    program = tmp_path / ") S 1 ("
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "100"]) as process:
        began = start_time(process.pid)
        assert began > 0
        pidfd = open_process(process.pid, began)
        assert pidfd is not None
        os.close(pidfd)
        assert open_process(process.pid, began + 1) is None
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_time(process.pid) == 0  # a zombie has ended
        assert open_process(process.pid, began) is None
    assert open_process(0, 0) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9", 9),
        ("KILL", 9),
        ("sigterm", 15),
        ("SIGRTMIN", _signal.SIGRTMIN),
        ("RTMIN+3", _signal.SIGRTMIN + 3),
        ("RTMAX-1", _signal.SIGRTMAX - 1),
    ],
)
def test_a_signal_has_a_number(text: str, number: int) -> None:
    """Names, with or without SIG, numbers, and the real-time ones."""
    assert signal_number(text) == number


@given(st.text(max_size=10))
def test_any_text_is_a_signal_or_refused(text: str) -> None:
    """No text makes anything but a signal's number, or none, or a UsageError."""
    try:
        number = signal_number(text)
    except UsageError:
        return
    assert number in {0, *_signal.valid_signals()}


def test_a_command_keeps_its_options() -> None:
    """After the arguments that are ours the rest is a command, dashes or not; some options repeat."""
    lists: dict[str, list[str]] = {"--env": []}
    argv = ["--env", "A=1", "--env=B=2", "id", "--", "ls", "--env", "-l"]
    assert read(argv, repeated=lists, most=9, command_after=1)[1] == ["id", "ls", "--env", "-l"]
    assert lists == {"--env": ["A=1", "B=2"]}


def test_settings_end_at_the_verb() -> None:
    """Options before the verb are read, and nothing of what comes after it."""
    argv = ["--root=/x", "--log", "/dev/null", "--systemd-cgroup", "list", "--root", "/y"]
    settings, rest = read_settings(argv)
    assert (settings.root, settings.cgroup_manager) == ("/x", "systemd")
    assert rest == ["list", "--root", "/y"]
    assert read_settings(["--version"])[1] == ["--version"]


@given(st.text(max_size=20))
def test_an_id_is_a_name_in_a_directory(container_id: str) -> None:
    """Whatever is taken for an id stays below the root."""
    try:
        check_id(container_id)
    except LifecycleError:
        return
    assert os.path.basename(container_id) == container_id
    assert container_id not in ("", ".", "..")


def test_a_state_is_what_was_saved(tmp_path: Path) -> None:
    """A directory keeps the state and the config; afterwards it is gone, and so is the container."""
    root = str(tmp_path / "root")
    directory = Directory(root, "one")
    directory.make(b"{}")
    state = State(
        id="one", bundle="/b", rootfs="/r", created="", owner_uid=0, annotations=(("a", "ä"),)
    )
    directory.save(state)
    assert Directory(root, "one").load() == state
    assert directory.config() == b"{}"
    with pytest.raises(LifecycleError, match="already exists"):
        Directory(root, "one").make(b"")
    assert [found.id for found in containers(root)] == ["one"]
    assert directory.remove()
    assert not directory.remove()
    assert containers(root) == []
    with pytest.raises(LifecycleError, match="does not exist"), directory:
        pass


def test_a_damaged_state_is_an_error(tmp_path: Path) -> None:
    """What is no state is an error in one sentence."""
    directory = Directory(str(tmp_path), "one")
    directory.make(b"{}")
    directory.unlock()
    for damage in ("", "[]", "{}", '{"annotations": {}}', '{"annotations": 1}'):
        (tmp_path / "one/status").write_text(damage)
        with pytest.raises(LifecycleError, match="unreadable"):
            directory.load()
