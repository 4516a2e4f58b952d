"""The pytest plugin: what it declares, and what a session asks for.

What runs isolated items is in :mod:`.host.isolation`; a session that has none does not load it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from .options import (
    MARKS,
    MODES,
    REQUEST,
    Options,
    add_options,
    costs_are_wanted,
    register_marks,
    wants_everything,
)

if TYPE_CHECKING:
    from .host.launching import Launcher

_IS_LINUX = sys.platform.startswith("linux")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks, and register what finds out what is isolated unless it is turned off."""
    register_marks(config)
    mode = config.getoption("nsisolate")
    assert mode in MODES
    if mode != "off":
        if costs_are_wanted(config):
            from .costs import Costs

            config.pluginmanager.register(Costs(config), "nsisolate-costs")
        config.pluginmanager.register(Requests(config, mode), "nsisolate-requests")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what isolation is in force."""
    requests: Requests | None = config.pluginmanager.getplugin("nsisolate-requests")
    return "nsisolate: off" if requests is None else requests.header()


class Requests:
    """Works out what each item asks for, and has isolated ones run in sandboxes, if there are any."""

    def __init__(self, config: pytest.Config, mode: str) -> None:
        self._config = config
        self._mode = mode
        self._launcher: Launcher | None = None
        self._unavailable = "" if _IS_LINUX else f"there are no Linux namespaces on {sys.platform}"

    def header(self) -> str:
        """Return the line of pytest's header."""
        which = "all tests" if wants_everything(self._config) else "marked tests"
        return (
            f"nsisolate: {self._mode}, {which}, in user, pid, mount, uts, ipc and cgroup namespaces"
        )

    def pytest_sessionstart(self) -> None:
        """Leave the debugging of isolated tests to their sandboxes."""
        if self._config.getoption("usepdb", False):
            from .host.debugging import replace_pdb

            replace_pdb(self._config, REQUEST)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Start the launcher of the first sandbox, if there will be one, while tests are collected."""
        option = self._config.option
        are_run_here = not option.collectonly and getattr(option, "dist", "no") == "no"
        if are_run_here and wants_everything(self._config):
            self._start_launcher()

    def _start_launcher(self) -> None:
        if self._launcher or self._unavailable:
            return
        from .host.launching import Launcher
        from .runtime.errors import NsisolateError

        try:
            self._launcher = Launcher(self._config)
        except NsisolateError as error:
            self._unavailable = str(error)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Work out what each item asks for, when everybody has had their say about marks."""
        self._warn_of_pytest_isolated()
        options = Options(self._config)
        for item in items:
            item.stash[REQUEST] = options.request_of(item)
        if any(item.stash[REQUEST] is not None for item in items):
            self._have_run(dict(options.env))

    def _have_run(self, env: dict[str, str]) -> None:
        """Have isolated items run in sandboxes, with *env* in their environment."""
        manager = self._config.pluginmanager
        if self._config.option.collectonly or manager.hasplugin("nsisolate-isolation"):
            return
        self._start_launcher()  # it starts while we import
        from .host.isolation import Isolation, register

        launcher, self._launcher = self._launcher, None
        register(self._config, Isolation(self._config, env, launcher, self._unavailable))

    def _warn_of_pytest_isolated(self) -> None:
        if self._config.pluginmanager.hasplugin("pytest_isolated"):
            self._config.issue_config_time_warning(
                pytest.PytestConfigWarning(
                    f"pytest-isolated is installed too and has the mark {MARKS[0]!r} as well; uninstall "
                    f"it, or mark tests {MARKS[1]!r} and run with -p no:pytest_isolated"
                ),
                stacklevel=2,
            )

    def pytest_unconfigure(self) -> None:
        """End a launcher that nobody needed."""
        if self._launcher is not None:
            self._launcher.discard()
