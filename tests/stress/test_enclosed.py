"""The scenarios in little; NSISOLATE_STRESS=1 has them in full, for an hour or more."""

from __future__ import annotations

import os

import pytest

from tests.capabilities import can_unshare, need

from . import enclosure
from .scale import LONG, many

#: How often: in the ordinary suite, and in the long run.
COUNTS = {
    "tests": (60, 10_000),
    "containers": (6, 1000),
    "kill-pytest": (2, 300),
    "kill-inside": (3, 300),
    "kill-verbs": (3, 300),
    "disk-full": (5, 30),
    "descriptors": (6, 40),
    "processes": (5, 30),
    "memory": (3, 20),
    "workers": (8, 200),
    "parallel-containers": (10, 50),
}


@pytest.mark.parametrize("name", COUNTS)
def test_scenario(name: str) -> None:
    """Afterwards nothing is left within a second, and what was said was right each time."""
    user = () if os.geteuid() == 0 else ("--user", "--map-current-user", "--keep-caps")
    need(can_unshare(*user, "--mount", "--pid", "--fork", "--mount-proc"), "unshare(1)")
    print(enclosure.run(name, str(many(*COUNTS[name])), timeout=20_000 if LONG else 300))
