"""Many at once: pytest runs with workers, and containers below one root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from . import bundles
from .enclosure import Enclosure

_TESTS = """
import os, pytest

@pytest.mark.parametrize("number", range({count}))
def test_it(number, tmp_path):
    (tmp_path / "file").write_text(str(number))
    assert [n for n in os.listdir("/proc") if n.isdecimal()] == ["1", str(os.getpid())]
"""


def workers(enclosure: Enclosure, count: int) -> str:
    """Run pytest twice at a time, with eight workers each (three, for few tests)."""
    running = []
    workers = 8 if count >= 100 else 3
    for name in ("one", "two"):
        project = enclosure.directory / name
        project.mkdir()
        (project / "test_it.py").write_text(_TESTS.format(count=count))
        base = f"--basetemp={enclosure.directory / f'base-{name}'}"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            str(workers),
            "--nsisolate-all",
            base,
        ]
        running.append(
            subprocess.Popen(
                [*command, "-p", "no:cacheprovider"],
                cwd=project,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    for one in running:
        output, _ = one.communicate(timeout=600)
        assert one.returncode == 0, f"exit code {one.returncode}: {output}"
        assert f"{count} passed" in output, output
    return f"twice {workers} workers, {2 * count} tests"


def containers(enclosure: Enclosure, count: int) -> str:
    """Take *count* containers through their lives, each step for all of them at a time."""
    bundle = str(bundles.make(enclosure.directory / "bundle", "sleep", "600"))
    root = ["--root", "/run/parallel"]
    names = [f"stress-{number}" for number in range(count)]

    def for_all(*arguments: str) -> None:
        with ThreadPoolExecutor(count) as pool:
            calls = [pool.submit(bundles.call, *root, *arguments, name) for name in names]
            for one in calls:
                one.result()

    def statuses() -> dict[str, str]:
        listed = json.loads(bundles.call(*root, "list", "--format", "json")) or []
        return {container["id"]: container["status"] for container in listed}

    for_all("create", "--bundle", bundle)
    assert statuses() == dict.fromkeys(names, "created")
    for_all("start")
    assert statuses() == dict.fromkeys(names, "running")
    with ThreadPoolExecutor(2 * count) as pool:
        # Two who kill the same one are no worse than one.
        calls = [
            pool.submit(bundles.call, *root, "kill", name, "KILL", code=None) for name in names * 2
        ]
        for one in calls:
            one.result()
    for_all("delete", "--force")
    assert statuses() == {}
    os.rmdir("/run/parallel")
    return f"{count} containers in parallel"
