"""What the three suites have in common."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .debian import Release
from .session import Sessions
from .table import FAIL, Result

#: The subordinate ids of the ordinary user, as runc's own script for rootless runs gives them.
UID_START, GID_START, ID_COUNT = 100_000, 200_000, 65_536

#: What a line says that tells why a test failed.
_TELLING = re.compile(
    r"error|fail|denied|not defined|unknown|invalid|unrecognized|cannot|unable", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Where a suite is: the *source* as fetched, what was made of it in *build*, how that went in *log*."""

    directory: Path

    @property
    def source(self) -> Path:
        """The suite's own tree."""
        return self.directory / "source"

    @property
    def build(self) -> Path:
        """What is built outside of the tree."""
        return self.directory / "build"

    @property
    def log(self) -> Path:
        """What the programs of the build printed."""
        return self.directory / "build.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a suite: the *runtime* under test, who calls it, and where things are.

    *timeout* is in seconds a test, None for the suite's own. *scratch* belongs to *user*; *logs* has a file
    for each test. *lock* is shared by all runs on the machine.
    """

    built: Built
    runtime: Path
    user: int
    id_maps: bool
    delegation: bool
    timeout: float | None
    logs: Path
    scratch: Path
    lock: Path
    sessions: Sessions


class Suite(ABC):
    """A suite of tests, which are known by their names."""

    name: ClassVar[str]
    source_package: ClassVar[str]
    #: Debian's packages to build it, and to run it.
    packages: ClassVar[tuple[str, ...]]
    #: How it is shown cgroups, on a machine that has both versions.
    view: ClassVar[str]
    seconds_a_test: ClassVar[float]

    def __init__(self, run: Run) -> None:
        self._run = run
        self.timeout = run.timeout or self.seconds_a_test

    @classmethod
    @abstractmethod
    def build(cls, built: Built, release: Release) -> None:
        """Build what the tests need."""

    @abstractmethod
    def tests(self) -> list[str]:
        """Return the names of the tests, in order."""

    @abstractmethod
    def run(self, test: str) -> Result:
        """Run one test."""

    def log_of(self, test: str) -> Path:
        """Return the file for the output of *test*."""
        return self._run.logs / (re.sub(r"[^A-Za-z0-9_.-]+", "_", test)[:120] + ".log")

    def out_of_time(self, test: str, seconds: float, why: str) -> Result:
        """Return the result of a test that was ended by its time limit."""
        note = f"out of time after {self.timeout:g} s: {why}"
        return Result(test=test, result=FAIL, seconds=seconds, note=note)


def telling(text: str, drop: str) -> str:
    """Return the lines of *text* that best say why a test failed; lines that match *drop* never do."""
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not re.search(drop, line)
    ]
    return " | ".join(([line for line in lines if _TELLING.search(line)] or lines)[-4:])
