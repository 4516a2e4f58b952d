"""Starting the launcher of a factory."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

import pytest

from pytest_nsisolate.host.launching import Launcher
from pytest_nsisolate.runtime.errors import SetupError


def test_one_that_does_not_start_leaves_nothing_open(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the step; descriptors for it, and for us, are closed."""

    def refuse(*_args: object, **_options: object) -> NoReturn:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "posix_spawn", refuse)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SetupError, match=r"launcher: in refuse\(\): EAGAIN") as caught:
        Launcher(pytestconfig)
    # Not by the garbage collector, which has yet to see it.
    assert os.listdir("/proc/self/fd") == before
    assert caught.value
