"""SECURITY.md promises nothing that no test holds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text()
ROWS = [line for line in SECURITY.splitlines() if line.startswith("| ") and "Promise" not in line]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECURITY)


def test_each_promise_names_a_test() -> None:
    """Every row of the table ends with what holds it."""
    assert len(ROWS) > 15
    for row in ROWS:
        assert re.search(r"`tests/[\w/]+\.py::\w+`", row.split("|")[2]), row


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: Path(part).stem)
def test_each_named_test_is_there(path: str, name: str) -> None:
    """The file has a test of that name."""
    tree = ast.parse((ROOT / path).read_text())
    assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert name.startswith("test_")


@pytest.mark.parametrize(
    "number",
    "2019-5736 2019-16884 2019-19921 2021-30465 2023-27561 2023-28642 2022-24769 2022-29162 2024-21626 "
    "2024-45310 2025-31133 2025-52565 2025-52881".split(),
)
def test_each_known_class_is_named(number: str) -> None:
    """The classes of escapes that are known from other runtimes are all in the table."""
    assert any(f"CVE-{number}" in row for row in ROWS)
