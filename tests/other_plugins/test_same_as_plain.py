"""With each plugin, a plain and an isolated run print the same lines and end with the same code."""

from __future__ import annotations

import importlib.util

import pytest

from ..capabilities import need
from ..plugin.comparison import run_both
from ..plugin.project import Project
from .cases import CASES


@pytest.mark.parametrize("name", CASES)
def test_same_as_plain(project: Project, name: str) -> None:
    """Outcomes, order, texts, output and summary are the same."""
    case = CASES[name]
    if name == "subtests" and not hasattr(pytest, "Subtests"):
        case = case._replace(needs=("pytest_subtests",), plugins=("pytest_subtests.plugin",))
    for module in case.needs:
        need(importlib.util.find_spec(module) is not None, module)
    for path, text in case.files.items():
        project.write(path, text)
    _plain, isolated = run_both(project, "-rA", "-v", *case.options, plugins=case.plugins)
    assert isolated.ret == pytest.ExitCode.TESTS_FAILED
