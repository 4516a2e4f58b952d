"""One isolated run of one item: its phases, as they come in."""

from __future__ import annotations

import os
import socket
import sys
import time
import warnings
from typing import Any, Protocol

import cloudpickle
import pytest

from ..options import Request
from ..runtime.errors import ChannelError
from ..runtime.outcome import of_wait_status
from ..wire import frames
from ..wire.data import MalformedData, load
from ..wire.exceptions import from_data
from ..wire.functions import fingerprint, ship
from .crash import crash_report, passed_report, read_stacks
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

    def finish(self) -> None:
        """End the run."""
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

    def finish(self) -> None:
        """Do nothing."""


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
        self._problem = ""
        self._timed_out = False
        self._exceptions: dict[str, BaseException | None] = {}
        self._started = time.time()
        template.forget_output()
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._results = frames.FrameReader(ours)
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
        if kind == frames.SETTING_UP and not self._pid:
            self._pid = int(load(payload)["pid"])
            if self._request.timeout is not None:
                self._deadline = time.monotonic() + self._request.timeout
        elif kind == frames.CLONED and not self._holder:
            data = load(payload)
            self._pid, self._holder = int(data["pid"]), str(data["holder"])
        else:
            self._ended = self._template.check(frame, frames.ENDED)

    def _has_ended(self) -> bool:
        return self._ended is not None and (self._results.at_end or "problem" in self._ended)

    def _explain_end(self) -> str:
        assert self._ended is not None
        if "problem" in self._ended:
            return str(self._ended["problem"])
        outcome = of_wait_status(int(self._ended["status"]))
        return f"the test's process {describe(outcome)} before its result was complete"

    def _handle(self, frame: tuple[int, bytes], when: str) -> pytest.TestReport | None:
        kind, payload = frame
        if kind == frames.REPORT:
            return self._phase_report(load(payload), when)
        if kind == frames.LOG_REPORT:
            report = self._rebuild(load(payload))
            self._item.ihook.pytest_runtest_logreport(report=report)
        elif kind == frames.WARNING:
            self._replay_warning(load(payload))
        elif kind == frames.STOP:
            _stop(load(payload))
        elif kind == frames.DONE:
            self._done = True
        else:
            raise MalformedData(f"a message of the unknown kind {kind}")
        return None

    def _phase_report(self, message: dict[str, Any], when: str) -> pytest.TestReport:
        report = self._rebuild(message)
        if report.when != when:
            raise MalformedData(f"the report of {report.when!r} instead of {when!r}")
        error = message["exception"]
        self._exceptions[when] = None if error is None else from_data(error)
        return report

    def _rebuild(self, message: dict[str, Any]) -> pytest.TestReport:
        report = rebuild(self._item.config, message)
        if report.nodeid != self._item.nodeid:
            # A test speaks for itself only.
            raise MalformedData(f"a report of {report.nodeid!r}")
        return report

    def _replay_warning(self, data: dict[str, Any]) -> None:
        message = warnings.WarningMessage(
            message=data["text"],
            category=_warning_class(data["module"], data["name"]),
            filename=str(data["filename"]),
            lineno=int(data["lineno"]),
        )
        self._item.ihook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": message,
                "when": data["when"],
                "nodeid": data["nodeid"],
                "location": data["location"],
            }
        )

    def _take_late_results(self) -> None:
        # After the last phase: warnings, and the end.
        while (frame := self._results.take()) is not None:
            if frame[0] in (frames.WARNING, frames.STOP, frames.DONE):
                self._handle(frame, "")

    def _time_out(self) -> None:
        self._deadline = None
        read_stacks(self._template, self._pid)
        seconds = self._request.timeout
        self._problem = f"timeout: the test ran for more than {seconds:g} s and was killed"
        self._timed_out = True

    def finish(self) -> None:
        """See to it that the container is gone; called after the last phase, whatever happened.

        A test that has reported everything gets some time to end by itself (coverage writes its data then);
        after that its container is killed, and after that the template, if it does not notice.
        """
        if self._problem:
            self._kill_container()
        try:
            for kill in (self._kill_container, self._template.kill):
                if self._ends_within(_GRACE):
                    break
                kill()
        except (TemplateLost, ChannelError, MalformedData):
            self._template.kill()
        finally:
            self._socket.close()

    def _kill_container(self) -> None:
        if self._holder:
            self._template.kill_holder(self._holder)

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._template.finished:
            self._take_from_template()
            self._take_late_results()
            if self._has_ended():
                break
            try:
                self._template.wait(self._results, deadline)
            except TimeoutError:
                return False
        return True


def chain_of(item: pytest.Item | None) -> list[list[str]]:
    """Return the chain of nodes down to *item*, as (class name, node id)."""
    return [] if item is None else [[type(n).__name__, n.nodeid] for n in item.listchain()]


def _failures_left(session: pytest.Session) -> int:
    """Return how many more failures end the session; 0 for no such number."""
    maxfail: int = session.config.getoption("maxfail")
    return max(1, maxfail - session.testsfailed) if maxfail else 0


def _warning_class(module: str, name: str) -> type[Warning]:
    found: object = sys.modules.get(module)
    for part in str(name).split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found if isinstance(found, type) and issubclass(found, Warning) else UserWarning


def _stop(data: dict[str, Any]) -> None:
    if data["kind"] == "KeyboardInterrupt":
        raise KeyboardInterrupt(data["text"])
    pytest.exit(str(data["text"]), returncode=data["returncode"])
