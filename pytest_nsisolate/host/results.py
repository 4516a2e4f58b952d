"""What a test sends while it runs: its reports, and what is done again on the host."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from .. import adapters
from ..pytest_private import mark_as_debugged, set_report_sections
from ..pytest_private_output import go_on_in_line, writes_through
from ..runtime.errors import ChannelError
from ..wire import frames
from ..wire.data import MalformedData, load
from ..wire.exceptions import from_data
from ..wire.limits import ALL_RESULTS_LIMIT, MESSAGES_LIMIT, RESULT_LIMIT
from .here import put_first
from .malformed import MALFORMED
from .replay import replay_of
from .reports import rebuild
from .template import Template


class Results:
    """The results of one run of *item*, as they come in through the socket *ours*.

    *sections* are what its set-up here has printed, which its reports begin with. *on_debugger* is told that
    a debugger was "entered", say, or "left".
    """

    def __init__(
        self,
        template: Template,
        item: pytest.Item,
        ours: socket.socket,
        sections: list[tuple[str, str]],
        on_debugger: Callable[[str], None],
    ) -> None:
        self._template = template
        self._item = item
        self._socket = ours
        self._sections = sections
        self._on_debugger = on_debugger
        self._messages = self._bytes = 0
        self._waiting = False
        self.reader = frames.FrameReader(ours, limit=RESULT_LIMIT)
        #: The reports of the phases so far, and what each of them raised.
        self.phases: list[pytest.TestReport] = []
        self.exceptions: dict[str, BaseException | None] = {}
        #: Whether the test has told everything, and whether it wants the session to stop.
        self.done = False
        self.stopped = False

    def handle(self, frame: tuple[int, bytes], when: str) -> pytest.TestReport | None:
        """Handle one frame of the test's; return the report if it is that of the phase *when*.

        Raises MalformedData for everything that a test of ours would not send, and ChannelError if the test
        says that it could not begin.
        """
        kind, payload = frame
        self._messages += 1
        self._bytes += len(payload)
        if self._messages > MESSAGES_LIMIT or self._bytes > ALL_RESULTS_LIMIT:
            raise MalformedData(
                f"more than {MESSAGES_LIMIT} messages or {ALL_RESULTS_LIMIT} bytes of reports and warnings"
            )
        message: Any = load(payload) if payload else None
        try:
            if kind == frames.REPORT:
                return self._phase_report(message, when)
            replay = self._take_apart(kind, message)
        except MALFORMED as error:
            raise MalformedData(f"a malformed message of the kind {kind}: {error}") from None
        # What is raised from here on is the host's own.
        if replay is not None:
            replay()
        return None

    def handle_rest(self) -> None:
        """Handle what came after the last phase: warnings, and the end."""
        while (frame := self.reader.take()) is not None:
            self.handle(frame, "nothing")

    def _take_apart(self, kind: int, message: Any) -> Callable[[], object] | None:
        """Keep what was measured; return what else is to be done on the host. Raises one of MALFORMED."""
        if kind == frames.COVERAGE:
            self._template.coverage.add(message)
            return None
        if kind == frames.COLLECTED:
            adapters.add(self._item, message)
            return None
        if kind == frames.LOG_REPORT:
            report = self._rebuild(message)
            self._note_terminal(message["terminal"])
            return partial(self._log_report, report)
        if kind == frames.DEBUGGER:
            return partial(self._debug, str(message))
        if kind == frames.DONE:
            return self._finish
        if kind == frames.NOT_ENTERED:
            return partial(self._fail, f"the sandbox could not be made: {message}")
        self.stopped = kind == frames.STOP
        return replay_of(self._item, kind, message)

    def _rebuild(self, message: Any) -> pytest.TestReport:
        report = rebuild(self._item, message)
        put_first(report, self._sections)
        return report

    def _phase_report(self, message: Any, when: str) -> pytest.TestReport:
        report = self._rebuild(message)
        if report.when != when:
            raise MalformedData(f"the report of {report.when!r} instead of {when!r}")
        self._note_terminal(message["terminal"])
        self.phases.append(report)
        set_report_sections(self._item, report)
        error = message["exception"]
        self.exceptions[when] = None if error is None else from_data(error)
        return report

    def _log_report(self, report: pytest.TestReport) -> None:
        self._item.ihook.pytest_runtest_logreport(report=report)
        self.let_go_on()

    def _note_terminal(self, state: dict[str, Any]) -> None:
        self._template.terminal_state = dict(state)
        go_on_in_line(self._item.config, str(state.get("line", "")))
        self._waiting = True

    def let_go_on(self) -> None:
        """Let the test print, if it waits for that: what we had to print is printed."""
        if self._waiting and writes_through(self._item.config):
            self._waiting = False
            self._answer(frames.PRINTED)

    def _debug(self, event: str) -> None:
        self._on_debugger(event)
        if event == "left":
            return
        if event == "post_mortem" and self.phases:
            mark_as_debugged(self.phases[-1])
        self._answer(frames.GO)

    def _answer(self, kind: int) -> None:
        try:
            frames.send(self._socket, kind)
        except ChannelError:
            pass  # how it ended is told where its report is missing

    def _finish(self) -> None:
        self.done = True

    def _fail(self, problem: str) -> None:
        raise ChannelError(problem)
