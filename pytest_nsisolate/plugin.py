"""The pytest plugin: hooks only. What is isolated runs in a sandbox; its phases stay native here.

The hooks of the three phases raise :class:`.host.phases.RemotePhase` before anything inside of them runs, and
``pytest_runtest_makereport`` returns the report that came from the sandbox instead. The protocol itself is
not replaced, so that whatever does replace it (reruns, say) works, each attempt in a fresh sandbox.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from .host.coverage import CoverageOfTests
from .host.phases import RemoteReports, ReportSource
from .limits import NO_LIMITS, Limits
from .options import (
    MARKS,
    MODES,
    Options,
    Request,
    add_options,
    costs_are_wanted,
    register_marks,
    wants_everything,
)
from .pytest_private import OpaqueRepr, disarm_faulthandler, forget_stray_exceptions, setup_state
from .pytest_private_output import interruptible
from .runtime.errors import NsisolateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .host.item_run import ItemRun
    from .host.launching import Launcher
    from .host.pool import Pool
    from .host.run import Run
    from .host.torn_down import TornDown
    from .rootfs.kinds import Sandbox

_IS_LINUX = sys.platform.startswith("linux")
_REQUEST = pytest.StashKey[Request | None]()
#: Seconds that wider scopes have for their teardown when the user interrupts the session.
_INTERRUPTED_WITHIN = 5.0

_RUN = pytest.StashKey["ItemRun | None"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks, and register what does the work unless it is turned off."""
    register_marks(config)
    mode = config.getoption("nsisolate")
    assert mode in MODES
    if mode != "off":
        if costs_are_wanted(config):
            from .costs import Costs

            config.pluginmanager.register(Costs(config), "nsisolate-costs")
        coverage = CoverageOfTests()
        isolation = Isolation(config, mode, coverage)
        config.pluginmanager.register(isolation, "nsisolate-isolation")
        config.pluginmanager.register(coverage, "nsisolate-coverage")
        reports = RemoteReports()
        config.pluginmanager.register(reports, "nsisolate-reports")
        config.pluginmanager.register(ReportSource(reports), "nsisolate-report-source")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what isolation is in force."""
    isolation: Isolation | None = config.pluginmanager.getplugin("nsisolate-isolation")
    return "nsisolate: off" if isolation is None else isolation.header()


class Isolation:
    """Runs isolated items in sandboxes."""

    def __init__(self, config: pytest.Config, mode: str, coverage: CoverageOfTests) -> None:
        self._config = config
        self._coverage = coverage
        self._mode = mode
        self._tells_costs = costs_are_wanted(config)
        self._pool: Pool | None = None
        self._run: Run | None = None
        self._order: Order | None = None
        self._launcher: Launcher | None = None
        self._unavailable = ""
        self._unenforceable: dict[Limits, str] = {}
        self._env: dict[str, str] = {}

    def header(self) -> str:
        """Return the line of pytest's header."""
        which = "all tests" if wants_everything(self._config) else "marked tests"
        return (
            f"nsisolate: {self._mode}, {which}, in user, pid, mount, uts, ipc and cgroup namespaces"
        )

    def pytest_sessionstart(self) -> None:
        """Leave the debugging of isolated tests to their sandboxes."""
        if self._config.getoption("usepdb", False):
            from .host.debugging import replace_pdb

            replace_pdb(self._config, _REQUEST)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Start the launcher of the first sandbox, if there will be one, while tests are collected."""
        option = self._config.option
        is_for_others = option.collectonly or getattr(option, "dist", "no") != "no"
        if not is_for_others and _IS_LINUX and wants_everything(self._config):
            # What is in the way is told where the sandbox is built.
            with suppress(NsisolateError):
                self._launcher = self._launcher_now()

    def _launcher_now(self) -> Launcher:
        """Return the launcher that was started ahead, or a new one."""
        from .host.launching import Launcher

        launcher, self._launcher = self._launcher, None
        return launcher or Launcher(self._config)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Work out what each item asks for, when everybody has had their say about marks."""
        self._warn_of_pytest_isolated()
        if not _IS_LINUX:
            self._unavailable = f"there are no Linux namespaces on {sys.platform}"
        options = Options(self._config)
        self._env = dict(options.env)
        for item in items:
            item.stash[_REQUEST] = options.request_of(item)

    def _warn_of_pytest_isolated(self) -> None:
        if self._config.pluginmanager.hasplugin("pytest_isolated"):
            self._config.issue_config_time_warning(
                pytest.PytestConfigWarning(
                    f"pytest-isolated is installed too and has the mark {MARKS[0]!r} as well; uninstall "
                    f"it, or mark tests {MARKS[1]!r} and run with -p no:pytest_isolated"
                ),
                stacklevel=2,
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Build the first sandbox before the first test: what this machine cannot give is told now."""
        if session.config.option.collectonly:
            return
        paths: dict[Sandbox, list[str]] = {}
        limited: dict[Limits, str] = {}
        for item in session.items:
            request = item.stash.get(_REQUEST, None)
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
        try:
            if not self._unavailable:
                self._launcher = self._launcher_now()  # it starts while we import
        except NsisolateError as error:
            self._unavailable = str(error)
        from . import originals
        from .host.diagnosis import explained
        from .host.pool import Pool
        from .host.template import TemplateLost

        originals.keep()
        try:
            if self._unavailable:
                raise NsisolateError(self._unavailable)
            self._pool = Pool(
                self._config,
                paths,
                self._env,
                self._coverage,
                self._launcher_now(),
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
            if self._mode == "require":
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
                if self._mode == "require":
                    raise pytest.UsageError(
                        f"nsisolate: {nodeid}: {error}\n"
                        "(--nsisolate=skip skips tests whose limits cannot be enforced)"
                    ) from None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Start the sandbox's run of an isolated item, and wait for its set-up."""
        request = item.stash.get(_REQUEST, None)
        if request is not None:
            from .host.item_run import NoRun

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

    def _following(self, request: Request) -> str | None:
        """Return the node id of the next item, if that is for the same sandbox."""
        item = None if self._order is None else self._order.nextitem
        wanted = None if item is None else item.stash.get(_REQUEST, None)
        if item is None or wanted is None or wanted.sandbox != request.sandbox:
            return None
        if wanted.limits != NO_LIMITS:
            return None  # its clone has to join its cgroup first
        return item.nodeid

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
            from .host.reruns import is_to_be_rerun

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
                from .costs import add_cost

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
            from .host.here import tear_down_here

            yield tear_down_here(item, following)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Keep pytest-timeout from timing an isolated item here: it does so in the sandbox."""
        return None if item.stash.get(_REQUEST, None) is None else True

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
