"""Coverage of isolated tests: what was measured inside becomes part of what is measured here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coverage import Coverage, CoverageData


def active() -> Coverage | None:
    """Return the measurement that goes on in this process, if there is one."""
    module: Any = sys.modules.get("coverage")
    found: Coverage | None = None if module is None else module.Coverage.current()
    return found


def order_of(config: pytest.Config) -> dict[str, Any] | None:
    """Return how a template has to measure, None for not at all.

    The *config* is pickled: that of a measurement that pytest does not know of, as by ``coverage run -m
    pytest``. It is None where pytest-cov measures, because that will do so in the template as well.
    """
    coverage: Any = active()
    if coverage is None:
        return None
    controller = getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
    if getattr(controller, "cov", None) is coverage:
        pickled = None
    else:
        import cloudpickle

        pickled = cloudpickle.dumps(coverage.config)
    return {"config": pickled, "data_file": os.path.abspath(coverage.config.data_file)}


class CoverageOfTests:
    """Collects what was measured in sandboxes, and adds it to what was measured here.

    Added inside of pytest-cov's own hook of the run loop, at whose end that makes its report.
    """

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str, str, bool], set[Any]] = {}
        self._ask: list[Callable[[], None]] = []

    def add(self, message: Any) -> None:
        """Add what a sandbox measured. Raises MalformedData."""
        from ..wire.coverage import from_data

        for part in from_data(message):
            key = (part.context, part.file, part.tracer, part.arcs)
            numbers = part.numbers
            pairs = zip(numbers[::2], numbers[1::2], strict=True) if part.arcs else numbers
            self._runs.setdefault(key, set()).update(pairs)

    def ask_at_end(self, ask: Callable[[], None]) -> None:
        """Call *ask* before all is added up: it adds what has not been yet."""
        self._ask.append(ask)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Add all to this process's measurement when the tests have run."""
        try:
            result = yield
        except (pytest.Session.Failed, pytest.Session.Interrupted):
            self._add_up()
            raise
        self._add_up()
        return result

    def _add_up(self) -> None:
        coverage = active()
        if coverage is None:
            return
        for ask in self._ask:
            ask()
        if self._runs:
            data = self._as_data()
            try:
                coverage.get_data().update(data)
            finally:
                data.close(force=True)
            self._runs.clear()

    def _as_data(self) -> CoverageData:
        from coverage import CoverageData

        data = CoverageData(no_disk=True)
        for (context, file, tracer, arcs), numbers in self._runs.items():
            data.set_context(context or None)
            if arcs:
                data.add_arcs({file: numbers})
            else:
                data.add_lines({file: numbers})
            if tracer:
                data.add_file_tracers({file: tracer})
        return data
