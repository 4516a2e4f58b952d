"""The metrics: what is measured in a round, what is computed of it, and the bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .measurements import (
    back_to_back,
    binds,
    command_line,
    endurance,
    heavy_host,
    idle_plugin,
    large_template,
    latency,
    start_up,
    streams,
    versus_forked,
)

if TYPE_CHECKING:
    from .laboratory import Laboratory


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One line of the table; *at_least* where more is better."""

    name: str
    title: str
    must: float
    moonshot: float | None
    measure: Callable[[Laboratory], None]
    value: Callable[[Laboratory], float]
    rounds: int
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether *value* is within the bound."""
        return value >= self.must if self.at_least else value <= self.must


METRICS = (
    Metric(
        name="forked",
        title="added per test ÷ pytest-forked's, 300 trivial tests, whole sessions",
        must=0.5,
        moonshot=0.25,
        measure=versus_forked.measure,
        value=versus_forked.value,
        rounds=5,
    ),
    Metric(
        name="heavy",
        title="the same with a heavy host",
        must=0.2,
        moonshot=0.08,
        measure=heavy_host.measure,
        value=heavy_host.value,
        rounds=3,
    ),
    Metric(
        name="back-to-back",
        title="back-to-back, added per test ÷ the floor's",
        must=2.5,
        moonshot=1.3,
        measure=back_to_back.measure,
        value=back_to_back.value,
        rounds=5,
    ),
    Metric(
        name="latency",
        title="latency with 3 ms between tests, added ÷ the floor's",
        must=1.0,
        moonshot=0.3,
        measure=latency.measure,
        value=latency.value,
        rounds=5,
    ),
    Metric(
        name="full",
        title="full sandbox: back-to-back, added per test ÷ the floor's (full)",
        must=2.5,
        moonshot=1.3,
        measure=back_to_back.measure_full,
        value=back_to_back.value_full,
        rounds=5,
    ),
    Metric(
        name="template",
        title="1 GB template ÷ 30 MB template, latency",
        must=3.0,
        moonshot=1.5,
        measure=large_template.measure,
        value=large_template.value,
        rounds=3,
    ),
    Metric(
        name="binds",
        title="100 ÷ 10 extra binds, per test",
        must=1.5,
        moonshot=1.15,
        measure=binds.measure,
        value=binds.value,
        rounds=5,
    ),
    Metric(
        name="endurance",
        title="test 10,000 ÷ test 100, latency",
        must=1.1,
        moonshot=None,
        measure=endurance.measure,
        value=endurance.value,
        rounds=1,
    ),
    Metric(
        name="streams",
        title="-n 2 on two cores ÷ -n 0, throughput",
        must=1.4,
        moonshot=1.8,
        measure=streams.measure,
        value=streams.value,
        rounds=1,
        at_least=True,
    ),
    Metric(
        name="start-up",
        title="start-up of a session with one isolated test, added, ÷ plain pytest's start-up",
        must=1.5,
        moonshot=0.7,
        measure=start_up.measure,
        value=start_up.value,
        rounds=15,
    ),
    Metric(
        name="idle",
        title="a session with the plugin and no isolated test ÷ without the plugin",
        must=1.02,
        moonshot=1.0,
        measure=idle_plugin.measure,
        value=idle_plugin.value,
        rounds=25,
    ),
    Metric(
        name="run-crun",
        title="python -m pytest_nsisolate run ÷ crun run",
        must=2.5,
        moonshot=1.9,
        measure=command_line.measure,
        value=command_line.module_to_crun,
        rounds=30,
    ),
    Metric(
        name="run-runc",
        title="python -m pytest_nsisolate run ÷ runc run",
        must=0.7,
        moonshot=0.5,
        measure=command_line.measure,
        value=command_line.module_to_runc,
        rounds=30,
    ),
    Metric(
        name="script-crun",
        title="nsisolate run ÷ crun run",
        must=2.0,
        moonshot=1.45,
        measure=command_line.measure,
        value=command_line.script_to_crun,
        rounds=30,
    ),
    Metric(
        name="run-memory",
        title="peak memory of nsisolate run ÷ runc's",
        must=1.1,
        moonshot=0.8,
        measure=command_line.measure,
        value=command_line.memory_to_runc,
        rounds=30,
    ),
)
