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
        self._lets_through = False

    @contextmanager
    def letting_through(self) -> Iterator[None]:
        """Let what is printed reach the user, if it does not already."""
        before = self._lets_through
        self._let_through(True)
        try:
            yield
        finally:
            self._let_through(before)

    def _let_through(self, through: bool) -> None:
        if through == self._lets_through:
            return
        self._lets_through = through
        if through:
            self._streams.put_back()
            self._terminal.be_loud()
        else:
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
        before = self._lets_through
        self._let_through(False)
        try:
            return (yield)
        finally:
            self._let_through(before)
