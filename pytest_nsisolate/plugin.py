"""The pytest plugin: hooks only. What is isolated runs in a sandbox; its phases stay native here.

The hooks of the three phases raise :class:`RemotePhase` before anything inside of them runs, and
``pytest_runtest_makereport`` returns the report that came from the sandbox instead. The protocol itself is
not replaced, so that whatever does replace it (reruns, say) works, each attempt in a fresh sandbox.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from .host.coverage import CoverageOfTests
from .limits import NO_LIMITS, Limits
from .options import (
    MARKS,
    MODES,
    Options,
    Request,
    add_options,
    register_marks,
    wants_everything,
)
from .pytest_private import OpaqueRepr, disarm_faulthandler, setup_state
from .runtime.errors import NsisolateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .host.pool import Pool
    from .host.run import ItemRun
    from .rootfs.sandbox import Sandbox

_REQUEST = pytest.StashKey[Request | None]()
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
        coverage = CoverageOfTests()
        isolation = Isolation(config, mode, coverage)
        config.pluginmanager.register(isolation, "nsisolate-isolation")
        config.pluginmanager.register(coverage, "nsisolate-coverage")


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
        self._pool: Pool | None = None
        self._unavailable = ""
        self._unenforceable: dict[Limits, str] = {}
        self._env: dict[str, str] = {}

    def header(self) -> str:
        """Return the line of pytest's header."""
        which = "all tests" if wants_everything(self._config) else "marked tests"
        return (
            f"nsisolate: {self._mode}, {which}, in user, pid, mount, uts, ipc and cgroup namespaces"
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Work out what each item asks for, when everybody has had their say about marks."""
        self._warn_of_pytest_isolated()
        if not sys.platform.startswith("linux"):
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
            self._open(paths, limited)

    def _open(self, paths: dict[Sandbox, list[str]], limited: dict[Limits, str]) -> None:
        from . import originals
        from .host.diagnosis import explained
        from .host.pool import Pool
        from .host.template import TemplateLost

        originals.keep()
        try:
            if self._unavailable:
                raise NsisolateError(self._unavailable)
            self._pool = Pool(self._config, paths, self._env, self._coverage, limited=bool(limited))
            self._pool.template_for(next(iter(paths)))
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
        __tracebackhide__ = True
        from .host.run import NoRun

        request = item.stash.get(_REQUEST, None)
        item.stash[_RUN] = None
        if request is not None:
            # Whatever is raised in here is this phase's, and the later ones must know of it.
            item.stash[_RUN] = NoRun(item)
            disarm_faulthandler()  # the sandbox has a watchdog of its own
            item.stash[_RUN] = run = self._start_run(item, request)
            raise RemotePhase(run.phase("setup"), run.exception_of("setup"))
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
            return self._pool.run(item, request)
        except NsisolateError as error:
            problem = str(error)
        # Out here, or the report would have the error's own causes, too.
        pytest.fail(f"the sandbox could not be started: {problem}", pytrace=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Wait for the sandbox's call of an isolated item."""
        __tracebackhide__ = True
        run = item.stash.get(_RUN, None)
        if run is not None:
            raise RemotePhase(run.phase("call"), run.exception_of("call"))
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Iterator[None]:
        """Wait for the sandbox's teardown of an isolated item, then tear wider scopes down."""
        __tracebackhide__ = True
        from .host.reruns import is_to_be_rerun

        run = item.stash.get(_RUN, None)
        if run is not None:
            report = run.phase("teardown")
            problem = run.finish()
            if problem and not report.failed:
                report.outcome, report.longrepr = "failed", OpaqueRepr(problem, problem)
            # Plain items before this one may have left wider scopes set up here.
            setup_state(item.session).teardown_exact(nextitem)
            if self._pool is not None:
                # Wider scopes stay set up for the next attempt.
                following = item if is_to_be_rerun(item) else nextitem
                for torn_down in self._pool.tear_down_to(following):
                    torn_down.merge_into(report)
            raise RemotePhase(report, run.exception_of("teardown"))
        result = yield
        if self._pool is not None:
            self._pool.check_torn_down(nextitem)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> pytest.TestReport | None:
        """Return the report that came from the sandbox."""
        if call.excinfo is None or not isinstance(call.excinfo.value, RemotePhase):
            return None
        phase = call.excinfo.value
        call.excinfo = phase.excinfo()
        return phase.report

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Keep pytest-timeout from timing an isolated item here: it does so in the sandbox."""
        return None if item.stash.get(_REQUEST, None) is None else True

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """End the sandboxes: in order, or at once if the session was interrupted."""
        if self._pool is None:
            return
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            self._pool.kill()
        else:
            self._pool.finish()

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind, however the session ended."""
        if self._pool is not None:
            self._pool.kill()


class RemotePhase(BaseException):
    """Raised in a phase's hook to keep it from running here: it ran in the sandbox."""

    def __init__(self, report: pytest.TestReport, error: BaseException | None) -> None:
        super().__init__("this phase ran in a sandbox")
        self.report = report
        self._error = error

    def excinfo(self) -> pytest.ExceptionInfo[BaseException] | None:
        """Return what ended the phase in there, as pytest wants it."""
        if self._error is None or self._error.__traceback__ is None:
            return None
        return pytest.ExceptionInfo.from_exception(self._error)
