"""Tearing down fixtures of wider scopes, in the template, as part of a test's teardown phase.

In a plain run this happens inside the teardown phase of the test that ran last, where output, log records,
warnings and errors are that test's. So it does here, with those plugins of pytest's around it that see to
this; what other plugins do in a teardown phase they have done in the test's own sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..pytest_private import apply_xfail, forget_sections, identity, setup_state, start_log_records
from ..tracebacks import take_out_own_frames
from ..wire.exceptions import to_data
from .stopping import describe_stop

#: pytest's own plugins whose hooks are run: what they do is nothing but catching.
_CATCHING = (
    "assertion",
    "capturemanager",
    "logging-plugin",
    "runner",
    "threadexception",
    "unraisableexception",
    "warnings",
)


class Chain:
    """Stands in for the next item where only its chain of nodes is asked for."""

    def __init__(self, nodes: list[Any]) -> None:
        self._nodes = nodes

    def listchain(self) -> list[Any]:
        """Return the nodes."""
        return self._nodes


def is_torn_down(session: pytest.Session, chain: list[list[str]]) -> bool:
    """Tell whether an item with the *chain* of (class, node id, path) needs all that is set up."""
    state = setup_state(session)
    return len(_kept(state, chain)) == len(state.stack)


def _kept(state: Any, chain: list[list[str]]) -> list[Any]:
    kept: list[Any] = []
    for node, wanted in zip(state.stack, chain, strict=False):
        if [type(node).__name__, *identity(node)] != list(wanted):
            break
        kept.append(node)
    return kept


def tear_down_to(
    session: pytest.Session,
    chain: list[list[str]],
    last: pytest.Item | None,
    begin: Callable[[], None],
) -> dict[str, Any]:
    """Tear down what an item with the *chain* of (class, node id, path) does not need, after calling *begin*.

    Return, where there was anything to tear down, the report of the teardown phase of *last*, the item that
    ran last, and if the session is to stop because of it, that.
    """
    state = setup_state(session)
    kept = _kept(state, chain)
    if last is None or len(kept) == len(state.stack):
        return {"report": None}
    teardown = _Teardown(last, Chain(kept) if kept else None, begin)
    try:
        report = teardown.run()
    except (pytest.exit.Exception, KeyboardInterrupt) as error:
        return {"report": None, "stop": describe_stop(error)}
    hook = session.config.hook
    return {
        "report": hook.pytest_report_to_serializable(config=session.config, report=report),
        "exception": None if teardown.error is None else to_data(teardown.error),
    }


class _Teardown:
    """The teardown phase of an item whose own part has been torn down; *following* says what is kept.

    A plugin for as long as it runs: the innermost part of the item's protocol.
    """

    def __init__(
        self, item: pytest.Item, following: Chain | None, begin: Callable[[], None]
    ) -> None:
        self._item = item
        self._begin = begin
        self._following = following
        self._report: pytest.TestReport | None = None
        self.error: BaseException | None = None
        self._manager = item.config.pluginmanager

    def run(self) -> pytest.TestReport:
        forget_sections(self._item)
        start_log_records(self._item)
        name = self._manager.register(self)
        assert name is not None
        try:
            self._hook("pytest_runtest_protocol")(item=self._item, nextitem=None)
        finally:
            self._manager.unregister(self)
        assert self._report is not None
        return self._report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        """Run the phase."""
        hook = self._hook("pytest_runtest_teardown")
        call = pytest.CallInfo.from_call(
            lambda: hook(item=item, nextitem=self._following),
            when="teardown",
            reraise=(pytest.exit.Exception, KeyboardInterrupt),
        )
        take_out_own_frames(call)
        # Not by the hook, whose wrappers have seen the report of the test's own teardown.
        self._report = pytest.TestReport.from_item_and_call(item, call)
        if call.excinfo is not None:
            self.error = call.excinfo.value
            apply_xfail(item, self._report, self.error)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Go on where the test's own teardown ended, when the plugins that catch things have begun anew."""
        self._begin()

    def _hook(self, name: str) -> Any:
        caller = getattr(self._manager.hook, name)
        others = [
            impl.plugin
            for impl in caller.get_hookimpls()
            if impl.plugin is not self and impl.plugin_name not in _CATCHING
        ]
        return self._manager.subset_hook_caller(name, remove_plugins=others)
