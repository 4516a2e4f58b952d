"""Directories that outlive tests, and the session, by what they are for."""

from __future__ import annotations

import sys

import pytest

from ..pytest_private import base_temp, is_fixture_used
from ..pytest_private_files import cache_directory


def kept_directories(config: pytest.Config) -> tuple[str, ...]:
    """Return the directories that tests share with the host; they are made if need be.

    Those of ``tmp_path``, which pytest keeps, of ``cache.mkdir``, and of hypothesis's examples; the
    latter two only where they are in use, because what is mounted in the project cannot be removed in there.
    """
    cached = cache_directory(config) if is_fixture_used(config, "cache") else None
    found = (base_temp(config), cached, _example_database())
    return tuple(path for path in found if path is not None)


def _example_database() -> str | None:
    """Return the directory in which hypothesis keeps examples, made if need be; None if it is not in use."""
    configuration = sys.modules.get("hypothesis.configuration")
    if configuration is None:
        return None
    try:
        directory = configuration.storage_directory("examples")
        directory.create_if_missing()
        return str(directory.path.resolve())
    except OSError:
        return None
