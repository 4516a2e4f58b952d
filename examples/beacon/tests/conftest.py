"""A guard: these tests change the system that they run on, so they never run without isolation."""

import os

import pytest

OUTSIDE = "BEACON_TESTS_OUTSIDE"


def pytest_configure() -> None:
    """Note, on the host, what the host's mount namespace is."""
    os.environ.setdefault(OUTSIDE, os.readlink("/proc/self/ns/mnt"))


@pytest.fixture(autouse=True)
def guard(request: pytest.FixtureRequest) -> None:
    """Skip a test that should be isolated and is not, as with --nsisolate=off."""
    mark = request.node.get_closest_marker("isolated")
    wants_isolation = mark is not None and mark.args != (False,)
    if wants_isolation and os.readlink("/proc/self/ns/mnt") == os.environ[OUTSIDE]:
        pytest.skip("would change this machine")
