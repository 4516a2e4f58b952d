"""A user's project with tests, and pytest runs of it, as a user would start them."""

from __future__ import annotations

import os
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path

import pytest

#: Keeps out the plugins in the environment of these tests: some shuffle what is to be compared, some print
#: what is not asked for, and some have hooks on account of which nothing is made ahead.
PLAIN = tuple(
    word
    for name in sorted({point.name for point in entry_points(group="pytest11")})
    if name not in ("nsisolate", "hypothesispytest")
    for word in ("-p", f"no:{name}")
)


class Project:
    """A directory with tests in it, and the *home* of the user who runs them."""

    def __init__(self, pytester: pytest.Pytester, home: Path) -> None:
        self._pytester = pytester
        self.home = home
        self.path = pytester.path

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def command(self, *args: str | os.PathLike[str]) -> list[str]:
        """Return the command line of a pytest run."""
        return [sys.executable, "-m", "pytest", *PLAIN, *(os.fspath(arg) for arg in args)]

    def run(self, *args: str | os.PathLike[str], timeout: float = 90) -> pytest.RunResult:
        """Run pytest and wait for its end."""
        return self._pytester.run(*self.command(*args), timeout=timeout)

    def run_program(self, *command: str) -> pytest.RunResult:
        """Run a program that runs pytest."""
        return self._pytester.run(*command, timeout=90)

    def run_in(self, *program: str, args: tuple[str, ...]) -> pytest.RunResult:
        """Run pytest by a program that takes a command line."""
        return self._pytester.run(*program, *self.command(*args), timeout=90)

    def test(self, text: str, *args: str) -> pytest.RunResult:
        """Run a file of tests with every test isolated."""
        self.write("test_it.py", text)
        return self.run("--nsisolate-all", *args)

    def test_marked(self, text: str, *args: str) -> pytest.RunResult:
        """Run a file of tests of which those with the mark are isolated."""
        self.write("test_it.py", text)
        return self.run(*args)
