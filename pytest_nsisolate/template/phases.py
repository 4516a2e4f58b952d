"""What a phase of a test prints reaches the user; what is printed between phases does not.

Between them run hooks (of conftests, say) that run on the host as well, and print there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ..pytest_private_output import Terminal
from .capture import Streams
from .reporting import Reporter


class Phases:
    """A plugin around everything else in a phase: output is let through, and reports within are not."""

    def __init__(self, streams: Streams, terminal: Terminal, reporter: Reporter) -> None:
        self._streams = streams
        self._terminal = terminal
        self._reporter = reporter

    @contextmanager
    def letting_through(self) -> Iterator[None]:
        """Let what is printed reach the user."""
        self._streams.put_back()
        self._terminal.be_loud()
        try:
            yield
        finally:
            self._terminal.be_quiet()
            self._streams.put_away()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """Let set-up through."""
        with self.letting_through():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Let the call through, when the host has printed what came before."""
        self._reporter.await_host()
        with self.letting_through():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Let teardown through, when the host has printed what came before."""
        self._reporter.await_host()
        with self.letting_through():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self) -> Any:
        """Keep what is printed about a report, which may come in mid-phase, from being printed twice."""
        if not self._terminal.is_loud:
            return (yield)
        self._terminal.be_quiet()
        self._streams.put_away()
        try:
            return (yield)
        finally:
            self._streams.put_back()
            self._terminal.be_loud()
