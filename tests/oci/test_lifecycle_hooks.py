"""Hooks (config.md, "POSIX-platform Hooks"): when, where, with what, and what their failure does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from .bundle import Bundle
from .lifecycle import WAITS, create, ok, start, state, verb, wait_for_status
from .runtime_under_test import ours_only
from .test_errors import assert_one_sentence

pytestmark = ours_only("the states that hooks see, and the sentences")

KINDS = (
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
)
BEFORE_START = KINDS[:3]
IN_THE_CONTAINER = ("createContainer", "startContainer")


def shell(script: str, **more: Any) -> dict[str, Any]:
    """Return a hook that runs a shell script, in the container or outside."""
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]} | more


def note_all(bundle: Bundle) -> Path:
    """Give each kind two hooks that note it and its number; return the directory with the notes."""
    notes = bundle.directory("notes", mode=0o777)
    bundle.bind(notes, "/notes")
    (notes / "order").touch()
    (notes / "order").chmod(0o666)
    bundle.config["hooks"] = {
        kind: [
            shell(
                f"cd {'/notes' if kind == 'startContainer' else notes}; cat > {kind}{i}.json;"
                f" readlink /proc/self/ns/mnt > {kind}{i}.mnt; echo {kind}{i} >> order"
            )
            for i in (1, 2)
        ]
        for kind in KINDS
    }
    return notes


def test_hooks_are_called_in_their_order(bundle: Bundle) -> None:
    """Each at its time, those of a kind in their order, those of the creation by create."""
    notes = note_all(bundle)
    start(bundle)
    order = (notes / "order").read_text().split()
    assert order == [f"{kind}{i}" for kind in KINDS[:5] for i in (1, 2)]
    ok(bundle, "delete", "--force", bundle.id)
    assert (notes / "order").read_text().split() == [f"{k}{i}" for k in KINDS for i in (1, 2)]


def test_create_calls_three_kinds(bundle: Bundle) -> None:
    """Before start nothing but the hooks of the creation has been called."""
    notes = note_all(bundle)
    create(bundle)
    order = (notes / "order").read_text().split()
    assert order == [f"{kind}{i}" for kind in BEFORE_START for i in (1, 2)]


@pytest.mark.parametrize("form", ["start", "run"])
def test_hooks_get_the_state(bundle: Bundle, form: str) -> None:
    """The state comes on standard input, with the status of the moment and the pid of the namespace."""
    bundle.config["annotations"] = {"key": "value"}
    notes = note_all(bundle)
    if form == "run":
        assert bundle.run("true").code == 0
        pid = None
    else:
        start(bundle)
        pid = state(bundle)["pid"]
        ok(bundle, "delete", "--force", bundle.id)
    statuses = ["created", "creating", "creating", "created", "running", "stopped"]
    for kind, status in zip(KINDS, statuses, strict=True):
        found = json.loads((notes / f"{kind}1.json").read_text())
        assert found["status"] == status, kind
        assert (found["id"], found["bundle"]) == (bundle.id, str(bundle.path))
        assert found["annotations"] == {"key": "value"}
        if kind in IN_THE_CONTAINER:
            assert found["pid"] == 1
        elif kind == "poststop":
            assert "pid" not in found
        elif pid:
            assert found["pid"] == pid


def test_hooks_run_in_their_namespaces(bundle: Bundle) -> None:
    """Those that the spec names run in the container's mount namespace, the others in ours."""
    notes = note_all(bundle)
    start(bundle)
    ok(bundle, "delete", "--force", bundle.id)
    ours = os.readlink("/proc/self/ns/mnt")
    for kind in KINDS:
        inside = (notes / f"{kind}1.mnt").read_text().strip() != ours
        assert inside == (kind in IN_THE_CONTAINER), kind


def test_a_hook_has_its_args_and_env_only(bundle: Bundle) -> None:
    """``args`` are the whole argument list, ``env`` the whole environment; the cwd is the bundle."""
    script = 'echo "$0 $1" > seen; env | sort | grep -v "^PWD\\|^SHLVL\\|^_" >> seen'
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script, "name", "arg"], "env": ["A=b", "C="]}
    bundle.config["hooks"] = {"createRuntime": [hook]}
    create(bundle)
    assert (bundle.path / "seen").read_text().splitlines() == ["name arg", "A=b", "C="]


def test_a_create_container_hook_runs_in_the_rootfs(bundle: Bundle) -> None:
    """Its cwd is the rootfs with all its mounts, before pivot_root, so that it can add a mount to them."""
    notes = bundle.directory("notes", mode=0o777)
    (notes / "added").write_text("from the hook\n")
    script = (
        f"pwd > {notes}/seen; touch ./tmp/target; ls dev/null >> {notes}/seen;"
        f" mount --bind {notes}/added ./tmp/target"
    )
    bundle.config["hooks"] = {"createContainer": [shell(script)]}
    assert bundle.output("cat /tmp/target") == "from the hook"
    assert (notes / "seen").read_text().split() == [str(bundle.rootfs), "dev/null"]


def test_hooks_in_the_container_have_an_ordinary_umask(bundle: Bundle) -> None:
    """What they make is not for everybody to write."""
    notes = bundle.directory("notes", mode=0o777)
    bundle.bind(notes, "/notes")
    bundle.config["hooks"] = {
        "createContainer": [shell(f"umask > {notes}/create")],
        "startContainer": [shell("umask > /notes/start")],
    }
    bundle.process["user"]["umask"] = 0o027
    assert bundle.output("umask") == "0027"
    assert (notes / "create").read_text() == "0022\n"
    assert (notes / "start").read_text() == "0027\n"


@pytest.mark.parametrize("kind", BEFORE_START)
def test_a_failure_of_the_creation_ends_it(bundle: Bundle, kind: str) -> None:
    """A hook of the creation that fails ends it: an error, no container, and no further hook."""
    marker = bundle.path / "marker"
    bundle.config["hooks"] = {
        kind: [shell("echo nonsense >&2; exit 3"), shell(f"touch {marker}")],
        "startContainer": [shell(f"touch {marker}")],
    }
    bundle.write_config()
    finished = verb(bundle, "create", bundle.id)
    sentence = f"error running {kind} hook #0: error running hook /bin/sh: exit status 3"
    assert_one_sentence(finished, sentence, "nonsense")
    assert not bundle.state_directory.exists()
    assert not marker.exists()
    finished = bundle.run("echo ran")
    assert finished.code == 1
    assert finished.out == ""


def test_a_failure_of_start_container_stops_the_container(bundle: Bundle) -> None:
    """If a startContainer hook fails, start is an error and the program has not run."""
    bundle.config["hooks"] = {"startContainer": [shell("exit 4")]}
    output = create(bundle, "echo ran; sleep 100")
    finished = verb(bundle, "start", bundle.id)
    assert_one_sentence(finished, "startContainer hook #0", "exit status 4")
    wait_for_status(bundle, "stopped")
    assert output.read_text() == ""
    ok(bundle, "delete", bundle.id)


def test_a_failure_of_poststart_stops_the_container(bundle: Bundle) -> None:
    """If a poststart hook fails, start is an error and the container is stopped (runtime.md, step 9)."""
    bundle.config["ociVersion"] = "1.2.0"
    bundle.config["hooks"] = {"poststart": [shell("exit 5")]}
    create(bundle)
    assert_one_sentence(verb(bundle, "start", bundle.id), "poststart hook #0", "exit status 5")
    wait_for_status(bundle, "stopped")
    ok(bundle, "delete", bundle.id)


def test_in_older_configs_a_failure_of_poststart_is_warned_of(bundle: Bundle) -> None:
    """Before 1.2 of the spec the other hooks and the container went on."""
    marker = bundle.path / "marker"
    bundle.config["ociVersion"] = "1.1.0"
    bundle.config["hooks"] = {"poststart": [shell("exit 5"), shell(f"touch {marker}")]}
    create(bundle)
    finished = verb(bundle, "start", bundle.id)
    assert finished.code == 0
    assert "warning" in finished.err
    assert "poststart hook #0" in finished.err
    assert marker.exists()
    assert state(bundle)["status"] == "running"


def test_poststop_without_the_rootfs(bundle: Bundle) -> None:
    """What was there when the container was made may be gone when it is deleted."""
    marker = bundle.directory("notes", mode=0o777) / "marker"
    bundle.config["hooks"] = {"poststop": [shell(f"touch {marker}")]}
    start(bundle)
    bundle.rootfs.rename(bundle.path / "elsewhere")
    ok(bundle, "kill", bundle.id, "KILL")
    wait_for_status(bundle, "stopped")
    ok(bundle, "delete", bundle.id)
    assert marker.exists()


def test_a_failure_of_poststop_is_a_warning(bundle: Bundle) -> None:
    """If a poststop hook fails, the others are called all the same, and delete succeeds."""
    marker = bundle.path / "marker"
    bundle.config["hooks"] = {"poststop": [shell("exit 6"), shell(f"touch {marker}")]}
    create(bundle)
    finished = ok(bundle, "delete", "--force", bundle.id)
    assert "warning" in finished.err
    assert "exit status 6" in finished.err
    assert marker.exists()


@pytest.mark.parametrize("kind", ["createRuntime", "startContainer"])
def test_a_hook_that_takes_too_long_is_killed(bundle: Bundle, kind: str) -> None:
    """``timeout`` is in seconds, and a hook that needs more has failed."""
    bundle.config["hooks"] = {kind: [shell("exec sleep 100", timeout=1)]}
    bundle.process["args"] = ["sh", "-c", WAITS]
    bundle.write_config()
    if kind == "startContainer":
        create(bundle)
        finished = verb(bundle, "start", bundle.id)
    else:
        finished = verb(bundle, "create", bundle.id)
    assert_one_sentence(finished, "timeout of 1 s")


def test_a_hook_that_is_killed(bundle: Bundle) -> None:
    """The signal that ended it is named."""
    bundle.config["hooks"] = {"prestart": [shell("kill -SYS $$")]}
    bundle.write_config()
    assert_one_sentence(verb(bundle, "create", bundle.id), "killed by signal 31: bad system call")


@pytest.mark.parametrize("kind", ["prestart", "createContainer"])
def test_a_hook_that_is_not_there(bundle: Bundle, kind: str) -> None:
    """A hook that cannot be executed has failed."""
    bundle.config["hooks"] = {kind: [{"path": "/nonexistent"}]}
    bundle.write_config()
    assert_one_sentence(verb(bundle, "create", bundle.id), "/nonexistent", "No such file")


@pytest.mark.parametrize(
    ("hook", "field"),
    [
        ({}, "hooks.prestart[0].path"),
        ({"path": "relative"}, "hooks.prestart[0].path"),
        ({"path": "/x", "timeout": 0}, "hooks.prestart[0].timeout"),
        ({"path": "/x", "timeout": "1"}, "hooks.prestart[0].timeout"),
        ({"path": "/x", "args": "x"}, "hooks.prestart[0].args"),
        ({"path": "/x", "env": ["x"]}, "hooks.prestart[0].env[0]"),
    ],
)
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_a_hook_that_is_wrong(bundle: Bundle, hook: dict[str, Any], field: str) -> None:
    """What is wrong with a hook is named."""
    bundle.config["hooks"] = {"prestart": [hook]}
    bundle.write_config()
    assert_one_sentence(verb(bundle, "create", bundle.id), field)


def test_a_hook_may_ask_for_the_state(bundle: Bundle) -> None:
    """While a hook runs, others can be told of the container: readers need no lock."""
    seen = bundle.path / "seen"
    script = f"cat {bundle.state_directory}/status > {seen}; exit 0"
    bundle.config["hooks"] = {"createRuntime": [shell(script)]}
    create(bundle)
    assert json.loads(seen.read_text())["phase"] == "creating"
