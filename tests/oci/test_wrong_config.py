"""A wrong config.json, one for each property and kind of mistake, by the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ..runtime_spec.complete import complete_config
from ..runtime_spec.table import config_fields
from ..runtime_spec.wrong_values import Wrong, wrong_values
from .bundle import Bundle, Finished
from .many_calls import call_many
from .runtime_under_test import ours_only
from .test_errors import assert_one_sentence, call, write_config

pytestmark = ours_only("the sentences")


def one_for_each(of_each_kind: bool) -> list[Wrong]:
    """Return one wrong value for each property, or for each property and kind of mistake."""
    found: dict[tuple[str, str], Wrong] = {}
    for wrong in wrong_values():
        found.setdefault((wrong.field.path, wrong.error if of_each_kind else ""), wrong)
    return list(found.values())


@pytest.mark.parametrize("identity", ["root", "user"], indirect=True)
@pytest.mark.parametrize("verb", ["run", "create"])
def test_every_property_by_the_command(bundle: Bundle, verb: str) -> None:
    """One sentence on stderr with the property, nothing on stdout, exit code 1, and nothing left."""
    wrongs = one_for_each(of_each_kind=verb == "run")
    assert {wrong.field.path for wrong in wrongs} == {
        field.path for field in config_fields() if "refused" not in field.flags
    }
    calls = [(json.dumps(wrong.config()), arguments(bundle, verb, wrong)) for wrong in wrongs]
    problems = [
        f"{wrong}: {problem}"
        for wrong, finished in zip(wrongs, call_many(bundle, calls), strict=True)
        if (problem := _problem(wrong.path, finished))
    ]
    assert not problems, "\n".join(problems)
    assert_nothing_is_left(bundle)


def arguments(bundle: Bundle, verb: str, wrong: Wrong) -> list[str]:
    """Return the arguments of a call that are right by themselves: ``create`` has to do with a terminal."""
    process = wrong.config().get("process")
    has_terminal = isinstance(process, dict) and process.get("terminal") is True
    options = ["--console-socket", "socket"] if verb == "create" and has_terminal else []
    root = ["--root", f"{bundle.path}/state"]
    return [*root, verb, *options, "--bundle", str(bundle.path), bundle.id]


def _problem(path: str, finished: Finished) -> str:
    """Return what is wrong with how the command ended, or an empty string."""
    lines = finished.err.splitlines()
    if finished.code != 1 or finished.out:
        return f"not an error like the others: {finished}"
    if len(lines) != 1 or not lines[0].startswith(f"nsisolate: {path}: "):
        return f"not one sentence about it: {finished.err}"
    return ""


def assert_nothing_is_left(bundle: Bundle) -> None:
    """Check that there is no state and no cgroup; the fixture looks for mounts and processes."""
    assert not (bundle.path / "state").exists()
    assert not bundle.state_directory.exists()
    left = [path for path, names, _files in os.walk("/sys/fs/cgroup") if bundle.id in names]
    assert not left


def test_without_a_process(bundle: Bundle) -> None:
    """config.md: ``process`` is required when ``start`` is called; ``run`` misses it before."""
    config = complete_config()
    del config["process"]
    write_config(bundle, config)
    finished = call(bundle, "run", "--bundle", str(bundle.path), bundle.id)
    assert_one_sentence(finished, "process: is required to run a container, and missing")
    assert_nothing_is_left(bundle)


@pytest.mark.parametrize("identity", ["user"], indirect=True)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"ociVersion": "1.0.0", "ociVersion": "1.0.0"}',
        b'{"ociVersion": "1.0.\0"}',
        b'{"ociVersion": "1.0.\\u0000"}',
        b'{"ociVersion": "\\ud800"}',
        b'{"\\ud800": 1, "\\ud800": 1}',
        b'{"ociVersion": ' + b"9" * 10_000 + b"}",
        b'{"ociVersion": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
@pytest.mark.parametrize("log", [[], ["--log-format", "json"], ["--log", "log"]])
def test_a_hopeless_text(bundle: Bundle, raw: bytes, log: list[str]) -> None:
    """Whatever the file holds, it is one sentence, wherever it is written to."""
    write_config(bundle, raw)
    options = [str(bundle.path / word) if word == "log" else word for word in log]
    finished = call(bundle, *options, "create", "--bundle", str(bundle.path), bundle.id)
    assert finished.code == 1
    assert finished.out == ""
    assert len(finished.err.splitlines()) == 1, finished.err
    if log == ["--log-format", "json"]:
        assert json.loads(finished.err)["level"] == "error"
    if log[:1] == ["--log"]:
        assert len(Path(options[1]).read_text().splitlines()) == 1
    assert_nothing_is_left(bundle)
