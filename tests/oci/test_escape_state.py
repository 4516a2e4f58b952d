"""The state of containers is their owner's: not another user's, whatever permissions and umask are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .identity import ORDINARY_UID
from .lifecycle import create, ok, state, verb
from .runtime_under_test import ours_only

pytestmark = ours_only("where the state is, and what is in it")

VERBS = (
    ("state",),
    ("start",),
    ("kill",),
    ("delete",),
    ("delete", "--force"),
    ("pause",),
    ("resume",),
    ("ps",),
    ("exec",),
)


def root_of(bundle: Bundle, owner: int, mode: int = 0o755) -> Path:
    """Make a directory for the state that belongs to somebody."""
    root = bundle.path / "state"
    root.mkdir()
    root.chmod(mode)
    os.chown(root, owner, owner)
    return root


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
@pytest.mark.parametrize("verb_name", ["create", "run"])
def test_a_root_of_somebody_else_is_refused(bundle: Bundle, verb_name: str) -> None:
    """Whoever owns the directory could put another state in the container's place."""
    root = root_of(bundle, ORDINARY_UID)
    bundle.write_config()
    finished = verb(bundle, "--root", str(root), verb_name, "--bundle", str(bundle.path), bundle.id)
    assert finished.code == 1
    assert "belongs to somebody else" in finished.err
    assert os.listdir(root) == []


def test_a_root_that_everybody_may_write_to_is_refused(bundle: Bundle) -> None:
    """So could everybody, unless the directory is one like /tmp."""
    root = bundle.directory("state", mode=0o777)
    if capabilities.is_root() and not bundle.identity.is_ordinary_user:
        os.chown(root, 0, 0)
    bundle.write_config()
    command = ("--root", str(root), "run", "--bundle", str(bundle.path), bundle.id)
    finished = verb(bundle, *command)
    assert finished.code == 1
    assert "chmod o-w" in finished.err
    root.chmod(0o1777)
    assert verb(bundle, *command).code == 0


@pytest.mark.parametrize("identity", ["root"], indirect=True)
@pytest.mark.parametrize("command", VERBS, ids=" ".join)
def test_a_state_of_somebody_else_is_none(bundle: Bundle, command: tuple[str, ...]) -> None:
    """A directory in the right place that somebody else has made is no container, for any verb."""
    root = root_of(bundle, 0)
    planted = root / bundle.id
    planted.mkdir()
    status = {
        "id": bundle.id,
        "bundle": str(bundle.path),
        "rootfs": str(bundle.rootfs),
        "created": "2020-01-01T00:00:00Z",
        "owner_uid": 0,
        "pid": os.getpid(),
        "start_time": 0,
        "phase": "running",
        "annotations": {},
        "groups": None,
    }
    (planted / "status").write_text(json.dumps(status))
    (planted / "config.json").write_text(json.dumps(bundle.config))
    os.chown(planted, ORDINARY_UID, ORDINARY_UID)
    more = ("true",) if command == ("exec",) else ()
    finished = verb(bundle, "--root", str(root), *command, bundle.id, *more)
    assert "container does not exist" in finished.err or command == ("delete", "--force")
    assert "Traceback" not in finished.err
    assert (planted / "status").exists()


@pytest.mark.parametrize("umask", ["000", "777"])
def test_the_umask_does_not_matter(bundle: Bundle, umask: str) -> None:
    """With any umask the state is its owner's to use, and nobody else's."""
    bundle.process["args"] = ["true"]
    bundle.write_config()
    prefix = ("sh", "-c", f'umask {umask}; exec "$@"', "sh")
    command = ("create", "--bundle", str(bundle.path), bundle.id)
    created = verb(bundle, *command, prefix=prefix)
    assert created.code == 0, created
    assert state(bundle)["status"] == "created"
    if capabilities.is_root():
        place = bundle.state_directory
        assert place.stat().st_mode & 0o777 == 0o700
        for entry in place.iterdir():
            assert entry.stat().st_mode & 0o077 == 0 or entry.is_dir(), entry
    ok(bundle, "start", bundle.id)


def test_a_symlink_does_not_lead_the_pid_file_elsewhere(bundle: Bundle) -> None:
    """Where others may write, too, the name under which the pid file is written first may be taken."""
    place = bundle.directory("place", mode=0o777)
    victim = bundle.path / "victim"
    victim.write_text("precious\n")
    bundle.give(victim)
    for pid in range(os.getpid(), os.getpid() + 300):
        (place / f".pid.{pid}").symlink_to(victim)
    create(bundle, "true", "--pid-file", str(place / "pid"))
    assert victim.read_text() == "precious\n"
    assert (place / "pid").read_text().isdecimal()
    ok(bundle, "start", bundle.id)
