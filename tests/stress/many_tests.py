"""Many isolated tests in one run: memory and descriptors of host and template stay what they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .enclosure import Enclosure

#: Notes, from the host, what host, factory and template have, now and then.
CONFTEST = """
import json, os, pytest

EVERY = int(os.environ["EVERY"])
done = 0

def processes():
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                before, _, after = file.read().rpartition(")")
            name, parent = before.partition("(")[2], int(after.split()[1])
            with open(f"/proc/{pid}/statm") as file:
                resident = int(file.read().split()[1]) * 4
            yield int(pid), parent, name, resident, len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue

def pytest_runtest_logfinish():
    global done
    done += 1
    if done % EVERY:
        return
    found = list(processes())
    named = {pid: parent for pid, parent, name, *_ in found if name == "nsisolate: fact"}
    # Not what one of them has just forked, and has still its name.
    factories = {pid for pid, parent in named.items() if parent not in named}
    seen = {"tests": done}
    for pid, parent, name, resident, descriptors in found:
        if pid == os.getpid():
            seen["host"] = [resident, descriptors]
        elif pid in factories:
            seen["factory"] = [resident, descriptors]
        elif parent in factories and not name.startswith("nsisolate"):
            seen["template"] = [resident, descriptors]
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(seen) + "\\n")
"""
TESTS = """
import os, pytest, subprocess

@pytest.fixture(scope="session")
def shared():
    return object()

@pytest.mark.parametrize("number", range(int(os.environ["COUNT"])))
def test_it(number, shared, tmp_path):
    print(number)
    (tmp_path / "file").write_text("x" * 1000)
    child = os.fork()
    if child == 0:
        os._exit(0)
    if "PLAIN" in os.environ:
        os.waitpid(child, 0)
        return  # not in a sandbox, where the child, and what follows, would stay
    open("/tmp/private", "w").write("x")
    if number % 100 == 7:
        subprocess.Popen(["sleep", "600"])
"""


def run(enclosure: Enclosure, count: int) -> str:
    """Run *count* tests isolated, then as many plainly, for what pytest itself keeps of each."""
    isolated = _run(enclosure, count, "--nsisolate-all")
    enclosure.check(f"{count} tests")
    plain = _run(enclosure, count, PLAIN="1")
    first, last = isolated[0], isolated[-1]
    # An ordinary user may not look into the factory, nor into much of the template.
    seen = [name for name in ("host", "factory", "template") if name in last and name in first]
    assert os.geteuid() or len(seen) == 3, last
    for name in seen:
        assert last[name][1] <= first[name][1] + 2, f"descriptors of the {name}: {first}, {last}"
    grown = {name: last[name][0] - first[name][0] for name in seen}
    usual = plain[-1]["host"][0] - plain[0]["host"][0]
    text = f"{first['tests']}th to {last['tests']}th test: kB more {grown}, host of a plain run {usual}"
    # A page here or there is the allocator's; a leak would be at least some bytes for each test.
    assert grown["host"] < usual * 1.25 + 4096, text
    assert all(grown[name] < 2048 for name in seen if name != "host"), text
    return f"{count} tests passed; {text}; descriptors {[last[name][1] for name in seen]}"


def _run(enclosure: Enclosure, count: int, *options: str, **variables: str) -> list[Any]:
    project = enclosure.directory / "project"
    project.mkdir(exist_ok=True)
    seen = enclosure.directory / "seen"
    seen.unlink(missing_ok=True)
    (project / "conftest.py").write_text(CONFTEST)
    (project / "test_it.py").write_text(TESTS)
    (project / "pytest.ini").write_text("[pytest]\ntmp_path_retention_policy = none\n")
    base = f"--basetemp={enclosure.directory / 'base'}"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            base,
            *options,
        ],
        cwd=project,
        env={
            **os.environ,
            **variables,
            "COUNT": str(count),
            "EVERY": str(max(1, count // 10)),
            "SEEN": str(seen),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{count} passed" in done.stdout, done.stdout[-3000:]
    return [json.loads(line) for line in Path(seen).read_text().splitlines()]
