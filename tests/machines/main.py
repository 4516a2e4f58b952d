"""The command: builds the machines, boots them, and runs the tests inside."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .image import USER, Image, MachineError, build
from .machine import Machine, in_delegated_scope

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}
_TESTS = (
    "tests",
    "benchmarks",
    "docs",
    "examples",
    "conftest.py",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
)
_NOT_FOR_TESTS = ("mypy", "pre-commit", "ruff")
#: Everything there works; and emulation is slow.
_VARIABLES = {
    "NSISOLATE_TEST_MACHINE": "1",
    "NSISOLATE_MUST_WORK": "1",
    "NSISOLATE_TEST_SLOWNESS": "10",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": "/srv/packages",
}


@dataclass(frozen=True)
class Result:
    """How one run of the tests ended."""

    name: str
    exit_code: int
    last_line: str


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    options = _options(arguments)
    cache = Path(options.cache).resolve()
    results = []
    try:
        for suite in options.machine or PYTHON:
            image = Image(suite, cache / suite)
            build(image)
            results += _test(image, options)
    except MachineError as error:
        print(f"tests/machines: {error}", file=sys.stderr)
        return 2
    for result in results:
        print(f"{result.name}: {result.last_line} (exit code {result.exit_code})")
    return int(any(result.exit_code for result in results))


def _options(arguments: list[str]) -> argparse.Namespace:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    parser = argparse.ArgumentParser(prog="tests/machines/run.py")
    parser.add_argument("--machine", action="append", choices=PYTHON)
    parser.add_argument("--user", action="append", choices=("root", USER))
    parser.add_argument("--cache", default=f"{base}/nsisolate-machines")
    parser.add_argument("--memory", type=int, default=3072, metavar="MIB")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--kvm", action="store_true", help="do not emulate the processor")
    parser.add_argument("pytest", nargs="*", metavar="PYTEST ARGUMENT")
    return parser.parse_args(arguments)


def _test(image: Image, options: argparse.Namespace) -> list[Result]:
    with (
        tempfile.TemporaryDirectory(prefix="packages-") as packages,
        Machine(image, memory=options.memory, cpus=options.cpus, kvm=options.kvm) as machine,
    ):
        _install(Path(packages), PYTHON[image.suite])
        machine.copy(Path(packages), "/srv/packages")
        machine.copy(CHECKOUT, "/srv/checkout", *_TESTS)
        return [
            _run(machine, image.suite, user, options) for user in options.user or ("root", USER)
        ]


def _install(target: Path, python: str) -> None:
    """Put the package, and what the tests need, into *target*, for that version of Python."""
    config = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    needed = [*config["dependencies"], *config["optional-dependencies"]["dev"]]
    needed = [name for name in needed if not name.startswith(_NOT_FOR_TESTS)]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(target)]
    versions = ["--python-version", python, "--only-binary", ":all:"]
    for command in (
        [*pip, "--no-deps", "--no-compile", str(CHECKOUT)],
        [*pip, "--no-compile", *versions, *needed],
    ):
        if subprocess.run(command, check=False).returncode:
            raise MachineError(f"cannot install the packages: {shlex.join(command)}")


def _run(machine: Machine, suite: str, user: str, options: argparse.Namespace) -> Result:
    """Run the tests as *user*, and show what they print."""
    arguments = options.pytest or ["tests/unit", "tests/oci"]
    variables = " ".join(f"{name}={value}" for name, value in _VARIABLES.items())
    tests = f"env {variables} python3 -m pytest -p no:cacheprovider {shlex.join(arguments)}"
    script = f"cp -r /srv/checkout ~/checkout && cd ~/checkout && {tests}"
    name = f"{suite}, as {user}"
    print(f"=== {name}", flush=True)
    lines = [""]

    def show(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    code = machine.run(user, in_delegated_scope(user, script), show)
    return Result(name, code, lines[-1].strip("= "))
