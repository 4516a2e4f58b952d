"""The template's session: it waits for the host's orders instead of running its items."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import Any

import cloudpickle
import pytest

from ..pytest_private import (
    TellingXml,
    install_xml,
    remove_xml,
    share_base_temp,
    tell_what_is_cached,
)
from ..pytest_private_output import Terminal
from ..wire import frames
from ..wire.data import dump
from .capture import SharedCapture, Streams
from .clone import Cloner
from .collection import Collection
from .link import Files, Link
from .phases import Phases
from .protocol import ItemRunner
from .reporting import Reporter
from .wide_teardown import tear_down_to


class TemplatePlugin:
    """Replaces collection and the run loop of the template's pytest."""

    def __init__(
        self,
        config: pytest.Config,
        start: dict[str, Any],
        link: Link,
        files: Files,
        streams: Streams,
    ) -> None:
        self._start = start
        self._host = link.host
        self._reader = link.reader
        self._reporter = Reporter(config)
        self._cloner = Cloner(link, start, files.stacks)
        self._files = files
        self._streams = streams
        self._capture: SharedCapture | None = None
        self._collection: Collection | None = None
        self._last: pytest.Item | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Share the host's temporary directory, report what tests report, and print nothing."""
        terminal = Terminal(config, markup=self._start["markup"], width=self._start["width"])
        self._phases = Phases(self._streams, terminal, self._reporter)
        self._terminal = terminal
        self._reporter.share(terminal)
        tell_what_is_cached(config, self._reporter.record_cached)
        if self._start["xml_family"] is not None:
            xml = TellingXml(self._start["xml_family"], self._reporter.record_xml)
            install_xml(config, xml)
        share_base_temp(config, self._start["basetemp"])
        config.pluginmanager.register(self._reporter, "nsisolate-reporter")
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
        self._collection = Collection(session, self._start["nodeids"])
        session.config.pluginmanager.register(self._collection, "nsisolate-collection")
        self._collection.collect(self._start["paths"])
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Obey the host until it says FINISH."""
        files = (self._files.out, self._files.err)
        self._capture = SharedCapture(session.config, files, self._streams)
        frames.send(self._host, frames.READY)
        while True:
            kind, payload = self._reader.receive()
            if kind == frames.RUN:
                self._run(cloudpickle.loads(payload))
            elif kind == frames.TEAR_DOWN:
                self._tear_down(session, cloudpickle.loads(payload))
            elif kind == frames.FINISH:
                break
        self._tear_down(session, {"chain": [], "terminal": {}})
        return True

    def _run(self, order: dict[str, Any]) -> None:
        results = socket.socket(fileno=self._reader.take_fds()[0])
        assert self._collection is not None
        assert self._capture is not None
        item = self._collection.find(order)
        if isinstance(item, str):
            frames.send(self._host, frames.ENDED, dump({"status": 0, "problem": item}))
            results.close()
            return
        self._last = item
        self._terminal.restore_state({})
        self._capture.start()
        frames.send(self._host, frames.SETTING_UP, dump({"pid": os.getpid()}))
        runner = ItemRunner(item, order, self._cloner, self._reporter, self._capture, results)
        ended = runner.run()
        frames.send(self._host, frames.ENDED, dump(ended))

    def _tear_down(self, session: pytest.Session, order: dict[str, Any]) -> None:
        assert self._capture is not None
        self._capture.start()
        begin = partial(self._terminal.restore_state, order["terminal"])
        with self._reporter.keeping() as kept, self._phases.letting_through():
            torn_down = tear_down_to(session, order["chain"], self._last, begin)
        self._capture.detach()
        torn_down |= {"told": kept, "terminal": self._terminal.take_state()}
        frames.send(self._host, frames.TORN_DOWN, dump(torn_down))
