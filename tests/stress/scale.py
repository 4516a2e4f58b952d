"""How much is done: little in the ordinary suite, all of it by ``NSISOLATE_STRESS=1``."""

from __future__ import annotations

import os

#: Tells whether this is the long run.
LONG = os.environ.get("NSISOLATE_STRESS") == "1"


def many(quick: int, long: int) -> int:
    """Return how often something is to be done."""
    return long if LONG else quick
