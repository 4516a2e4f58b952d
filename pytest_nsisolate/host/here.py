"""What is done here in a phase of an isolated item: fixtures of the host's are set up, and torn down.

In a plain run this happens inside of that phase, where output, log records and errors are the test's. So it
does here, with those plugins of pytest's around it that see to this; others have their say in the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..pytest_private import (
    apply_xfail,
    note_expected_failure,
    report_sections,
    setup_state,
    start_log_records,
    take_report_sections,
)
from ..tracebacks import take_out_own_frames
from .torn_down import TornDown

#: pytest's own plugins whose hooks are run: what they do is nothing but catching.
_CATCHING = ("capturemanager", "logging-plugin", "threadexception", "unraisableexception")

#: The sections that pytest itself adds, in this order, before all others.
_SECTIONS = tuple(f"Captured {name} setup" for name in ("stdout", "stderr", "log"))


def set_up_here(item: pytest.Item, work: Callable[[], None]) -> list[tuple[str, str]]:
    """Do *work* as the innermost part of the item's set-up; return the sections of output that it made.

    If it fails, the report is made here: the output is left to that, and the item's xfail mark counts.
    """
    before = len(report_sections(item))
    try:
        _with_catching(item.config, "pytest_runtest_setup", _Part(work), item=item)
    except BaseException:
        note_expected_failure(item)
        raise
    return take_report_sections(item, before)


def tear_down_here(item: pytest.Item, nextitem: pytest.Item | None) -> TornDown:
    """Tear down what is set up here and *nextitem* does not need, as part of the item's teardown phase."""
    state = setup_state(item.session)
    before = len(report_sections(item))
    start_log_records(item)
    part = _Part(lambda: state.teardown_exact(nextitem))
    call = pytest.CallInfo.from_call(
        lambda: _with_catching(
            item.config, "pytest_runtest_teardown", part, item=item, nextitem=nextitem
        ),
        when="teardown",
        reraise=(pytest.exit.Exception, KeyboardInterrupt),
    )
    take_out_own_frames(call)
    report = pytest.TestReport.from_item_and_call(item, call)
    report.sections = take_report_sections(item, before)
    if call.excinfo is None:
        return TornDown(report)
    apply_xfail(item, report, call.excinfo.value)
    return TornDown(report, call.excinfo.value)


class _Part:
    """A plugin for as long as it is at work."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Do the work."""
        self._work()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Do the work."""
        self._work()


def _with_catching(config: pytest.Config, name: str, part: _Part, **arguments: Any) -> None:
    manager = config.pluginmanager
    registered = manager.register(part)
    assert registered is not None
    try:
        others = [
            impl.plugin
            for impl in getattr(manager.hook, name).get_hookimpls()
            if impl.plugin is not part and impl.plugin_name not in _CATCHING
        ]
        manager.subset_hook_caller(name, remove_plugins=others)(**arguments)
    finally:
        manager.unregister(part)


def put_first(report: pytest.TestReport, sections: list[tuple[str, str]]) -> None:
    """Put the output *sections* of a set-up here before what the sandbox's set-up has printed."""
    if not sections:
        return
    before = dict(sections)
    after: dict[str, str] = {}
    for section in list(report.sections):
        name, text = section
        if name in _SECTIONS and name not in after:
            after[name] = text
            report.sections.remove(section)
    merged = []
    for name in _SECTIONS:
        texts = [known[name] for known in (before, after) if name in known]
        if texts:
            merged.append((name, ("\n" if name == _SECTIONS[-1] else "").join(texts)))
    report.sections[:0] = merged
