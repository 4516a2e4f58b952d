"""The template's session: it waits for the host's orders instead of running its items."""

from __future__ import annotations

import gc
import os
import pickle
import socket
from functools import partial
from typing import Any

import pytest

from .. import adapters
from ..pytest_private import let_faulthandler_write_to, share_base_temp
from ..pytest_private_files import TellingXml, install_xml, log_to, remove_xml, tell_what_is_cached
from ..pytest_private_output import Terminal
from ..wire import frames
from ..wire.data import dump
from .ahead import Ahead
from .capture import SharedCapture, Streams
from .clone import Clone, Cloner
from .collection import Collection
from .debugging import Debugging
from .link import Files, Link
from .measuring import Measurement, adopt
from .phases import Phases
from .protocol import ItemRunner
from .reporting import Reporter
from .timers import Timers
from .wide_teardown import is_torn_down, tear_down_to


class TemplatePlugin:
    """Replaces collection and the run loop of the template's pytest."""

    def __init__(
        self,
        config: pytest.Config,
        start: dict[str, Any],
        link: Link,
        files: Files,
        streams: Streams,
        data_file: str | None,
    ) -> None:
        self._start = start
        self._thresholds: tuple[int, int, int] = start["thresholds"]
        self._host = link.host
        self._reader = link.reader
        self._reporter = Reporter(config)
        self._timers = Timers()
        self._cloner = Cloner(link, start, files.stacks)
        self._ahead = Ahead(config, self._cloner)
        self._files = files
        self._streams = streams
        self._data_file = data_file
        self._measurement: Measurement | None = None
        self._capture: SharedCapture | None = None
        self._collection: Collection | None = None
        self._last: pytest.Item | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Share the host's temporary directory, report what tests report, and print nothing."""
        config.pluginmanager.register(self._timers, "nsisolate-timers")
        terminal = Terminal(config, markup=self._start["markup"], width=self._start["width"])
        self._phases = Phases(self._streams, terminal, self._reporter)
        self._terminal = terminal
        self._reporter.share(terminal)
        tell_what_is_cached(config, self._reporter.record_cached)
        if self._start["xml_family"] is not None:
            xml = TellingXml(self._start["xml_family"], self._reporter.record_xml)
            install_xml(config, xml)
        share_base_temp(config, self._start["basetemp"])
        let_faulthandler_write_to(config, self._streams.stderr)
        if self._files.log_file is not None:
            log_to(config, self._files.log_file)
        config.pluginmanager.register(self._reporter, "nsisolate-reporter")
        self._debugging = Debugging(config, self._phases.letting_through, self._reporter.debugger)
        config.pluginmanager.register(self._debugging, "nsisolate-debugging")
        config.pluginmanager.register(self._phases, "nsisolate-phases")

    def pytest_internalerror(self, excrepr: object) -> None:
        """Tell the host what pytest would have printed as an internal error."""
        frames.send(self._host, frames.FAILED, dump(str(excrepr)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Take away what pytest did not make."""
        remove_xml(config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect the files that the host names.

        All of them, and before anything is run, because that is when pytest imports them.
        """
        self._measurement = adopt(session.config, self._start["coverage"], self._data_file)
        self._reporter.measure_with(self._measurement)
        adapters.prepare(session.config)
        self._collection = Collection(session, self._start)
        session.config.pluginmanager.register(self._collection, "nsisolate-collection")
        self._collection.collect(self._start["paths"])
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Obey the host until it says FINISH."""
        # What was imported and collected is there to stay; looking for garbage in it would only take time.
        gc.freeze()
        if not gc.get_threshold()[0]:  # or somebody has chosen another meanwhile
            gc.set_threshold(*self._thresholds)
        files = (self._files.out, self._files.err)
        self._capture = SharedCapture(session.config, files, self._streams)
        frames.send(self._host, frames.READY)
        while True:
            kind, payload = self._reader.receive()
            if kind == frames.RUN:
                self._run(payload)
            elif kind == frames.TEAR_DOWN:
                self._tear_down(session, pickle.loads(payload))
            elif kind == frames.MEASURE:
                measured = self._measurement.take() if self._measurement is not None else []
                frames.send(self._host, frames.MEASURED, dump(measured))
            elif kind == frames.FINISH:
                break
        self._ahead.discard()
        self._tear_down(session, {"chain": [], "terminal": {}})
        return True

    def _run(self, payload: bytes) -> None:
        order = pickle.loads(payload)
        results_fd, *doors = self._reader.take_fds()
        results = socket.socket(fileno=results_fd)
        order["doors"], order["pickled"] = doors, payload
        try:
            self._run_with(order, results)
        finally:
            for door in doors:
                os.close(door)

    def _run_with(self, order: dict[str, Any], results: socket.socket) -> None:
        assert self._collection is not None
        assert self._capture is not None
        self._ahead.ask()
        item = self._collection.find(order)
        if isinstance(item, str):
            self._ahead.discard_asked()
            frames.send(self._host, frames.ENDED, dump({"status": 0, "problem": item}))
            results.close()
            return
        self._last = item
        frames.send(self._host, frames.SETTING_UP, dump({"pid": os.getpid()}))
        with self._debugging.running():
            ended = self._clone_of(item, order, results)
            if isinstance(ended, Clone):
                self._prepare_next(order)
                ended = self._cloner.attend(ended, entirely=bool(order["doors"]))
        frames.send(self._host, frames.ENDED, dump(ended))

    def _clone_of(
        self, item: pytest.Item, order: dict[str, Any], results: socket.socket
    ) -> Clone | dict[str, Any]:
        """Return the clone that runs *item*, or how the run has ended without one."""
        assert self._capture is not None
        waiting = self._ahead.send(item, order, results)
        if waiting is None:
            self._capture.start()
            return self._runner(item, order, results).run()
        results.close()
        self._cloner.announce(waiting)
        return waiting

    def _runner(
        self, item: pytest.Item, order: dict[str, Any], results: socket.socket | None
    ) -> ItemRunner:
        assert self._capture is not None
        runner = ItemRunner(item, order, self._cloner, self._reporter, self._capture, results)
        runner.in_clone.append(self._timers.carry_over)
        return runner

    def _prepare_next(self, order: dict[str, Any]) -> None:
        """Make the next test's clone while this one is at work."""
        assert self._collection is not None
        item = self._collection.known(order["next"])
        # A measurement of coverage.py's is taken from the template, test by test; and what leads to one
        # test's cgroup is not for another.
        if item is None or self._measurement is not None or order["doors"]:
            return
        runner = self._runner(item, {"fixtures": order["fixtures"]}, None)
        given = self._ahead.prepare(item, order["fixtures"], runner.get_ready)
        if given is not None:
            runner.run_in_clone(*given)

    def _tear_down(self, session: pytest.Session, order: dict[str, Any]) -> None:
        assert self._capture is not None
        if not self._capture.is_started and is_torn_down(session, order["chain"]):
            frames.send(self._host, frames.TORN_DOWN, dump({"report": None}))
            return
        self._ahead.discard()
        self._capture.start()
        begin = partial(self._terminal.restore_state, order["terminal"])
        with self._reporter.keeping() as kept, self._phases.letting_through():
            torn_down = tear_down_to(session, order["chain"], self._last, begin)
        self._capture.detach()
        torn_down |= {"told": kept, "terminal": self._terminal.take_state()}
        frames.send(self._host, frames.TORN_DOWN, dump(torn_down))
