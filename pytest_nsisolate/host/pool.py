"""The session's templates, one for each distinct sandbox, started when first needed."""

from __future__ import annotations

from typing import Any

import pytest

from ..options import Request
from ..pytest_private import write_line
from ..rootfs.sandbox import Sandbox, readonly_projects
from ..runtime.errors import NsisolateError, SetupError
from ..wire.data import MALFORMED
from .fixtures import ship_host_fixtures
from .reports import rebuild_teardown
from .run import Run, chain_of
from .template import Template, TemplateLost


class TornDown:
    """How the teardown of wider scopes in a template went."""

    def __init__(self, config: pytest.Config, data: Any) -> None:
        self._report: Any = None
        try:
            if data.get("report"):
                self._report = rebuild_teardown(config, data["report"])
            self.problem = str(data.get("problem", ""))
            self._output = [(name, str(data.get(name, ""))) for name in ("out", "err")]
        except MALFORMED as error:
            raise TemplateLost(f"the template sent a malformed message: {error}") from None
        if self._report is not None:
            self.problem = self._report.longreprtext

    def merge_into(self, report: pytest.TestReport) -> None:
        """Make this part of the teardown *report* of the item after which it happened."""
        for name, text in self._output:
            if text:
                _add_output(report, f"Captured std{name} teardown", text)
        if not self.problem:
            return
        if report.failed:
            report.sections.append(("teardown of wider scopes", self.problem))
            return
        report.outcome = "failed"
        report.longrepr = self._report.longrepr if self._report is not None else self.problem


def _add_output(report: pytest.TestReport, name: str, text: str) -> None:
    """Add to the section *name* what was printed after what is in it."""
    for number, (other, before) in enumerate(report.sections):
        if other == name:
            report.sections[number] = (name, before + text)
            return
    report.sections.append((name, text))


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

    def tear_down_to(self, nextitem: pytest.Item | None) -> list[TornDown]:
        """Tear down, in every template, what *nextitem* does not need; return how that went."""
        results = []
        for template in self._live():
            try:
                data = template.tear_down(chain_of(nextitem))
                results.append(TornDown(self._config, data))
            except NsisolateError as error:
                template.kill()
                results.append(TornDown(self._config, {"problem": str(error)}))
        return results

    def check_torn_down(self, nextitem: pytest.Item | None) -> None:
        """Tear templates down after a plain item; what fails is that item's failure."""
        for torn_down in self.tear_down_to(nextitem):
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
