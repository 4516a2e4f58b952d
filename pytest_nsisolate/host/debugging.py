"""The debugger of an isolated test is in its sandbox, on the terminal that pytest was started from.

That is not the sandbox's controlling terminal: reading works, but Ctrl-C comes to us, and is passed on.
"""

from __future__ import annotations

import os
import termios
from typing import Any

import pytest

from ..pytest_private_output import original_stdin


class HostPdb:
    """Stands in for pytest's ``--pdb``, which post-mortem looks at what happened in this process."""

    def __init__(self, invoke: Any, is_isolated: pytest.StashKey[Any]) -> None:
        self._invoke = invoke
        self._key = is_isolated

    def pytest_exception_interact(
        self,
        node: pytest.Item | pytest.Collector,
        call: pytest.CallInfo[Any],
        report: pytest.CollectReport | pytest.TestReport,
    ) -> None:
        """Debug what failed here; what failed in a sandbox is debugged there."""
        if node.stash.get(self._key, None) is None:
            self._invoke.pytest_exception_interact(node=node, call=call, report=report)

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Debug an error of pytest's."""
        self._invoke.pytest_internalerror(excinfo=excinfo)


def replace_pdb(config: pytest.Config, is_isolated: pytest.StashKey[Any]) -> None:
    """Put :class:`HostPdb` in the place of pytest's own, if ``--pdb`` is on."""
    invoke = config.pluginmanager.get_plugin("pdbinvoke")
    if invoke is not None:
        config.pluginmanager.unregister(invoke)
        config.pluginmanager.register(HostPdb(invoke, is_isolated), "pdbinvoke")


class TerminalMode:
    """How the terminal was before a debugger had it: one that is killed leaves it without echo."""

    def __init__(self, config: pytest.Config) -> None:
        self._fd = original_stdin(config)
        self._mode = termios.tcgetattr(self._fd) if os.isatty(self._fd) else None

    @property
    def is_there(self) -> bool:
        """Tell whether there is a terminal, and so may be somebody who debugs."""
        return self._mode is not None

    def restore(self) -> None:
        """Make it that again."""
        if self._mode is not None:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._mode)
