"""What a user gets wrong: one sentence, exit code 1, no traceback, nothing left."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from .bundle import TIMEOUT, Bundle, Finished
from .identity import demotion
from .runtime_under_test import ours_only, runtime_command

pytestmark = ours_only("the sentences")


def call(bundle: Bundle, *args: str, cwd: str = "/") -> Finished:
    """Call the runtime with *args* as they are."""
    done = subprocess.run(
        [*runtime_command(), *args],
        cwd=cwd,
        env=bundle.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        **demotion(bundle.identity),
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def assert_one_sentence(finished: Finished, *parts: str, code: int = 1) -> None:
    """Check that an error is one line (a hint may follow) and says *parts*."""
    assert finished.code == code
    assert finished.out == ""
    lines = finished.err.splitlines()
    assert lines[0].startswith("nsisolate: ")
    assert not lines[0].endswith(".")
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hint: "))
    for part in parts:
        assert part in finished.err


def write_config(bundle: Bundle, raw: bytes | dict[str, Any]) -> None:
    """Write config.json as it is."""
    content = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    (bundle.path / "config.json").write_bytes(content)


def test_a_bundle_that_is_missing(bundle: Bundle) -> None:
    """A bundle directory that does not exist is named."""
    missing = str(bundle.path / "missing")
    assert_one_sentence(call(bundle, "run", "--bundle", missing, "id"), missing)
    assert_one_sentence(call(bundle, "run", f"{missing}/"), missing)


def test_a_bundle_without_a_config(bundle: Bundle) -> None:
    """A directory without a config.json is no bundle, and the error says what writes one."""
    finished = call(bundle, "run", str(bundle.path))
    assert_one_sentence(finished, "config.json", "nsisolate spec")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1,", b"\xff\xfe", b"nonsense", b'{"a": 1} x', b"[" * 100_000]
)
def test_a_config_that_is_not_json(bundle: Bundle, raw: bytes) -> None:
    """What is not JSON is refused with the place where it is not."""
    write_config(bundle, raw)
    assert_one_sentence(call(bundle, "run", str(bundle.path)), "config.json")


@pytest.mark.parametrize("raw", [b"null", b"[]", b"1", b'"text"'])
def test_a_config_that_is_no_object(bundle: Bundle, raw: bytes) -> None:
    """JSON that is no object is refused."""
    write_config(bundle, raw)
    assert_one_sentence(call(bundle, "run", str(bundle.path)), "not an object")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ociVersion": None}, "ociVersion"),
        ({"ociVersion": "2.0.0"}, "ociVersion"),
        ({"root": None}, "root"),
        ({"root": {"path": "missing"}}, "root.path"),
        ({"process": None}, "process"),
        ({"process": {"args": [], "cwd": "/"}}, "process.args"),
        ({"process": {"args": ["x"], "cwd": "relative"}}, "process.cwd"),
        ({"process": {"args": ["x", 1], "cwd": "/"}}, "process.args[1]"),
        ({"mounts": [{"type": "tmpfs"}]}, "mounts[0].destination"),
        ({"linux": {"namespaces": [{"type": "nosuch"}]}}, "linux.namespaces[0].type"),
        ({"linux": {"seccomp": {"defaultAction": "no"}}}, "linux.seccomp.defaultAction"),
    ],
)
def test_a_wrong_field_is_named(bundle: Bundle, change: dict[str, Any], field: str) -> None:
    """A value that is wrong, missing or not supported yet is refused by the name of its field."""
    write_config(bundle, bundle.config | change)
    assert_one_sentence(call(bundle, "run", str(bundle.path)), field)


def test_a_config_that_cannot_be_read(bundle: Bundle) -> None:
    """A config.json that is a directory is an error like any other."""
    (bundle.path / "config.json").mkdir()
    assert_one_sentence(call(bundle, "run", str(bundle.path)), "config.json")


@pytest.mark.parametrize(
    "args",
    [
        ("nosuchverb",),
        ("run", "--nosuchoption", "x"),
        ("run", "--bundle"),
        ("run", "one", "two"),
        ("spec", "extra"),
        ("features", "extra"),
    ],
)
def test_a_wrong_command_line(bundle: Bundle, args: tuple[str, ...]) -> None:
    """A command line that cannot be understood is refused."""
    assert_one_sentence(call(bundle, *args))


def test_a_failing_mount_leaves_nothing(bundle: Bundle) -> None:
    """A set-up that fails half-way says which step, and leaves nothing (the fixture looks)."""
    bundle.mount("/one", "tmpfs", "tmpfs")
    bundle.bind("/nonexistent", "/two")
    finished = bundle.run("true")
    assert_one_sentence(finished, "mount", "/nonexistent", "ENOENT")


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_an_ordinary_user_gets_a_user_namespace(bundle: Bundle) -> None:
    """Without privileges, a config without a user namespace gets one that has the caller in it only."""
    bundle.drop_namespace("user")
    del bundle.linux["uidMappings"], bundle.linux["gidMappings"]
    uid = bundle.identity.mapped_uid
    assert bundle.output("cat /proc/self/uid_map").split() == ["0", str(uid), "1"]
    bundle.process["user"] = {"uid": 5, "gid": 6}
    assert bundle.output("id -u; id -g; cat /proc/self/uid_map").split() == [
        "5",
        "6",
        "5",
        str(uid),
        "1",
    ]


@pytest.mark.parametrize("identity", ["root-userns"], indirect=True)
def test_a_rootfs_that_cannot_be_entered(bundle: Bundle) -> None:
    """A rootfs that the container's root may not enter is an error."""
    bundle.rootfs.chmod(0o700)
    os.chown(bundle.rootfs, 0, 0)
    assert_one_sentence(bundle.run("true"))


def test_the_bundle_can_be_the_current_directory(bundle: Bundle) -> None:
    """``run`` without a bundle, or with an id alone, takes the current directory."""
    bundle.process["args"] = ["echo", "here"]
    bundle.command()
    assert call(bundle, "run", cwd=str(bundle.path)).out == "here\n"
    assert call(bundle, "run", "an-id", cwd=str(bundle.path)).out == "here\n"
    assert call(bundle, "run", ".", cwd=str(bundle.path)).out == "here\n"


@pytest.mark.parametrize("form", ["{0}", "{0}/", "--bundle={0} id", "-b {0} id", "id --bundle {0}"])
def test_every_form_of_run(bundle: Bundle, form: str) -> None:
    """The short form, and runc's, in every order."""
    bundle.process["args"] = ["echo", "ran"]
    bundle.command()
    finished = call(bundle, "run", *form.format(bundle.path).split())
    assert finished.out == "ran\n", finished
