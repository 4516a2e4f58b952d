"""The debugger in a test: ``--pdb``, ``--trace`` and ``breakpoint()``, with the user's terminal."""

from __future__ import annotations

import pdb  # noqa: T100 - it is what this is about
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from ..pytest_private_output import printing_to


class Debugging:
    """A plugin that tells the host when a debugger takes over, and when it is done.

    *letting_through* lets what is printed reach the user. *tell* tells; it returns False where no item is
    running. Then there is nobody to debug for: what is collected here, the host has collected, and has
    debugged, before.
    """

    def __init__(
        self,
        config: pytest.Config,
        letting_through: Callable[[], AbstractContextManager[None]],
        tell: Callable[[str], bool],
    ) -> None:
        self._config = config
        self._letting_through = letting_through
        self._tell = tell
        self._set_trace = pdb.set_trace
        self._invoke: Any = config.pluginmanager.get_plugin("pdbinvoke")
        if self._invoke is not None:
            config.pluginmanager.unregister(self._invoke)
        pdb.set_trace = _go_on

    @contextmanager
    def running(self) -> Generator[None]:
        """While an item runs, let ``breakpoint()`` break."""
        pdb.set_trace = self._set_trace
        try:
            yield
        finally:
            pdb.set_trace = _go_on

    def pytest_exception_interact(
        self,
        node: pytest.Item | pytest.Collector,
        call: pytest.CallInfo[Any],
        report: pytest.CollectReport | pytest.TestReport,
    ) -> None:
        """Debug a failure, with ``--pdb``, when the host has printed that there is one."""
        if self._invoke is None or not self._tell("post_mortem"):
            return
        with self._letting_through(), printing_to(self._config, _Stdout()):
            self._invoke.pytest_exception_interact(node=node, call=call, report=report)
        self._tell("left")

    def pytest_enter_pdb(self) -> None:
        """Tell that a debugger has the terminal."""
        self._tell("entered")

    def pytest_leave_pdb(self) -> None:
        """Tell that it has it no more."""
        self._tell("left")


def _go_on(*_args: object, **_kwargs: object) -> None:
    """Stand in for ``pdb.set_trace`` where nobody can be asked."""


class _Stdout:
    """Writes to whatever ``sys.stdout`` is at the time."""

    encoding = "utf-8"

    @staticmethod
    def write(text: str) -> int:
        return sys.stdout.write(text)

    @staticmethod
    def flush() -> None:
        sys.stdout.flush()
