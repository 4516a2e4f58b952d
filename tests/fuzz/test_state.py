"""A state that is damaged, or that somebody has written: it is read, or is unreadable in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_nsisolate.runtime.errors import NsisolateError
from pytest_nsisolate.runtime.lifecycle.state import Directory

from .mutate import Mutator, check_sentence, in_time

STATUS = {
    "id": "box",
    "bundle": "/bundle",
    "rootfs": "/bundle/rootfs",
    "created": "2025-01-01T00:00:00.000000000Z",
    "owner_uid": 0,
    "pid": 2**22 + 1,  # no process has it
    "start_time": 5,
    "phase": "running",
    "external_descriptors": '["/dev/null","",""]',
    "annotations": {"name": "value"},
    "groups": {
        "cgroup": {"directories": {"memory": "/nowhere"}, "made": ["/nowhere"], "unit": ""},
        "root": "/bundle/rootfs",
    },
    "device_rules": "",
}


def load(directory: Directory, raw: bytes) -> bool:
    """Read a state as ``state`` does; tell whether it was one."""
    (Path(directory.path) / "status").write_bytes(raw)
    try:
        state = directory.load()
        assert isinstance(state.status(), str)
        state.kept()
    except NsisolateError as error:
        check_sentence(error)
        return False
    return True


def container(tmp_path: Path) -> Directory:
    """Make a container's directory."""
    directory = Directory(str(tmp_path), "box")
    directory.make(b"{}")
    directory.unlock()
    return directory


def test_wrong_values(tmp_path: Path) -> None:
    """Any value in any place, and any name."""
    directory = container(tmp_path)
    assert load(directory, json.dumps(STATUS).encode())
    for state in Mutator(STATUS).cases():
        with in_time(state):
            load(directory, json.dumps(state).encode())


def test_wrong_bytes(tmp_path: Path) -> None:
    """A file that is damaged in any way."""
    directory = container(tmp_path)
    for raw in Mutator(STATUS).texts():
        with in_time(raw):
            load(directory, raw)
