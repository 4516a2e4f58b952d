"""What ends the command before a suite has run."""

from __future__ import annotations


class SetupError(Exception):
    """A step before the tests failed; the message is one sentence for the user."""
