"""Signals at random moments, to pytest, to what it has started, and to the runtime's verbs."""

from __future__ import annotations

import collections
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from . import bundles
from .enclosure import Enclosure

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
#: Longer than this nothing here takes.
_TIMEOUT = 90 * int(os.environ.get("NSISOLATE_TEST_SLOWNESS", "1"))
_PROJECT = """
import os, pytest, subprocess, time

@pytest.fixture(scope="session")
def service():
    child = subprocess.Popen(["sleep", "600"])
    yield child
    child.kill()
    child.wait()

@pytest.mark.parametrize("number", range(6))
def test_it(number, service, tmp_path):
    (tmp_path / "file").write_text("x")
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    time.sleep(0.02)
"""


class Moments:
    """Random moments within what a command takes, which is learnt from those that were not disturbed."""

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        began = time.monotonic()
        undisturbed = Started(command, directory)
        code, output = undisturbed.finish()
        assert code == 0, output
        self._longest = time.monotonic() - began

    def wait(self, running: Started) -> None:
        """Wait for a random while, or until the command has ended by itself."""
        began = time.monotonic()
        try:
            running.popen.wait(random.uniform(0, self._longest))
        except subprocess.TimeoutExpired:
            return
        self._longest = min(self._longest, time.monotonic() - began)


class Started:
    """A command that runs; what it prints goes to a file, which a container may have open for longer."""

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        self._said = tempfile.TemporaryFile(dir="/dev/shm", mode="w+")  # noqa: SIM115
        # Jobs of a shell in the background ignore SIGINT, and so would these.
        self.popen = subprocess.Popen(
            ["env", "--default-signal", *command],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what was printed."""
        code = self.popen.wait(_TIMEOUT)
        self._said.seek(0)
        text = self._said.read()
        self._said.close()
        return code, text

    def processes(self) -> list[str]:
        """Return what it and its descendants wait for."""
        return [
            " ".join((str(pid), _read(f"/proc/{pid}/comm").strip(), _read(f"/proc/{pid}/wchan")))
            for pid in (self.popen.pid, *_descendants(self.popen.pid))
        ]


def _pytest(enclosure: Enclosure) -> tuple[list[str], Path]:
    project = enclosure.directory / "project"
    project.mkdir()
    (project / "test_it.py").write_text(_PROJECT)
    base = f"--basetemp={enclosure.directory / 'base'}"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--nsisolate-all", base]
    return [sys.executable, "-m", "pytest", *options], project


def _signalled(
    enclosure: Enclosure, count: int, send: Callable[[subprocess.Popen[bytes], signal.Signals], str]
) -> Iterator[tuple[str, str, int, str]]:
    """Let *send* send each signal *count* times, at random moments of a run of pytest each.

    Yield the signal, what it hit, the exit code, and the output, when it is certain that nothing is left.
    """
    command, project = _pytest(enclosure)
    moments = Moments(command, project)
    for number in range(count * len(SIGNALS)):
        sent = SIGNALS[number % len(SIGNALS)]
        running = Started(command, project)
        moments.wait(running)
        hit = send(running.popen, sent)
        what = f"{sent.name} number {number} to {hit!r}"
        try:
            code, output = running.finish()
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{what}: it does not end; {running.processes()}") from None
        enclosure.check(f"{what}, code {code}: {output[-2000:]}")
        yield sent.name, hit, code, output


def pytest_itself(enclosure: Enclosure, count: int) -> str:
    """Send each signal *count* times to pytest."""

    def send(popen: subprocess.Popen[bytes], sent: signal.Signals) -> str:
        popen.send_signal(sent)
        return "pytest"

    codes: collections.Counter[str] = collections.Counter()
    for name, _hit, code, _output in _signalled(enclosure, count, send):
        codes[f"{name}: {code}"] += 1
    return f"{sum(codes.values())} signals to pytest, exit codes {dict(sorted(codes.items()))}"


def inside_of_pytest(enclosure: Enclosure, count: int) -> str:
    """Send each signal *count* times to what pytest has started: template or test, an init, or anything."""
    targets = itertools.cycle(name for name in ("python", "nsisolate: init", "") for _ in SIGNALS)
    told: collections.Counter[str] = collections.Counter()
    for name, hit, code, output in _signalled(
        enclosure, count, lambda popen, sent: _signal_one_below(popen, sent, next(targets))
    ):
        what = f"{name} to {hit!r}, code {code}: {output[-2000:]}"
        # SIGINT is Ctrl-C to a test, too, and ends the session as in a plain run.
        assert code in (0, 1, 4) or (code == 2 and name == "SIGINT"), what
        assert "INTERNALERROR" not in output, what
        reasons = ("nsisolate", "failed", "error", "KeyboardInterrupt")
        assert code == 0 or any(reason in output for reason in reasons), what
        told[f"{hit or 'nobody'}: {'noticed' if code else 'no harm'}"] += 1
    return f"{sum(told.values())} signals to what pytest has started: {dict(sorted(told.items()))}"


def _signal_one_below(popen: subprocess.Popen[bytes], number: int, wanted: str) -> str:
    """Send a signal to a random descendant of that name; return its name, or "" if there came none."""
    while popen.poll() is None:
        names = {pid: _read(f"/proc/{pid}/comm").strip() for pid in _descendants(popen.pid)}
        found = [pid for pid, name in names.items() if wanted in (name, "")]
        if found:
            target = random.choice(found)
            try:
                os.kill(target, number)
            except ProcessLookupError:
                continue
            return names[target]
        time.sleep(0.001)
    return ""


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        found += map(int, _read(f"/proc/{parent}/task/{parent}/children").split())
    return found[1:]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def verbs(enclosure: Enclosure, count: int) -> str:
    """Send each signal *count* times to each of create, start, run and exec."""
    bundle = str(bundles.make(enclosure.directory / "bundle", "sleep", "600"))
    short = str(bundles.make(enclosure.directory / "short", "true"))
    name = "stress"
    commands = {
        "create": ("create", "--bundle", bundle, name),
        "start": ("start", name),
        "run": ("run", "--bundle", short, name),
        "exec": ("exec", name, "true"),
    }
    codes: collections.Counter[str] = collections.Counter()
    for verb, arguments in commands.items():
        command = [*bundles.RUNTIME, *arguments]
        _prepare(verb, bundle, name)
        moments = Moments(command, enclosure.directory)
        bundles.call("delete", "--force", name, code=None)
        for number in range(count * len(SIGNALS)):
            sent = SIGNALS[number % len(SIGNALS)]
            _prepare(verb, bundle, name)
            running = Started(command, enclosure.directory)
            moments.wait(running)
            running.popen.send_signal(sent)
            code, output = running.finish()
            assert "Traceback" not in output or "KeyboardInterrupt" in output, output
            if verb == "run" and sent != signal.SIGKILL:
                enclosure.check(f"{sent.name} number {number} to run, which said {output!r}")
            bundles.call("delete", "--force", name, code=None)
            enclosure.check(f"{sent.name} number {number} to {verb}, which said {output!r}")
            codes[f"{verb} {sent.name} {code}"] += 1
    return f"{sum(codes.values())} signals to verbs: {dict(sorted(codes.items()))}"


def _prepare(verb: str, bundle: str, name: str) -> None:
    if verb in ("start", "exec"):
        bundles.call("create", "--bundle", bundle, name)
    if verb == "exec":
        bundles.call("start", name)
