"""Space, descriptors, processes or memory are used up: it is told, and nothing is left."""

from __future__ import annotations

import collections
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import bundles
from .enclosure import WITHIN, Enclosure, LeftBehind

_TIMEOUT = 120 * int(os.environ.get("NSISOLATE_TEST_SLOWNESS", "1"))
_TESTS = """
def test_it(tmp_path):
    print("x" * 300000)
    assert 1
"""


def _try(command: Sequence[str], directory: Path) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    return done.returncode, done.stdout


def _run_bundle(enclosure: Enclosure) -> list[str]:
    bundle = enclosure.directory / "bundle"
    if not bundle.exists():
        bundles.make(bundle, "true")
    return [*bundles.RUNTIME, "run", "--bundle", str(bundle), "stress"]


def _run_pytest(enclosure: Enclosure) -> list[str]:
    (enclosure.directory / "test_it.py").write_text(_TESTS)
    base = f"--basetemp={enclosure.directory / 'base'}"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--nsisolate-all", base]
    return [sys.executable, "-m", "pytest", *options, "test_it.py"]


def disk(enclosure: Enclosure, count: int) -> str:
    """Let the state of containers, and the output of tests, be on file systems of *count* small sizes."""
    codes: collections.Counter[str] = collections.Counter()
    small = enclosure.directory / "small"
    small.mkdir()
    for number in range(count):
        for kind, size in (("run", f"{4 * (number + 1)}k"), ("pytest", f"{100 * (number + 1)}k")):
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"mode=1777,size={size}", "tmpfs", str(small)],
                check=True,
            )
            try:
                code, output = _on_small_disk(enclosure, kind, small)
                there = [p for p in small.rglob("*") if not p.is_dir()]
                assert not there, f"{kind} on {size}: {there} are left; it said {output}"
            finally:
                subprocess.run(["umount", str(small)], check=True)
            assert code == 0 or "No space left on device" in output, f"{kind} on {size}: {output}"
            assert "INTERNALERROR" not in output, output
            assert kind == "pytest" or "Traceback" not in output, output
            enclosure.check(f"{kind} on a disk of {size}")
            codes[f"{kind} {code}"] += 1
    return f"disks of {count} sizes, exit codes {dict(codes)}"


def _on_small_disk(enclosure: Enclosure, kind: str, small: Path) -> tuple[int, str]:
    if kind == "run":
        command = _run_bundle(enclosure)
        at = command.index("run")
        return _try([*command[:at], "--root", str(small / "state"), *command[at:]], small)
    return _try(["env", f"TMPDIR={small}", *_run_pytest(enclosure)], enclosure.directory)


def _without(enclosure: Enclosure, prefixes: Sequence[tuple[str, list[str]]]) -> str:
    """Run a bundle and a test with each prefix; they work, or say why not."""
    codes: collections.Counter[str] = collections.Counter()
    for what, prefix in prefixes:
        for command in (_run_bundle(enclosure), _run_pytest(enclosure)):
            code, output = _try([*prefix, *command], enclosure.directory)
            # Who is killed for want of memory itself can say nothing.
            assert output or code in (0, -9), f"{what}: exit code {code} without a word"
            if code == 0 and "pytest" in command:
                assert "1 passed" in output, f"{what}: {output}"
            bundles.call("delete", "--force", "stress", code=None)
            enclosure.check(f"{what}, with exit code {code}: {output[-1500:]}")
            codes[
                f"{'bundle' if 'run' in command else 'test'} {'works' if code == 0 else 'fails'}"
            ] += 1
    return str(dict(codes))


def descriptors(enclosure: Enclosure, count: int) -> str:
    """Allow few descriptors."""
    numbers = [8 + 2 * n for n in range(count)]
    seen = _without(
        enclosure, [(f"{n} descriptors", ["prlimit", f"--nofile={n}"]) for n in numbers]
    )
    return f"8 to {numbers[-1]} descriptors: {seen}"


def processes(enclosure: Enclosure, count: int) -> str:
    """Allow few processes: by a cgroup for root, by RLIMIT_NPROC for others."""
    if os.geteuid():
        with_limit = [(f"{n} processes", ["prlimit", f"--nproc={n}"]) for n in range(2, 2 + count)]
        return _without(enclosure, with_limit)
    return "1 and more processes: " + _without_in_cgroup(
        enclosure, "pids", "pids.max", range(2, 2 + count)
    )


def memory(enclosure: Enclosure, count: int) -> str:
    """Allow little memory, by a cgroup."""
    if os.geteuid():
        return "needs root"
    sizes = [(8 + 4 * n) << 20 for n in range(count)]
    return "8 MiB and more: " + _without_in_cgroup(
        enclosure, "memory", "memory.limit_in_bytes", sizes
    )


def _without_in_cgroup(
    enclosure: Enclosure, controller: str, file: str, values: Sequence[int]
) -> str:
    own = Path("/proc/self/cgroup").read_text().splitlines()
    path = next(line.split(":", 2)[2] for line in own if line.split(":")[1] == controller)
    place = Path(f"/sys/fs/cgroup/{controller}{path}/few-left")
    seen = []
    for value in values:
        place.mkdir()
        try:
            (place / file).write_text(str(value))
            prefix = ["sh", "-c", f'echo $$ > {place}/cgroup.procs; exec "$@"', "sh"]
            seen.append(f"{value}: {_without(enclosure, [(f'{controller} {value}', prefix)])}")
        finally:
            _remove(place)
    return "; ".join(seen)


def _remove(place: Path) -> None:
    """Remove a cgroup, which takes a moment after its last process has ended."""
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            place.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                there = (place / "cgroup.procs").read_text().split()
                names = [Path(f"/proc/{pid}/comm").read_text() for pid in there]
                raise LeftBehind(
                    f"{names} are left in {place}, or cgroups: {[p for p in place.iterdir() if p.is_dir()]}"
                ) from None
            time.sleep(0.01)
        else:
            return
