"""What is printed through pytest's terminal reporter inside: the host prints it, where it would have been.

The reporter in here knows of every test, as that of a plain run does, but its own progress is the host's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest


class Terminal:
    """The file that the terminal reporter writes to, and the plugin that knows when it means progress."""

    encoding = "utf-8"

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._quiet = False

    def write(self, text: str) -> int:
        """Show *text*."""
        if not self._quiet:
            self._show(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is kept."""

    def isatty(self) -> bool:
        """Return False: whether there are colours is the host's to say."""
        return False

    def _progress(self) -> Generator[None, object, object]:
        self._quiet = True
        try:
            return (yield)
        finally:
            self._quiet = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logstart(self) -> Generator[None, object, object]:
        """Print nothing of a test's beginning."""
        return (yield from self._progress())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self) -> Generator[None, object, object]:
        """Print nothing of its outcome."""
        return (yield from self._progress())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logfinish(self) -> Generator[None, object, object]:
        """Print nothing of its end."""
        return (yield from self._progress())
