"""One corpus, run plainly and isolated: every report is the same in everything but durations.

A file `corpus_*.py` in `corpus/` is found by itself, and so is each test that is added to one.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from .project import Project

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path.name for path in CORPUS.glob("corpus_*.py"))

OPTIONS = {
    "default": [],
    "all-outcomes": ["-rA", "-v"],
    "locals": ["--showlocals", "-vv"],
    "short": ["--tb=short", "-q"],
    "runxfail": ["--runxfail"],
    "capture-sys": ["--capture=sys"],
    "errors": ["-W", "error"],
}


def run(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str, options: list[str]
) -> tuple[list[dict[str, Any]], pytest.RunResult]:
    """Run the corpus and return its records, warnings last, and the result."""
    record = project.path / name
    monkeypatch.setenv("CORPUS_RECORD", str(record))
    result = project.run("-p", "recorder", "-o", "pythonpath=.", *options)
    records = [json.loads(line) for line in record.read_text().splitlines()]
    # When exactly, between the phases' reports, a warning is recorded, nobody sees.
    return sorted(records, key=lambda record: "warning" in record), result


def shown(result: pytest.RunResult) -> list[str]:
    """Return the lines of a run without header, addresses, durations and temporary directories."""
    text = "\n".join(line for line in result.outlines if not line.startswith("nsisolate: "))
    return re.sub(
        r"0x[0-9a-f]+| in \d[\d.]*s.*|pytest-of-[^/]*/pytest-\d+|=", "", text
    ).splitlines()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("file", FILES)
def test_isolated_as_plain(
    project: Project, monkeypatch: pytest.MonkeyPatch, file: str, options: str
) -> None:
    """Outcomes, phases, order, texts, sections, keywords, properties, warnings and summary are the same."""
    shutil.copy(CORPUS / "recorder.py", project.path)
    shutil.copy(CORPUS / file, project.path / f"test_{file}")
    arguments = OPTIONS[options]
    plain, plain_result = run(project, monkeypatch, "plain", arguments)
    isolated, result = run(project, monkeypatch, "isolated", [*arguments, "--nsisolate-all"])
    for one, other in zip(isolated, plain, strict=False):
        assert one == other
    assert len(isolated) == len(plain)
    assert result.ret == plain_result.ret
    assert shown(result) == shown(plain_result)
