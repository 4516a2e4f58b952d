"""What an error says of the call that failed."""

from __future__ import annotations

import os

import pytest

from pytest_nsisolate.runtime.errors import KernelCallError, call_of


def refused() -> OSError:
    """Return an error of a call that names no file."""
    with pytest.raises(OSError, match="Bad file") as caught:
        os.close(-1)
    return caught.value


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (KernelCallError(1, "mount /proc"), "mount /proc"),
        (FileNotFoundError(2, "No such file or directory", "/a"), "'/a'"),
        (OSError(18, "Invalid cross-device link", "/a", None, "/b"), "'/a' -> '/b'"),
        (OSError("The directory /a is somebody else's."), "The directory /a is somebody else's."),
        (refused(), "in refused()"),
        (ValueError("no"), "ValueError: no"),
    ],
    ids=["call", "file", "two-files", "sentence", "where", "other"],
)
def test_call_of(error: Exception, call: str) -> None:
    """It is the call, the files, somebody's own sentence, or where it was made."""
    assert call_of(error) == call
