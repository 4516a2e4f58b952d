"""One isolated run of one item: its phases, as they come in."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import cloudpickle
import pytest

from ..options import Request
from ..runtime.errors import ChannelError
from ..runtime.outcome import of_wait_status
from ..wire import frames
from ..wire.data import MALFORMED, MalformedData, load
from ..wire.exceptions import from_data
from ..wire.functions import fingerprint, ship, ship_parameters
from ..wire.limits import ALL_RESULTS_LIMIT, MESSAGES_LIMIT, RESULT_LIMIT
from .crash import crash_report, passed_report, read_stacks
from .replay import stop_session, warning_of
from .reports import rebuild
from .template import Template, TemplateLost, describe

#: Seconds that a test, or a template, has for what should take no time.
_GRACE = 10.0


class ItemRun(Protocol):
    """What the hooks of an isolated item's phases have to do with."""

    def phase(self, when: str) -> pytest.TestReport:
        """Return the report of the phase *when*."""
        ...

    def exception_of(self, when: str) -> BaseException | None:
        """Return the exception that the phase ended with, or None."""
        ...

    def finish(self) -> str:
        """End the run; return what was wrong with its end, or an empty string."""
        ...


class NoRun:
    """Stands in where there is no sandbox: its set-up failed or was skipped, the rest is nothing."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def phase(self, when: str) -> pytest.TestReport:
        """Return the report of a phase in which nothing had to be done."""
        return passed_report(self._item, when)

    def exception_of(self, when: str) -> BaseException | None:  # noqa: ARG002
        """Return None: nothing was raised."""
        return None

    def finish(self) -> str:
        """Do nothing."""
        return ""


class Run:
    """One run of one item in one fresh container."""

    def __init__(
        self, template: Template, item: pytest.Item, request: Request, fixtures: dict[str, bytes]
    ) -> None:
        self._template = template
        self._item = item
        self._request = request
        self._fixtures = fixtures
        self._deadline: float | None = None
        self._pid = 0
        self._holder = ""
        self._ended: dict[str, Any] | None = None
        self._done = False
        self._messages = self._bytes = 0
        self._problem = ""
        self._timed_out = False
        self._exceptions: dict[str, BaseException | None] = {}
        self._started = time.time()
        template.forget_output()
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._results = frames.FrameReader(ours, limit=RESULT_LIMIT)
        try:
            frames.send(
                template.socket, frames.RUN, cloudpickle.dumps(self._order()), (theirs.fileno(),)
            )
        except ChannelError as error:
            self._problem = str(error)
        finally:
            theirs.close()

    def _order(self) -> dict[str, Any]:
        item = self._item
        function, problem = ship(item)
        return {
            "nodeid": item.nodeid,
            "path": str(item.path),
            "name": item.name,
            "originalname": getattr(item, "originalname", item.name),
            "chain": chain_of(item),
            "fixtures": self._fixtures,
            "fingerprint": fingerprint(getattr(item, "obj", None)),
            "function": function,
            "parameters": ship_parameters(item),
            "function_problem": problem,
            "environ": dict(os.environ),
            "env": dict(self._request.env),
            "cwd": os.getcwd(),
            "maxfail": _failures_left(item.session),
        }

    def phase(self, when: str) -> pytest.TestReport:
        """Wait for the report of the phase *when* and return it.

        Logs what is to be logged before it. If the test ends without that report, the report is a failure
        that says how it ended.
        """
        if self._problem:
            return passed_report(self._item, when)
        try:
            report = self._wait_for_report(when)
        except TimeoutError:
            self._time_out()
        except (TemplateLost, ChannelError, MalformedData) as error:
            self._problem = str(error)
        else:
            if report is not None:
                return report
        crashed = crash_report(
            self._item, when, self._problem, self._template, time.time() - self._started
        )
        if self._timed_out and not self._holder:
            self._template.kill()  # it hangs in a fixture of a wider scope, in the template itself
        return crashed

    def exception_of(self, when: str) -> BaseException | None:
        """Return the exception that the phase ended with, or None."""
        return self._exceptions.get(when)

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
                return None
            else:
                self._template.wait(self._results, self._deadline)

    def _take_from_template(self) -> None:
        frame = self._template.reader.take()
        if frame is None:
            return
        kind, payload = frame
        try:
            if kind == frames.SETTING_UP and not self._pid:
                self._pid = _pid_of(load(payload))
                if self._request.timeout is not None:
                    self._deadline = time.monotonic() + self._request.timeout
            elif kind == frames.CLONED and not self._holder:
                data = load(payload)
                self._pid, self._holder = _pid_of(data), str(data["holder"])
            else:
                self._ended = _end_of(self._template.check(frame, frames.ENDED))
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
                replay = partial(self._log_report, rebuild(self._item, message))
            elif kind == frames.WARNING:
                replay = partial(self._record_warning, warning_of(self._item, message))
            elif kind == frames.STOP:
                replay = partial(stop_session, str(message["kind"]), str(message["text"]), message)
            elif kind == frames.DONE:
                replay = self._finish_results
            else:
                raise MalformedData(f"a message of the unknown kind {kind}")
        except MALFORMED as error:
            raise MalformedData(f"a malformed message of the kind {kind}: {error}") from None
        # What is raised from here on is the host's own.
        replay()
        return None

    def _phase_report(self, message: Any, when: str) -> pytest.TestReport:
        report = rebuild(self._item, message)
        if report.when != when:
            raise MalformedData(f"the report of {report.when!r} instead of {when!r}")
        error = message["exception"]
        self._exceptions[when] = None if error is None else from_data(error)
        return report

    def _log_report(self, report: pytest.TestReport) -> None:
        self._item.ihook.pytest_runtest_logreport(report=report)

    def _record_warning(self, recorded: dict[str, Any]) -> None:
        self._item.ihook.pytest_warning_recorded.call_historic(kwargs=recorded)

    def _finish_results(self) -> None:
        self._done = True

    def _take_late_results(self) -> None:
        # After the last phase: warnings, and the end.
        while (frame := self._results.take()) is not None:
            self._handle(frame, "nothing")

    def _time_out(self) -> None:
        self._deadline = None
        read_stacks(self._template, self._pid)
        seconds = self._request.timeout
        self._problem = f"timeout: the test ran for more than {seconds:g} s and was killed"
        self._timed_out = True

    def finish(self) -> str:
        """See to it that the container is gone; called after the last phase, whatever happened.

        A test that has reported everything gets some time to end by itself (coverage writes its data then);
        after that its container is killed, and after that the template, if it does not notice. Returns
        what was wrong with the end, or an empty string.
        """
        known = bool(self._problem)
        if known:
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
        if not known and not self._done and not self._problem:
            self._problem = self._explain_end()
        return "" if known else self._problem

    def _kill_container(self) -> None:
        if self._holder:
            self._template.kill_holder(self._holder)

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._template.finished:
            if time.monotonic() > deadline:
                return False
            self._take_from_template()
            self._take_late_results()
            if self._has_ended():
                break
            try:
                self._template.wait(self._results, deadline)
            except TimeoutError:
                return False
        return True


def _pid_of(data: Any) -> int:
    pid = data["pid"]
    if type(pid) is not int or not 0 < pid < 2**31:
        raise MalformedData(f"the pid {pid!r}")
    return pid


def _end_of(data: Any) -> dict[str, Any]:
    """Return how a clone ended: its wait status, or the problem that there was."""
    if type(data["status"]) is not int or not 0 <= data["status"] < 2**16:
        raise MalformedData(f"the wait status {data['status']!r}")
    found = {"status": data["status"]}
    return {**found, "problem": str(data["problem"])} if "problem" in data else found


def chain_of(item: pytest.Item | None) -> list[list[str]]:
    """Return the chain of nodes down to *item*, as (class name, node id)."""
    return [] if item is None else [[type(n).__name__, n.nodeid] for n in item.listchain()]


def _failures_left(session: pytest.Session) -> int:
    """Return how many more failures end the session; 0 for no such number."""
    maxfail: int = session.config.getoption("maxfail")
    return max(1, maxfail - session.testsfailed) if maxfail else 0
