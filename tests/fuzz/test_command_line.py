"""The command line: every verb, with words in any order; in this process, and a sample in one of its own."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pytest_nsisolate import cli
from tests import capabilities

from .mutate import CASES, SEED, in_time

VERBS = (
    "create start run state kill delete pause resume update events exec list ps spec features "
    "checkpoint restore --version --help nonsense"
).split()
OPTIONS = (
    "--root --log --log-format --debug --cgroup-manager --systemd-cgroup --rootless --criu "
    "--bundle -b --config -f --console-socket --pidfd-socket --pid-file --preserve-fds --no-pivot "
    "--no-new-keyring --detach -d --keep --force --all -a --tty -t --user -u --cwd --env -e --cap -c "
    "--process -p --resources -r --memory --cpus --pids-limit --format --quiet -q --interval --stats "
    "--cgroup --apparmor --process-label --ignore-paused --help -h -- - -dt"
).split()
VALUES = (
    *(
        "box . .. / // '' 0 -1 1 99999999999999999999 TERM SIGKILL SIG 64 json text table a=b = =b "
        "{} [] config.json nowhere/at/all \x01 \udcff é x:y 1000:1000 :: 5s -5s 1G"
    ).split(),
    "",
    " ",
    "x" * 3000,
)


def right_words(chance: random.Random) -> list[str]:
    """Return a command line of which the values alone may be wrong: options that the verb has, and an id."""
    verb = chance.choice(
        [verb for verb in VERBS if verb not in ("spec", "nonsense") and verb[0] != "-"]
    )
    own = re.findall(
        r"(?<!\S)--?[a-z][a-z0-9-]*", import_module(f"pytest_nsisolate.cli.{verb}").HELP
    )
    given = [
        option if chance.random() < 0.3 else f"{option}={chance.choice(VALUES)}"
        for option in chance.sample(own, min(len(own), chance.choice((1, 1, 2))))
    ]
    return [verb, *given, "box", *chance.choices(VALUES, k=chance.randrange(2))]


def words(chance: random.Random) -> list[str]:
    """Return a command line."""
    if chance.random() < 0.5:
        return right_words(chance)
    before = chance.choices([*OPTIONS, *VALUES], k=chance.choice((0, 0, 0, 1, 2)))
    after = [
        word if chance.random() < 0.8 else f"{word}={chance.choice(VALUES)}"
        for word in chance.choices([*OPTIONS, *VALUES], k=chance.randrange(6))
    ]
    return [*before, chance.choice(VERBS), *after]


def test_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """There is no container and no bundle, so that no command can do anything, and each says so."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr("pytest_nsisolate.cli.run.Signals", lambda: None)
    monkeypatch.setattr(
        "pytest_nsisolate.runtime.lifecycle.state.default_root", lambda: str(tmp_path)
    )
    monkeypatch.setattr("pytest_nsisolate.cli.run.default_root", lambda: str(tmp_path))
    chance = random.Random(SEED)
    for _ in range(CASES):
        argv = words(chance)
        with in_time(argv):
            assert isinstance(cli._run(argv), int), argv
        for made in work.iterdir():
            if made.is_file():
                made.unlink()  # by spec, or --log
        capfd.readouterr()


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    """A sample of them, as an ordinary user, without a traceback and in time."""
    work = tmp_path / "work"
    work.mkdir(mode=0o700)
    demoted = {"user": 65534, "group": 65534, "extra_groups": []} if capabilities.is_root() else {}
    if demoted:
        work = Path("/var/tmp")
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    chance = random.Random(SEED + 1)
    for _ in range(max(10, CASES // 100)):
        argv = [
            w for w in words(chance) if "\0" not in w and w not in ("spec", "--log", "--pid-file")
        ]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest_nsisolate",
                *(w for w in argv if not w.startswith("--log=")),
            ],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
            **demoted,  # type: ignore[call-overload]
        )
        assert b"Traceback" not in done.stderr, (argv, done.stderr)
        assert done.returncode >= 0, (argv, done)
