"""The session's templates, one for each distinct sandbox, started when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ..limits import Limits
from ..options import Request
from ..pytest_private_output import write_line
from ..rootfs.kinds import Sandbox
from ..rootfs.sandbox import readonly_projects
from ..runtime.errors import NsisolateError, SetupError
from .coverage import CoverageOfTests
from .launching import Launcher, as_setup_error
from .template import Template

if TYPE_CHECKING:
    from .limiting import Enforcement
    from .run import Run
    from .torn_down import TornDown


class Pool:
    """The templates of one session; *paths* are the files of each sandbox's tests, in order."""

    def __init__(
        self,
        config: pytest.Config,
        paths: dict[Sandbox, list[str]],
        env: dict[str, str],
        coverage: CoverageOfTests,
        launcher: Launcher,
        *,
        tests: int,
        limited: bool = False,
    ) -> None:
        self._launcher: Launcher | None = launcher
        self._config = config
        self._paths = paths
        self._tests = tests
        self._env = env
        self._templates: dict[Sandbox, Template] = {}
        self._failures: dict[Sandbox, NsisolateError] = {}
        self._limited = limited
        self._enforcements: dict[Limits, Enforcement] = {}
        self._overlay = True
        self._said: set[str] = set()
        self._kept_for: pytest.Item | None = None
        self._coverage = coverage
        coverage.ask_at_end(self._measured)

    def template_for(self, sandbox: Sandbox) -> Template:
        """Return the template for *sandbox*, started if need be. Raises NsisolateError."""
        template = self._templates.get(sandbox)
        if template is not None and not template.finished:
            return template
        if sandbox in self._failures:
            raise self._failures[sandbox]
        try:
            template = self._templates[sandbox] = self._start(sandbox)
        except NsisolateError as error:
            # It would not start for the next test either.
            self._failures[sandbox] = error
            raise
        return template

    def _start(self, sandbox: Sandbox) -> Template:
        try:
            return self._try(sandbox if self._overlay else sandbox.replace(overlay=False))
        except SetupError as error:
            if not error.call.startswith("mount -t overlay") or sandbox.root:
                raise
            # The kernel, or the project's file system, has no overlay for user namespaces.
            self._overlay = False
            return self._try(sandbox.replace(overlay=False))

    def _try(self, sandbox: Sandbox) -> Template:
        series = None
        if self._limited:
            from .limiting import new_series

            series = new_series()
        paths = self._paths.get(sandbox, [])
        launcher, self._launcher = self._launcher or Launcher(self._config), None
        try:
            with as_setup_error("template"):
                template = Template(
                    self._config,
                    sandbox,
                    paths,
                    self._tests,
                    self._env,
                    self._coverage,
                    launcher,
                    series,
                )
                # What runs tests is imported while their sandbox is made.
                from . import fixtures, limiting, run, torn_down  # noqa: F401

                template.start()
        except BaseException:
            launcher.discard()
            raise
        for sentence in readonly_projects(sandbox):
            if sentence not in self._said:
                self._said.add(sentence)
                write_line(self._config, f"nsisolate: {sentence}")
        return template

    def prepare_limits(self, limits: Limits) -> None:
        """Find out how *limits* are enforced. Raises NsisolateError if they cannot be."""
        from .limiting import find_enforcement

        self._enforcements[limits] = find_enforcement(limits)

    def run(self, item: pytest.Item, request: Request, following: tuple[str, str] | None) -> Run:
        """Start an isolated run of *item*; *following* is the identity of what is run there next."""
        from .fixtures import ship_host_fixtures
        from .limiting import Limited
        from .run import Run

        fixtures = ship_host_fixtures(item, self._config.getini("nsisolate_host_fixtures"))
        template = self.template_for(request.sandbox)
        if self._kept_for is not None and self._kept_for is not item:
            # It was kept for another attempt of that item, which did not come.
            self.tear_down_to(self._kept_for, item)
        if request.limits not in self._enforcements:
            self.prepare_limits(request.limits)
        limited = Limited(request.limits, self._enforcements[request.limits], template.series)
        with as_setup_error("run"):
            return Run(template, item, request, fixtures, limited, following)

    def tear_down_to(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[TornDown]:
        """Tear down, in every template, what *nextitem* does not need; return how that went.

        What was recorded in the meantime is recorded here, as being of *item*, the one before it.
        """
        from .order import chain_of
        from .torn_down import TornDown

        self._kept_for = nextitem
        results = []
        for template in self._live():
            torn_down = TornDown()
            try:
                torn_down.read(item, template.tear_down(chain_of(nextitem)))
            except NsisolateError as error:
                template.kill()
                torn_down.problem = str(error)
            torn_down.replay()
            results.append(torn_down)
        return results

    def check_torn_down(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Tear templates down after a plain item; what fails is that item's failure."""
        for torn_down in self.tear_down_to(item, nextitem):
            if torn_down.problem:
                pytest.fail(torn_down.problem, pytrace=False)

    def _measured(self) -> None:
        for template in self._live():
            try:
                template.measured()
            except NsisolateError:
                template.kill()

    def _live(self) -> list[Template]:
        return [t for t in self._templates.values() if not t.finished]

    def finish(self, within: float | None = None) -> None:
        """Finish every template's session; kill those that take longer than *within* seconds."""
        for template in self._live():
            template.finish(within)

    def kill(self) -> None:
        """End every sandbox, now."""
        for template in self._live():
            template.kill()
