"""Runs other projects' own suites, plainly and with --nsisolate-all, and prints each difference.

    python tests/suites/compare.py [--user] [--wheel FILE] [--keep DIR] [PROJECT ...]

The projects are those of projects.toml, from their source distributions on PyPI, unmodified. Exit code 0
if every test had the same reports in both runs, in the same order, 1 if not. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
ORDINARY_UID = 65534
TIMEOUT = 1800

#: What no two runs have in common: the time of day and addresses, which some tests carry in their names.
_VOLATILE = re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?|0x[0-9a-f]{6,}")

_PROGRESS = re.compile(r"[.,a-zA-Z]* *\[ *\d+%\]$")

Reports = dict[str, list[str]]


@dataclass(frozen=True)
class Project:
    """A project on PyPI, by version, and what its suite needs besides pytest."""

    name: str
    version: str
    requires: Sequence[str] = ()
    arguments: Sequence[str] = ()


class ComparisonError(Exception):
    """A step before the comparison itself failed."""


@dataclass(frozen=True)
class Run:
    """What one run of a suite gave."""

    seconds: float
    exit_code: int
    reports: Reports
    output: str

    def without_details(self, tests: AbstractSet[str]) -> Run:
        """Return the same with only the outcomes of *tests*."""
        reports = {
            test: [line.partition(" | ")[0] for line in lines] if test in tests else lines
            for test, lines in self.reports.items()
        }
        return replace(self, reports=reports)

    def __str__(self) -> str:
        """Count the reports by outcome."""
        words = (line.partition(" | ")[0] for lines in self.reports.values() for line in lines)
        counted = ", ".join(f"{number} {word}" for word, number in sorted(Counter(words).items()))
        return f"{self.seconds:6.1f} s, exit code {self.exit_code}: {counted}"


def main() -> int:
    """Compare; return the exit code."""
    given = _arguments()
    if given.user and os.geteuid() == 0:
        return _again_as(given)
    known = {project.name: project for project in _known_projects()}
    if unknown := set(given.projects) - set(known):
        raise ComparisonError(f"not in projects.toml: {', '.join(sorted(unknown))}")
    chosen = [known[name] for name in given.projects or known]
    work = Path(given.keep or tempfile.mkdtemp(prefix="nsisolate-suites-", dir="/var/tmp"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        wheel = given.wheel or build_wheel(work)
        different = [p.name for p in chosen if not _is_same(p, work / p.name, wheel, given.python)]
    finally:
        if given.keep is None:
            shutil.rmtree(work)
    print(f"{len(chosen) - len(different)} suites the same, {len(different)} different")
    return 1 if different else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("projects", nargs="*", metavar="PROJECT")
    parser.add_argument("--user", action="store_true", help="if root: as an ordinary user")
    parser.add_argument(
        "--wheel", type=Path, help="of pytest-nsisolate (default: build the checkout)"
    )
    parser.add_argument("--python", default="/usr/bin/python3", help="for the virtual environments")
    parser.add_argument("--keep", type=Path, help="work in this directory, and keep it")
    return parser.parse_args()


def _known_projects() -> list[Project]:
    tables = tomllib.loads((HERE / "projects.toml").read_text())
    return [Project(name, **table) for name, table in tables.items()]


def _again_as(given: argparse.Namespace) -> int:
    """Run this script again as an ordinary user, from copies that the user can read."""
    with tempfile.TemporaryDirectory(prefix="nsisolate-suites-", dir="/var/tmp") as directory:
        base = Path(directory)
        wheel = base / (given.wheel or build_wheel(base)).name
        if given.wheel:
            shutil.copy(given.wheel, wheel)
        shutil.copytree(HERE, base / "suites", ignore=shutil.ignore_patterns("__pycache__"))
        (base / "home").mkdir()
        for path in [base, *base.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.chown(base / "home", ORDINARY_UID, ORDINARY_UID)
        command = [given.python, str(base / "suites/compare.py"), "--wheel", str(wheel)]
        command += ["--python", given.python, *(["--keep", str(given.keep)] if given.keep else [])]
        identity = [f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups"]
        environment = os.environ | {"HOME": str(base / "home")}
        return subprocess.run(
            ["setpriv", *identity, *command, *given.projects], check=False, cwd="/", env=environment
        ).returncode


def build_wheel(directory: Path) -> Path:
    """Build our own wheel from the checkout."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        _step([sys.executable, "-m", "venv", str(directory / "builder")])
        pip = [str(directory / "builder/bin/python"), "-m", "pip"]
    _step([*pip, "wheel", "-q", "--no-deps", "--wheel-dir", str(directory), str(CHECKOUT)])
    return next(directory.glob("pytest_nsisolate-*.whl"))


def _is_same(project: Project, work: Path, wheel: Path, python: str) -> bool:
    print(f"== {project.name} {project.version}, as uid {os.geteuid()}", flush=True)
    venv, source = prepare(project, work, wheel, python)
    plain = run(project, venv, source, work, ["-p", "no:nsisolate"])
    print(f"plain    {plain}", flush=True)
    isolated = run(project, venv, source, work, ["--nsisolate-all"])
    print(f"isolated {isolated}", flush=True)
    found = differences(plain, isolated)
    if found:
        # Some tests make up their data at random, and name subtests after it. What they draw depends on
        # which tests have drawn before them, so that it cannot be the same in a sandbox of their own.
        again = run(project, venv, source, work, ["-p", "no:nsisolate"], reseed=True)
        varying = {t for t in plain.reports if plain.reports[t] != again.reports.get(t)}
        print(f"{len(varying)} tests vary with random's seed: of these only outcomes are compared")
        found = differences(plain.without_details(varying), isolated.without_details(varying))
    for line in found:
        print(f"  {line}")
    if found:
        print(_tail(isolated.output))
    print(f"{len(plain.reports)} tests, {len(found)} differences", flush=True)
    return not found


def prepare(project: Project, work: Path, wheel: Path, python: str) -> tuple[Path, Path]:
    """Download and unpack the project, and install it with all that its suite needs."""
    venv, sdist = work / "venv", work / "sdist"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _step([python, "-m", "venv", str(venv)])
    pip = [str(venv / "bin/python"), "-m", "pip"]
    requirement = f"{project.name}=={project.version}"
    no_binary = ["--no-deps", "--no-binary", project.name]
    _step([*pip, "download", "-q", *no_binary, "--dest", str(sdist), requirement])
    archive = next(sdist.iterdir())
    (work / "source").mkdir()
    _step(["tar", "-xf", str(archive), "--no-same-owner", "-C", str(work / "source")])
    source = next((work / "source").iterdir())
    _step([*pip, "install", "-q", str(source), str(wheel), "pytest", *project.requires])
    return venv, source


def run(
    project: Project, venv: Path, source: Path, work: Path, more: list[str], *, reseed: bool = False
) -> Run:
    """Run the suite once, in an unmodified copy of its source; *reseed* random before each test."""
    tree = work / "tree" / source.name
    shutil.rmtree(tree.parent, ignore_errors=True)
    shutil.copytree(source, tree, symlinks=True)
    record = work / "record.json"
    record.unlink(missing_ok=True)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHON"))},
        "PATH": f"{venv}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(HERE),
        "PYTHONHASHSEED": "0",
        "NSISOLATE_SUITES_RECORD": str(record),
        **({"NSISOLATE_SUITES_RESEED": "1"} if reseed else {}),
    }
    command = [str(venv / "bin/python"), "-m", "pytest", "-p", "recorder", "-q"]
    command += ["-p", "no:cacheprovider", *project.arguments, *more]
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            output += f"\nkilled after {TIMEOUT} s"
    seconds = time.monotonic() - began
    if not record.exists():
        raise ComparisonError(
            f"{' '.join(command)}: exit code {process.returncode}, nothing recorded:\n{output}"
        )
    return Run(seconds, process.returncode, _reports(record), output)


def _reports(record: Path) -> Reports:
    reports: Reports = defaultdict(list)
    for entry in json.loads(record.read_text()):
        subtest = "" if entry["subtest"] is None else f" of subtest {entry['subtest']}"
        kind = "" if entry["subtest"] is None else "subtest "
        # As said by Run.__str__: what comes before the bar is counted.
        line = f"{kind}{entry['when']} {entry['outcome']} | {entry['detail']}{subtest}"
        reports[_VOLATILE.sub("*", entry["test"])].append(_VOLATILE.sub("*", line))
    return reports


def differences(plain: Run, isolated: Run) -> list[str]:
    """Return a line for each thing that is not the same."""
    found = []
    if plain.exit_code != isolated.exit_code:
        found.append(f"exit code: {plain.exit_code} plain, {isolated.exit_code} isolated")
    for test in {**plain.reports, **isolated.reports}:
        ours, theirs = plain.reports.get(test, []), isolated.reports.get(test, [])
        if ours != theirs:
            position = next(
                (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b),
                min(len(ours), len(theirs)),
            )
            a, b = (_at(lines, position) for lines in (ours, theirs))
            found.append(f"{test}: report {position + 1}: {a} plain, {b} isolated")
    if not found and list(plain.reports) != list(isolated.reports):
        found.append("the tests ran in another order")
    return found


def _at(lines: list[str], position: int) -> str:
    return repr(lines[position]) if position < len(lines) else "nothing"


def _tail(output: str) -> str:
    lines = [line for line in output.splitlines() if not _PROGRESS.match(line)][-40:]
    return "\n".join(["  the isolated run's output ends:", *(f"  : {line}" for line in lines)])


def _step(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ComparisonError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ComparisonError as error:
        sys.exit(f"compare.py: {error}")
