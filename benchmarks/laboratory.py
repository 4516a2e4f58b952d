"""What metrics measure with: environments, workloads, programs; and what they have measured."""

from __future__ import annotations

import os
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from . import bundles, floor, workloads
from .peers import HEAVY, OURS, Environments, Peer
from .places import MeasurementError
from .sessions import Session, run_session


@dataclass(frozen=True, slots=True)
class Laboratory:
    """Measures, and keeps the samples by name."""

    cache: Path
    environments: Environments
    samples: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def keep(self, name: str, *values: float) -> None:
        """Add samples of what is called *name*, which ends with its unit."""
        self.samples[name].extend(values)

    def median(self, name: str) -> float:
        """Return the middle sample of *name*."""
        return statistics.median(self.samples.get(name, ()))

    def session(
        self, peer: Peer, count: int, *arguments: str, isolated: bool = True, **variables: str
    ) -> Session:
        """Run *count* trivial tests with the peer, isolated or not."""
        more = HEAVY if variables.get("BENCHMARK_HEAVY") else ()
        python = self.environments.python(peer, *more)
        project = workloads.trivial(self.cache, count)
        chosen = peer.arguments if isolated else ()
        return run_session(python, project, *chosen, *arguments, tests=count, **variables)

    def keep_session(self, name: str, session: Session) -> None:
        """Add a session's time and peak memory to what is called *name*."""
        self.keep(f"{name} (ms)", session.seconds * 1e3)
        self.keep(f"{name} (KiB)", session.peak)

    def try_session(self, name: str, peer: Peer, count: int) -> None:
        """Measure a session that no bound depends on: a peer's failure is said, and nothing is kept of it."""
        try:
            self.keep_session(name, self.session(peer, count))
        except MeasurementError as error:
            print(f"benchmarks: {name}: {error}", file=sys.stderr)

    def binds(self, count: int) -> Session:
        """Run 100 trivial tests, isolated, with *count* binds more than usual."""
        python = self.environments.python(OURS)
        project = workloads.binds(self.cache, count)
        return run_session(python, project, *OURS.arguments, tests=100)

    def floor(self, *arguments: str) -> list[float]:
        """Return the microseconds of the floor's containers."""
        project = workloads.trivial(self.cache, 300)
        return floor.microseconds(floor.build(self.cache), project, *arguments)

    def command(self, name: str, *command: str) -> None:
        """Run the bundle with a runtime's command; keep the time and the peak memory."""
        self._keep_run(name, bundles.command(self.cache, list(command)))

    def bubblewrap(self) -> None:
        """Run the bundle's program with bwrap, which takes no bundles; keep the same."""
        self._keep_run("bwrap", bundles.bubblewrap(self.cache))

    def _keep_run(self, name: str, full: list[str]) -> None:
        self.keep(f"run, {name} (ms)", bundles.seconds(full) * 1e3)
        self.keep(f"run, {name} (KiB)", bundles.peak_kib(full))

    def ours(self, *, console_script: bool) -> list[str]:
        """Return our own command line's beginning."""
        python = self.environments.python(OURS)
        if console_script:
            return [os.path.join(os.path.dirname(python), "nsisolate")]
        return [python, "-m", "pytest_nsisolate"]
