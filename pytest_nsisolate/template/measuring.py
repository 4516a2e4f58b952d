"""coverage.py in the template and in its clones: the only file that uses its private names.

A clone inherits a running measurement. What the template measured it forgets, and what it measures itself
it sends to the host before it ends.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from ..runtime.syscalls_signal import last_words
from ..wire.coverage import to_data
from ..wire.limits import COVERAGE_SIGNAL

#: Where this measurement, and those of child processes that coverage.py is told to measure, keep their data.
#: There is such a directory in every sandbox, and it is nobody else's.
_DATA_FILE = f"/dev/shm/.nsisolate-coverage-{os.getpid()}"
_VARIABLE = "COVERAGE_FILE"

#: Signals that end a process, unless somebody handles them. SIGKILL is not among them: nobody is asked then.
_DEADLY = "SEGV BUS FPE ILL ABRT SYS TRAP HUP QUIT TERM USR1 USR2 ALRM VTALRM PROF XCPU".split()
#: Those that Python has a handler for elsewhere (faulthandler), and that come from the code itself.
_FAULTS = _DEADLY[:5]
#: Seconds for sending what was measured when a signal ends the test.
_LAST_SECONDS = 2


def begin(order: dict[str, Any] | None) -> str | None:
    """Begin to measure as the host ordered; see :func:`..host.coverage.order_of`.

    Return the value that the variable for the data file had: until :func:`adopt`, it is one of our own. A
    measurement of pytest-cov's would otherwise begin by removing the data of the host's.
    """
    before = os.environ.get(_VARIABLE)
    if order is not None:
        os.environ[_VARIABLE] = _DATA_FILE
    if order is not None and order["config"] is not None:
        import coverage

        if coverage.Coverage.current() is None:
            measurement = coverage.Coverage(data_file=_DATA_FILE, config_file=False)
            measurement.config = pickle.loads(order["config"])
            measurement.config.data_file = _DATA_FILE
            measurement._warn_preimported_source = False
            measurement.start()
    return before


def adopt(
    config: pytest.Config, order: dict[str, Any] | None, before: str | None
) -> Measurement | None:
    """Return the measurement that has begun, if the host ordered one."""
    if order is None:
        return None
    if before is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = before
    from coverage import Coverage

    plugin: Any = config.pluginmanager.get_plugin("_cov")
    if plugin is not None:
        plugin._disabled = True  # its report is the host's
    found = Coverage.current()
    return None if found is None else Measurement(found, order["data_file"])


class Measurement:
    """A running measurement of coverage.py's, whose data is in memory."""

    def __init__(self, coverage: Any, data_file: str) -> None:
        self._coverage = coverage
        self._data_file = data_file
        self._known = self._files_of_children()
        # A test that runs nothing of what is measured is nothing to warn of.
        coverage._warn_no_data = coverage._warn_unimported_source = False
        self._kept: list[Any] = []
        self._renew()
        os.register_at_fork(after_in_child=self._forget)

    def _renew(self) -> None:
        """Collect into new data, under the same context."""
        from coverage import CoverageData

        collector, before = self._coverage._collector, self._coverage._data
        self._kept.append(before)  # closing it is not worth the time
        self._coverage._data = fresh = CoverageData(no_disk=True)
        collector.use_data(fresh, self._coverage.config.context)
        fresh.set_context(before._current_context)

    def _forget(self) -> None:
        """In a fork: forget what the process that was forked has measured."""
        for seen in self._coverage._collector.data.values():
            seen.clear()
        self._renew()
        self._known = self._files_of_children()

    def take(self) -> list[list[object]]:
        """Return, as plain data, what was measured since the last call or the fork."""
        data = self._coverage.get_data()
        self._add_files(data, self._files_of_children() - self._known)
        taken = to_data(data)
        self._renew()
        return taken

    def guard(self, send: Callable[[], None]) -> None:
        """In a clone: let *send* be called if it ends before its time, by os._exit or a signal."""
        owner = os.getpid()
        # The module that tests have; this one's is a copy of what it was (originals.py).
        theirs: Any = sys.modules["os"]
        leave: Callable[[int], NoReturn] = theirs._exit

        def send_own() -> None:
            if os.getpid() == owner:  # a child that was forked is not the test
                send()

        def _exit(status: int) -> NoReturn:
            try:
                send_own()
            finally:
                leave(status)

        theirs._exit = _exit
        numbers = [signal.Signals[f"SIG{name}"] for name in _DEADLY]
        faults = [signal.Signals[f"SIG{name}"] for name in _FAULTS]
        deadly = [n for n in numbers if n in faults or signal.getsignal(n) == signal.SIG_DFL]
        last_words(send_own, [int(n) for n in deadly], COVERAGE_SIGNAL, _LAST_SECONDS)

    def _files_of_children(self) -> set[str]:
        """Return the data files of child processes that coverage.py measures (``patch = subprocess``)."""
        return {file for base in (_DATA_FILE, self._data_file) for file in _beside(base)}

    @staticmethod
    def _add_files(data: Any, files: set[str]) -> None:
        """Add what is in *files*, as ``coverage combine`` would."""
        from coverage import CoverageData
        from coverage.exceptions import CoverageException

        for file in sorted(files):
            other = CoverageData(basename=file)
            try:
                other.read()
                data.update(other)
            except CoverageException:
                pass  # one that is not finished, or lines where there are arcs


def _beside(base: str) -> list[str]:
    directory, name = os.path.split(base)
    try:
        return [
            f"{directory}/{other}"
            for other in os.listdir(directory)
            if other.startswith(f"{name}.")
        ]
    except OSError:
        return []
