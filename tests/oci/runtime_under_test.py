"""The runtime under test: ours, or the command in ``NSISOLATE_TEST_RUNTIME``."""

from __future__ import annotations

import os
import shlex
import sys

import pytest


def runtime_command() -> list[str]:
    """Return the command."""
    replaced = os.environ.get("NSISOLATE_TEST_RUNTIME")
    return shlex.split(replaced) if replaced else [sys.executable, "-m", "pytest_nsisolate"]


def is_ours() -> bool:
    """Tell whether it is ours that is tested."""
    return "NSISOLATE_TEST_RUNTIME" not in os.environ


def is_crun() -> bool:
    """Tell whether it is crun."""
    return "crun" in runtime_command()[0]


def is_runc() -> bool:
    """Tell whether it is runc."""
    return "runc" in runtime_command()[0]


def ours_only(reason: str) -> pytest.MarkDecorator:
    """Mark a test that is about something of ours alone."""
    return pytest.mark.skipif(not is_ours(), reason=f"ours only: {reason}")


def known_of_crun(what: str, *, when: bool = True) -> None:
    """End the test as an expected failure if it is crun that is tested, and say what differs there.

    With NSISOLATE_TEST_KNOWN set it goes on, to see whether that still holds.
    """
    if is_crun() and when and "NSISOLATE_TEST_KNOWN" not in os.environ:
        pytest.xfail(f"crun 1.8.1 {what}")
