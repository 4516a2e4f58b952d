"""The session's templates, one for each distinct sandbox, started when first needed."""

from __future__ import annotations

import pytest

from ..options import Request
from ..pytest_private_output import write_line
from ..rootfs.sandbox import Sandbox, readonly_projects
from ..runtime.errors import NsisolateError, SetupError
from .fixtures import ship_host_fixtures
from .run import Run, chain_of
from .template import Template
from .torn_down import TornDown


class Pool:
    """The templates of one session; *paths* are the files of each sandbox's tests, in order."""

    def __init__(
        self, config: pytest.Config, paths: dict[Sandbox, list[str]], env: dict[str, str]
    ) -> None:
        self._config = config
        self._paths = paths
        self._env = env
        self._templates: dict[Sandbox, Template] = {}
        self._failures: dict[Sandbox, NsisolateError] = {}
        self._overlay = True
        self._said: set[str] = set()

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
        template = Template(self._config, sandbox, self._paths.get(sandbox, []), self._env)
        for sentence in readonly_projects(sandbox):
            if sentence not in self._said:
                self._said.add(sentence)
                write_line(self._config, f"nsisolate: {sentence}")
        return template

    def run(self, item: pytest.Item, request: Request) -> Run:
        """Start an isolated run of *item*."""
        fixtures = ship_host_fixtures(item, self._config.getini("nsisolate_host_fixtures"))
        return Run(self.template_for(request.sandbox), item, request, fixtures)

    def tear_down_to(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[TornDown]:
        """Tear down, in every template, what *nextitem* does not need; return how that went.

        What was recorded in the meantime is recorded here, as being of *item*, the one before it.
        """
        results = []
        for template in self._live():
            try:
                torn_down = TornDown(item, template.tear_down(chain_of(nextitem)))
            except NsisolateError as error:
                template.kill()
                torn_down = TornDown(item, {"problem": str(error)})
            torn_down.replay()
            results.append(torn_down)
        return results

    def check_torn_down(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Tear templates down after a plain item; what fails is that item's failure."""
        for torn_down in self.tear_down_to(item, nextitem):
            if torn_down.problem:
                pytest.fail(torn_down.problem, pytrace=False)

    def _live(self) -> list[Template]:
        return [t for t in self._templates.values() if not t.finished]

    def finish(self) -> None:
        """Finish every template's session."""
        for template in self._live():
            try:
                template.finish()
            except NsisolateError:
                template.kill()

    def kill(self) -> None:
        """End every sandbox, now."""
        for template in self._live():
            template.kill()
