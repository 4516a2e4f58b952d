"""Running isolated items: the hooks of a session that has any.

The hooks of the three phases raise :class:`.phases.RemotePhase` before anything inside of them runs, and
``pytest_runtest_makereport`` returns the report that came from the sandbox instead. The protocol itself is
not replaced, so that whatever does replace it (reruns, say) works, each attempt in a fresh sandbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from .. import originals
from ..limits import NO_LIMITS, Limits
from ..options import REQUEST, Request, costs_are_wanted
from ..pytest_private import (
    OpaqueRepr,
    disarm_faulthandler,
    forget_stray_exceptions,
    identity,
    setup_state,
)
from ..pytest_private_output import interruptible
from ..runtime.errors import NsisolateError
from .coverage import CoverageOfTests
from .launching import Launcher
from .phases import RemoteReports, ReportSource

if TYPE_CHECKING:
    from ..rootfs.kinds import Sandbox
    from .item_run import ItemRun
    from .pool import Pool
    from .run import Run
    from .torn_down import TornDown

_RUN = pytest.StashKey["ItemRun | None"]()
#: Seconds that wider scopes have for their teardown when the user interrupts the session.
_INTERRUPTED_WITHIN = 5.0


def register(config: pytest.Config, isolation: Isolation) -> None:
    """Register all that a session with isolated items needs."""
    manager = config.pluginmanager
    manager.register(isolation, "nsisolate-isolation")
    manager.register(isolation.coverage, "nsisolate-coverage")
    reports = RemoteReports()
    manager.register(reports, "nsisolate-reports")
    manager.register(ReportSource(reports), "nsisolate-report-source")


class Isolation:
    """Runs isolated items in sandboxes.

    *launcher* is one that was started ahead, *unavailable* says why there can be no sandboxes.
    """

    def __init__(
        self,
        config: pytest.Config,
        env: dict[str, str],
        launcher: Launcher | None,
        unavailable: str,
    ) -> None:
        self.coverage = CoverageOfTests()
        self._config = config
        self._env = env
        self._launcher = launcher
        self._unavailable = unavailable
        self._is_required = config.getoption("nsisolate") == "require"
        self._tells_costs = costs_are_wanted(config)
        self._pool: Pool | None = None
        self._run: Run | None = None
        self._order: Order | None = None
        self._unenforceable: dict[Limits, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Build the first sandbox before the first test: what this machine cannot give is told now."""
        paths: dict[Sandbox, list[str]] = {}
        limited: dict[Limits, str] = {}
        for item in session.items:
            request = item.stash.get(REQUEST, None)
            if request is not None:
                files = paths.setdefault(request.sandbox, [])
                if str(item.path) not in files[-1:]:
                    files.append(str(item.path))
                if request.limits != NO_LIMITS:
                    limited.setdefault(request.limits, item.nodeid)
        if paths:
            self._open(paths, limited, len(session.items))

    def _open(
        self, paths: dict[Sandbox, list[str]], limited: dict[Limits, str], tests: int
    ) -> None:
        from .diagnosis import explained
        from .pool import Pool
        from .template import TemplateLost

        originals.keep()
        try:
            if self._unavailable:
                raise NsisolateError(self._unavailable)
            launcher, self._launcher = self._launcher or Launcher(self._config), None
            self._pool = Pool(
                self._config,
                paths,
                self._env,
                self.coverage,
                launcher,
                tests=tests,
                limited=bool(limited),
            )
            self._order = Order()
            self._config.pluginmanager.register(self._order, "nsisolate-order")
            self._pool.template_for(next(iter(paths)))
            # Of what came of collecting the template has the same, and its first test reports it.
            forget_stray_exceptions(self._config)
        except TemplateLost as error:
            # That is not this machine's fault, and nothing to skip tests for.
            raise pytest.UsageError(f"nsisolate: {error}") from None
        except NsisolateError as error:
            self._pool = None
            self._unavailable = f"isolation is not available: {explained(error)}"
            if self._is_required:
                raise pytest.UsageError(
                    f"nsisolate: {self._unavailable}\n"
                    "(--nsisolate=skip skips these tests, --nsisolate=off runs them without isolation)"
                ) from None
            return
        self._check_limits(self._pool, limited)

    def _check_limits(self, pool: Pool, limited: dict[Limits, str]) -> None:
        """Find out now which limits this machine can enforce. Raises UsageError if one is required."""
        for limits, nodeid in limited.items():
            try:
                pool.prepare_limits(limits)
            except NsisolateError as error:
                self._unenforceable[limits] = str(error)
                if self._is_required:
                    raise pytest.UsageError(
                        f"nsisolate: {nodeid}: {error}\n"
                        "(--nsisolate=skip skips tests whose limits cannot be enforced)"
                    ) from None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Start the sandbox's run of an isolated item, and wait for its set-up."""
        request = item.stash.get(REQUEST, None)
        if request is not None:
            from .item_run import NoRun

            # Whatever is raised in here is this phase's, and the later ones must know of it.
            item.stash[_RUN] = NoRun(item)
            disarm_faulthandler()  # the sandbox has a watchdog of its own
            with interruptible(item.config):
                item.stash[_RUN] = run = self._start_run(item, request)
                report = run.phase("setup")
            raise run.remote_phase("setup", report)
        return (yield)

    def _start_run(self, item: pytest.Item, request: Request) -> ItemRun:
        if self._pool is None:
            # At the test's place, not at this one.
            raise pytest.skip.Exception(self._unavailable, _use_item_location=True)
        if request.limits in self._unenforceable:
            raise pytest.skip.Exception(
                self._unenforceable[request.limits], _use_item_location=True
            )
        try:
            self._run = self._pool.run(item, request, self._following(request))
        except NsisolateError as error:
            problem = str(error)
        else:
            return self._run
        # Out here, or the report would have the error's own causes, too.
        pytest.fail(f"the sandbox could not be started: {problem}", pytrace=False)

    def _following(self, request: Request) -> tuple[str, str] | None:
        """Return the identity of the next item, if that is for the same sandbox."""
        item = None if self._order is None else self._order.nextitem
        wanted = None if item is None else item.stash.get(REQUEST, None)
        if item is None or wanted is None or wanted.sandbox != request.sandbox:
            return None
        if wanted.limits != NO_LIMITS:
            return None  # its clone has to join its cgroup first
        return identity(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Wait for the sandbox's call of an isolated item."""
        run = item.stash.get(_RUN, None)
        if run is not None:
            with interruptible(item.config):
                report = run.phase("call")
            raise run.remote_phase("call", report)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Iterator[None]:
        """Wait for the sandbox's teardown of an isolated item, then tear wider scopes down."""
        run = item.stash.get(_RUN, None)
        if run is not None:
            from .reruns import is_to_be_rerun

            with interruptible(item.config):
                report = run.phase("teardown")
                problem = run.finish()
            # Before wider scopes are torn down, which is no cost of the sandbox's.
            cost = run.cost() if self._tells_costs else None
            if problem and not report.failed:
                report.outcome, report.longrepr = "failed", OpaqueRepr(problem, problem)
            # Wider scopes stay set up for the next attempt.
            following = item if is_to_be_rerun(item) else nextitem
            for torn_down in self._tear_down_to(item, following):
                if not report.failed:
                    run.blame("teardown", torn_down.error)
                torn_down.merge_into(report)
            if cost is not None:
                from ..costs import add_cost

                add_cost(report, cost)
            del item.stash[_RUN]  # the session keeps its items, and needs nothing more of this
            raise run.remote_phase("teardown", report)
        result = yield
        if self._pool is not None:
            self._pool.check_torn_down(item, nextitem)
        return result

    def _tear_down_to(self, item: pytest.Item, following: pytest.Item | None) -> Iterator[TornDown]:
        """Tear down what *following* does not need: in the sandboxes, then here, and tell how that went.

        What is here are the host's fixtures, which those in the sandboxes may use, and what plain items
        have left set up.
        """
        if self._pool is not None:
            yield from self._pool.tear_down_to(item, following)
        if setup_state(item.session).stack:
            from .here import tear_down_here

            yield tear_down_here(item, following)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Keep pytest-timeout from timing an isolated item here: it does so in the sandbox."""
        return None if item.stash.get(REQUEST, None) is None else True

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """End the sandboxes in order, but with no patience if the session was interrupted."""
        if self._pool is None:
            return
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
        if interrupted and self._run is not None:
            self._run.abandon()
        self._pool.finish(_INTERRUPTED_WITHIN if interrupted else None)

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind, however the session ended."""
        if self._launcher is not None:
            self._launcher.discard()
        if self._pool is not None:
            self._pool.kill()


class Order:
    """Remembers what is run next; registered only if there are isolated items."""

    def __init__(self) -> None:
        self.nextitem: pytest.Item | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, nextitem: pytest.Item | None) -> Iterator[None]:
        """Note the next item."""
        self.nextitem = nextitem
        return (yield)
