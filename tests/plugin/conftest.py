"""What the tests of the plugin start from: a project of a user's own, and a home apart from it."""

from __future__ import annotations

import pytest

from .project import Project


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """Return an empty project, in the current directory."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    return Project(pytester, home)
