"""What all tests have in common: afterwards nothing may be left."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from . import leftovers

# No database in the current directory, which may not even be ours to write to.
settings.register_profile("nsisolate", database=None, deadline=None)
settings.load_profile("nsisolate")

_LEFTOVERS = pytest.StashKey[leftovers.Leftovers]()


def pytest_configure(config: pytest.Config) -> None:
    """Note what is there, unless a pytest above us (of xdist, say) has."""
    if leftovers.VARIABLE not in os.environ:
        config.stash[_LEFTOVERS] = leftovers.Leftovers()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the environment as it was."""
    if noted := config.stash.get(_LEFTOVERS, None):
        noted.close()


# Inside of what prints the summary, so that it counts what is found here; outside of what still tidies up.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Report what was left as an error of the session."""
    yield
    noted = session.config.stash.get(_LEFTOVERS, None)
    found = noted.find() if noted else []
    if found:
        report = pytest.TestReport(
            nodeid="tests/leftovers.py",
            location=("tests/leftovers.py", None, "nothing is left of the session"),
            keywords={},
            outcome="failed",
            longrepr="the tests left behind:\n" + "\n".join(found),
            when="teardown",
        )
        session.config.hook.pytest_runtest_logreport(report=report)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
