"""One isolated run of one item: its phases, as they come in."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from .. import adapters
from ..limits import size_text
from ..options import Request
from ..pytest_private import apply_xfail, mark_as_debugged, set_report_sections
from ..pytest_private_output import go_on_in_line, writes_through
from ..runtime.errors import ChannelError, NsisolateError
from ..runtime.outcome import Signalled, of_wait_status
from ..wire import frames
from ..wire.data import MalformedData, load
from ..wire.exceptions import from_data
from ..wire.limits import ALL_RESULTS_LIMIT, COVERAGE_SIGNAL, MESSAGES_LIMIT, RESULT_LIMIT
from .clone_messages import end_of, pid_of
from .coverage import active
from .crash import crash_report, passed_report, read_stacks
from .debugging import TerminalMode
from .fixtures import Shipped
from .here import put_first
from .limiting import Limited
from .malformed import MALFORMED
from .order import order_of
from .phases import RemotePhase
from .replay import replay_of
from .reports import rebuild
from .template import Template, TemplateLost, describe

#: Seconds that a test, or a template, has for what should take no time.
_GRACE = 10.0

#: Seconds that a test has for sending its coverage before it is killed.
_COVERAGE_WITHIN = 2.0

#: Seconds that a test has for ending when the user interrupts it.
_INTERRUPTED_WITHIN = 2.0


class Run:
    """One run of one item in one fresh container."""

    def __init__(
        self,
        template: Template,
        item: pytest.Item,
        request: Request,
        fixtures: Shipped,
        limited: Limited,
        following: str | None,
    ) -> None:
        self._template = template
        self._item = item
        self._request = request
        self._limited = limited
        self._sections = fixtures.sections
        self._deadline: float | None = None
        self._pid = 0
        self._holder = ""
        self._ended: dict[str, Any] | None = None
        self._done = False
        self._messages = self._bytes = 0
        #: What ended the run before its time, and whether a report of it has said so: until one has, no
        #: phase may pass for want of a report.
        self._problem = ""
        self._told = False
        #: Whether it is the test's own end, which it may be marked to expect.
        self._crashed = False
        self._timed_out = False
        self._stopped = False
        self._waiting = False
        self._reported: pytest.TestReport | None = None
        self._terminal: TerminalMode | None = None
        self._interrupted = 0.0
        self._exceptions: dict[str, BaseException | None] = {}
        self._started = time.time()
        self._phases: list[pytest.TestReport] = []
        template.forget_output()
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._results = frames.FrameReader(ours, limit=RESULT_LIMIT)
        doors = limited.open_doors()
        try:
            order = order_of(
                item,
                fixtures=fixtures.values,
                env=request.env,
                nproc=limited.nproc,
                following=following,
            )
            template.tell(frames.RUN, pickle.dumps(order), (theirs.fileno(), *doors))
        except NsisolateError as error:
            self._problem = f"before this test {error}"
        finally:
            theirs.close()
            for door in doors:
                os.close(door)

    def phase(self, when: str) -> pytest.TestReport:
        """Wait for the report of the phase *when* and return it.

        Logs what is to be logged before it. If the test ends without that report, the report is a failure
        that says how it ended.
        """
        if self._told:
            return passed_report(self._item, when)
        if not self._problem:
            self._let_go_on()
            try:
                report = self._wait_for_report(when)
            except TimeoutError:
                self._time_out()
            except (TemplateLost, ChannelError, MalformedData) as error:
                self._problem = str(error)
            else:
                if report is not None:
                    return self._with_notes(report)
        crashed = crash_report(
            self._item, when, self._problem, self._template, time.time() - self._started
        )
        if self._crashed:
            apply_xfail(self._item, crashed, None)
        put_first(crashed, self._sections)
        self._told = True
        if self._timed_out and not self._holder:
            self._template.kill()  # it hangs in a fixture of a wider scope, in the template itself
        return self._with_notes(crashed)

    def _with_notes(self, report: pytest.TestReport) -> pytest.TestReport:
        """Add to the report of a failure which limits the test has come to."""
        notes = self._limited.notes() if report.failed else []
        if notes:
            report.sections.append(("Limits reached", "\n".join(notes)))
        return report

    def remote_phase(self, when: str, report: pytest.TestReport) -> RemotePhase:
        """Return what stands for the phase *when*, whose report is *report*."""
        return RemotePhase(report, self._exceptions.get(when), settled=when in self._exceptions)

    def blame(self, when: str, error: BaseException | None) -> None:
        """Note that a phase which had been without one ended with an exception after all."""
        if when in self._exceptions:
            self._exceptions[when] = error

    def _wait_for_report(self, when: str) -> pytest.TestReport | None:
        while True:
            # Looked at here, too: a test that never stops sending is never waited for.
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise TimeoutError
            self._take_from_template()
            frame = self._results.take()
            if frame is not None:
                report = self._handle(frame, when)
                if report is not None:
                    return report
            elif self._has_ended():
                self._problem = self._explain_end()
                self._crashed = self._ended is not None and "problem" not in self._ended
                return None
            else:
                self._wait(self._deadline)

    def _wait(self, deadline: float | None) -> None:
        """Wait for a message; raises TimeoutError, unless somebody debugs, and KeyboardInterrupt.

        Ctrl-C interrupts the test, as it would here, or is its debugger's; a test that goes on all the same
        is not waited for.
        """
        if self._terminal is not None:
            deadline = None
        elif self._interrupted and not self._item.config.getoption("usepdb", False):
            deadline = min(self._interrupted + _INTERRUPTED_WITHIN, deadline or float("inf"))
        try:
            self._template.wait(self._results, deadline)
        except KeyboardInterrupt:
            if not self._pid or (self._interrupted and self._terminal is None):
                raise
            self._interrupted = time.monotonic()
            self._template.signal(self._pid, signal.SIGINT)
        except TimeoutError:
            if self._interrupted:
                raise KeyboardInterrupt from None
            raise

    def _debugger(self, event: str) -> None:
        self._interrupted = 0.0
        if event == "left":
            self._terminal = None
            return
        if event == "post_mortem" and self._reported is not None:
            mark_as_debugged(self._reported)
        if self._terminal is None:
            self._terminal = TerminalMode(self._item.config)
        # Somebody who debugs takes the time that it takes.
        self._deadline = None
        try:
            frames.send(self._socket, frames.GO)
        except ChannelError:
            pass  # how it ended is told where its report is missing

    def _take_from_template(self) -> None:
        frame = self._template.reader.take()
        if frame is None:
            return
        kind, payload = frame
        try:
            if kind == frames.SETTING_UP and not self._pid:
                self._pid = pid_of(load(payload))
                if self._request.timeout is not None:
                    self._deadline = time.monotonic() + self._request.timeout
            elif kind == frames.CLONED and not self._holder:
                data = load(payload)
                self._pid, self._holder = pid_of(data), str(data["holder"])
            else:
                self._ended = end_of(self._template.check(frame, frames.ENDED))
        except MALFORMED as error:
            raise TemplateLost(f"the template sent a malformed message: {error}") from None

    def _has_ended(self) -> bool:
        return self._ended is not None and (self._results.at_end or "problem" in self._ended)

    def _explain_end(self) -> str:
        if self._ended is None:
            return "the test's process was killed before its result was complete"
        if "problem" in self._ended:
            return str(self._ended["problem"])
        outcome = of_wait_status(int(self._ended["status"]))
        if outcome == Signalled(signal=signal.SIGKILL):
            memory = self._limited.out_of_memory()
            if memory is not None:
                return (
                    f"out of memory: the test's process was killed at memory={self._request.limits.memory} "
                    f"(peak {size_text(memory.peak_bytes)})"
                )
        return f"the test's process {describe(outcome)} before its result was complete"

    def _handle(self, frame: tuple[int, bytes], when: str) -> pytest.TestReport | None:
        """Handle one frame of the test's; return the report if it is that of the phase *when*.

        Raises MalformedData for everything that a test of ours would not send.
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
            replay: Callable[[], object]
            if kind == frames.LOG_REPORT:
                replay = partial(self._log_report, self._rebuild(message))
                self._note_terminal(message["terminal"])
            elif kind == frames.COVERAGE:
                self._template.coverage.add(message)
                return None
            elif kind == frames.COLLECTED:
                adapters.add(self._item, message)
                return None
            elif kind == frames.DEBUGGER:
                replay = partial(self._debugger, str(message))
            elif kind == frames.DONE:
                replay = self._finish_results
            elif kind == frames.NOT_ENTERED:
                replay = partial(self._fail, f"the sandbox could not be made: {message}")
            else:
                replay = replay_of(self._item, kind, message)
                self._stopped = kind == frames.STOP
        except MALFORMED as error:
            raise MalformedData(f"a malformed message of the kind {kind}: {error}") from None
        # What is raised from here on is the host's own.
        replay()
        return None

    def _rebuild(self, message: Any) -> pytest.TestReport:
        report = rebuild(self._item, message)
        put_first(report, self._sections)
        return report

    def _phase_report(self, message: Any, when: str) -> pytest.TestReport:
        report = self._rebuild(message)
        if report.when != when:
            raise MalformedData(f"the report of {report.when!r} instead of {when!r}")
        self._note_terminal(message["terminal"])
        self._phases.append(report)
        set_report_sections(self._item, report)
        self._reported = report
        error = message["exception"]
        self._exceptions[when] = None if error is None else from_data(error)
        return report

    def _log_report(self, report: pytest.TestReport) -> None:
        self._item.ihook.pytest_runtest_logreport(report=report)
        self._let_go_on()

    def _note_terminal(self, state: dict[str, Any]) -> None:
        self._template.terminal_state = dict(state)
        go_on_in_line(self._item.config, str(state.get("line", "")))
        self._waiting = True

    def _let_go_on(self) -> None:
        """Let the test print, if it waits for that: what we had to print is printed."""
        if self._waiting and writes_through(self._item.config):
            self._waiting = False
            try:
                frames.send(self._socket, frames.PRINTED)
            except ChannelError:
                pass  # how it ended is told where its report is missing

    def _fail(self, problem: str) -> None:
        raise ChannelError(problem)

    def _finish_results(self) -> None:
        self._done = True

    def _take_late_results(self) -> None:
        # After the last phase: warnings, and the end.
        while (frame := self._results.take()) is not None:
            self._handle(frame, "nothing")

    def _time_out(self) -> None:
        self._deadline = None
        read_stacks(self._template, self._pid)
        self._wait_for_coverage()
        seconds = self._request.timeout
        self._problem = f"timeout: the test ran for more than {seconds:g} s and was killed"
        self._timed_out = True
        self._crashed = bool(self._holder)

    def _wait_for_coverage(self) -> None:
        """Take what a test that is going to be killed has measured so far."""
        if not self._holder or active() is None:
            return
        self._template.signal(self._pid, COVERAGE_SIGNAL)
        deadline = time.monotonic() + _COVERAGE_WITHIN
        try:
            while time.monotonic() < deadline:
                frame = self._results.take()
                if frame is None:
                    self._template.wait(self._results, deadline)
                elif frame[0] == frames.COVERAGE:
                    self._handle(frame, "nothing")
                    break
        except (TimeoutError, TemplateLost, ChannelError, MalformedData):
            pass  # it hangs where it cannot tell

    def finish(self) -> str:
        """See to it that the container is gone; called after the last phase, whatever happened.

        A test that has reported everything gets some time to end by itself (coverage writes its data then);
        after that its container is killed, and after that the template, if it does not notice. Returns
        what was wrong with the end, or an empty string.
        """
        if self._told:
            self._kill_container()
        try:
            for kill in (self._kill_container, self._template.kill):
                if self._ends_within(_GRACE):
                    break
                kill()
        except (TemplateLost, ChannelError, MalformedData) as error:
            self._problem = self._problem or str(error)
            self._template.kill()
        finally:
            self._socket.close()
            self._remove_cgroup()
            if self._terminal is not None:
                self._terminal.restore()
        if not self._done and not self._problem:
            self._problem = self._explain_end()
        return "" if self._told else self._problem

    def abandon(self) -> None:
        """Kill the test if it is still at work; the template, too, if it is at work on it itself."""
        if self._holder:
            self._kill_container()
        elif self._ended is None and not self._stopped:
            self._template.kill()

    def _remove_cgroup(self) -> None:
        try:
            self._limited.close()
        except NsisolateError as error:
            self._problem = self._problem or str(error)

    def cost(self) -> dict[str, float] | None:
        """Return what the sandbox cost, for :class:`..costs.Cost`; None if the test had no such end."""
        if self._ended is None or "cpu" not in self._ended or not self._phases:
            return None
        first, last = self._phases[0], self._phases[-1]
        set_up = first.stop - self._started - first.duration
        return {
            "set_up": max(0.0, set_up),
            "end": max(0.0, time.time() - last.stop),
            "test": sum(report.duration for report in self._phases),
            "cpu": float(self._ended["cpu"]),
            "peak": int(self._ended["peak"]),
        }

    def _kill_container(self) -> None:
        if self._holder:
            self._template.kill_holder(self._holder)

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._template.finished:
            if self._terminal is not None:
                deadline = time.monotonic() + seconds
            if time.monotonic() > deadline:
                return False
            self._take_from_template()
            self._take_late_results()
            if self._has_ended():
                break
            try:
                self._wait(deadline)
            except TimeoutError:
                return False
        return True
