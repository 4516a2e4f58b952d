"""A plain and an isolated run of the same project, which differ in nothing that a user sees."""

from __future__ import annotations

import os
import re
import sys

import pytest

from .project import Project

#: What differs between any two runs: addresses, durations and the rulers beside them, directories.
_ANY = re.compile(
    r"0x[0-9a-f]+|\d+\.\d+ ?s(?:econds)?\b|pytest-of-[^/]*/pytest-\d+|\d+:\d\d:\d\d|={2,}|-{2,}|_{3,}"
)
#: The header and the command itself.
_OWN = re.compile(r"nsisolate: |plugins: |cachedir: |Using --randomly-seed")


def run_with(project: Project, plugins: list[str], *args: str) -> pytest.RunResult:
    """Run pytest with these plugins only, whatever else is installed."""
    named = [arg for name in ("nsisolate", *plugins) for arg in ("-p", name)]
    command = [sys.executable, "-m", "pytest", *named, *args]
    return project.run_program("env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", *command)


def shown(result: pytest.RunResult) -> list[str]:
    """Return the lines that were printed, without what differs between any two runs."""
    lines = [line for line in result.outlines + result.errlines if not _OWN.match(line)]
    return [_ANY.sub("~", line).rstrip() for line in lines]


def run_both(
    project: Project, *args: str, plugins: tuple[str, ...] = (), in_order: bool = True
) -> tuple[pytest.RunResult, pytest.RunResult]:
    """Run the project plainly and isolated; both must print the same and end with the same code.

    The lines may come in another order unless *in_order*. The files in the project are left as the isolated
    run leaves them; caches are removed before each run.
    """
    results = []
    for options in (["--nsisolate=off"], ["--nsisolate-all"]):
        project.run_program("rm", "-rf", os.fspath(project.path / ".pytest_cache"))
        results.append(run_with(project, list(plugins), *args, *options))
    plain, isolated = results
    if in_order:
        assert shown(isolated) == shown(plain)
    else:
        assert sorted(shown(isolated)) == sorted(shown(plain))
    assert isolated.ret == plain.ret
    return plain, isolated
