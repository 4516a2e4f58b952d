"""One isolated run of one item: its phases, as they come in."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import time
from typing import Any

import pytest

from ..limits import size_text
from ..options import Request
from ..pytest_private import apply_xfail
from ..runtime.errors import ChannelError, NsisolateError
from ..runtime.outcome import Signalled, of_wait_status
from ..wire import frames
from ..wire.data import MalformedData, load
from ..wire.limits import COVERAGE_SIGNAL
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
from .results import Results
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
        following: tuple[str, str] | None,
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
        #: What ended the run before its time, and whether a report of it has said so: until one has, no
        #: phase may pass for want of a report.
        self._problem = ""
        self._told = False
        #: Whether it is the test's own end, which it may be marked to expect.
        self._crashed = False
        self._timed_out = False
        self._terminal: TerminalMode | None = None
        self._interrupted = 0.0
        self._started = time.time()
        template.forget_output()
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._results = Results(template, item, ours, self._sections, self._debugger)
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
            self._results.let_go_on()
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
        raised = self._results.exceptions
        return RemotePhase(report, raised.get(when), settled=when in raised)

    def blame(self, when: str, error: BaseException | None) -> None:
        """Note that a phase which had been without one ended with an exception after all."""
        if when in self._results.exceptions:
            self._results.exceptions[when] = error

    def _wait_for_report(self, when: str) -> pytest.TestReport | None:
        while True:
            # Looked at here, too: a test that never stops sending is never waited for.
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise TimeoutError
            self._take_from_template()
            frame = self._results.reader.take()
            if frame is not None:
                report = self._results.handle(frame, when)
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
            self._template.wait(self._results.reader, deadline)
        except KeyboardInterrupt:
            if not self._pid or (self._interrupted and self._terminal is None):
                raise
            self._interrupted = time.monotonic()
            # A test that has reported is a clone, though its pid may not be known yet: not the template.
            if self._holder or not self._results.phases:
                self._template.signal(self._pid, signal.SIGINT)
        except TimeoutError:
            if self._interrupted:
                raise KeyboardInterrupt from None
            raise

    def _debugger(self, event: str) -> None:
        if self._terminal is None and event != "left":
            terminal = TerminalMode(self._item.config)
            self._terminal = terminal if terminal.is_there else None
        if self._terminal is None:
            return  # nobody debugs, whatever the test says
        self._interrupted = 0.0
        if event == "left":
            self._terminal = None
            return
        # Somebody who debugs takes the time that it takes.
        self._deadline = None

    def _take_from_template(self) -> None:
        """Take all that has come: what stayed in the buffer would not end a wait."""
        while (frame := self._template.reader.take()) is not None:
            try:
                self._handle(frame)
            except MALFORMED as error:
                raise TemplateLost(f"the template sent a malformed message: {error}") from None

    def _handle(self, frame: tuple[int, bytes]) -> None:
        kind, payload = frame
        if kind == frames.SETTING_UP and not self._pid:
            self._pid = pid_of(load(payload))
            if self._request.timeout is not None:
                self._deadline = time.monotonic() + self._request.timeout
        elif kind == frames.CLONED and not self._holder:
            data = load(payload)
            self._pid, self._holder = pid_of(data), str(data["holder"])
            if self._interrupted:
                self._template.signal(self._pid, signal.SIGINT)
        else:
            self._ended = end_of(self._template.check(frame, frames.ENDED))

    def _has_ended(self) -> bool:
        if self._ended is None:
            return False
        return self._results.reader.at_end or "problem" in self._ended

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
                frame = self._results.reader.take()
                if frame is None:
                    self._template.wait(self._results.reader, deadline)
                elif frame[0] == frames.COVERAGE:
                    self._results.handle(frame, "nothing")
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
        if not self._results.done and not self._problem:
            self._problem = self._explain_end()
        return "" if self._told else self._problem

    def abandon(self) -> None:
        """Kill the test if it is still at work; the template, too, if it is at work on it itself."""
        if self._holder:
            self._kill_container()
        elif self._ended is None and not self._results.stopped:
            self._template.kill()

    def _remove_cgroup(self) -> None:
        try:
            self._limited.close()
        except NsisolateError as error:
            self._problem = self._problem or str(error)

    def cost(self) -> dict[str, float] | None:
        """Return what the sandbox cost, for :class:`..costs.Cost`; None if the test had no such end."""
        if self._ended is None or "cpu" not in self._ended or not self._results.phases:
            return None
        phases = self._results.phases
        first, last = phases[0], phases[-1]
        set_up = first.stop - self._started - first.duration
        return {
            "set_up": max(0.0, set_up),
            "end": max(0.0, time.time() - last.stop),
            "test": sum(report.duration for report in phases),
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
            self._results.handle_rest()
            if self._has_ended():
                break
            try:
                self._wait(deadline)
            except TimeoutError:
                return False
        return True
