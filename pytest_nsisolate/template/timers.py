"""pytest-timeout: its timer has to run in the process that the test runs in."""

from __future__ import annotations

from typing import Any

import pytest


class Timers:
    """A plugin that remembers the timer of the item that runs, because a fork does not have it."""

    def __init__(self) -> None:
        self._settings: Any = None

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, settings: Any) -> None:
        """Remember the timer that is going to be set."""
        self._settings = settings

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_cancel_timer(self) -> None:
        """Forget it."""
        self._settings = None

    def carry_over(self, item: pytest.Item) -> None:
        """In a clone: set the timer again if it was a thread; a signal's time goes on (see Cloner)."""
        settings = self._settings
        if settings is not None and settings.method == "thread":
            hook = item.config.hook
            hook.pytest_timeout_cancel_timer(item=item)
            hook.pytest_timeout_set_timer(item=item, settings=settings)
