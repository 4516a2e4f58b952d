"""One corpus, run plainly and isolated: every report is the same in everything but durations.

A file `corpus_*` in `corpus/` is found by itself, and so is each test that is added to one. All of them are
run at once, because most of the time goes into starting pytest. `hosted.py` is run by itself.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import zip_longest
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from .project import Project

CORPUS = Path(__file__).parent / "corpus"

INI = """
[pytest]
addopts = --doctest-modules -p recorder -p anyio.pytest_plugin --junitxml=junit.xml
pythonpath = .
markers = env(name): what a test needs
junit_family = legacy
nsisolate_host_fixtures =
    hosted_session hosted_module hosted_class hosted_param hosted_fails hosted_skips hosted_fails_later
    hosted_fails_down
"""

#: What keeps files from being collected if it is an error.
IGNORED = ["-W", "ignore::pytest.PytestCollectionWarning"]

#: Errors of tests that have no frame of the test's: what is shown are the variables of pytest's frames.
WITHOUT_OWN_FRAMES = [
    "--deselect=test_fixtures.py::test_yields_never",
    "--deselect=test_hosted.py::test_hosted_not_run_but_expected",
    "--deselect=test_kinds.py::TestXunit::TestInner",
    # pytest 8.4 shows its own frames of this one.
    *(["--deselect=test_outcomes.py::test_xfail_not_run"] if pytest.version_tuple < (9,) else []),
]

#: Not --tb=native, which shows pytest's own frames, and where an error of a wide fixture was kept.
OPTIONS = {
    "default": ["-ra"],
    "short": ["-q", "--tb=short", "--runxfail"],
    "locals": ["--capture=sys", "--showlocals", "-vv", *WITHOUT_OWN_FRAMES],
    "colours": ["--color=yes", "-rA"],
    "through": ["--capture=no", "-v"],
    "errors": ["-o", "log_cli=true", "-o", "junit_logging=all", "-W", "error", *IGNORED],
    "setup-show": ["--setup-show"],
    "setup-plan": ["--setup-plan"],
}

#: Those with which fixtures of the host's are compared; not --setup-show, which shows that they are torn down
#: after all that the sandbox has set up.
HOSTED_OPTIONS = ["default", "locals", "colours", "through", "errors"]

#: At least as many tests, or the corpus was not found.
ENOUGH = 240


class Outcome:
    """All that can be seen of a run."""

    def __init__(
        self, project: Project, monkeypatch: pytest.MonkeyPatch, name: str, options: list[str]
    ) -> None:
        record, junit = project.path / f"{name}.record", project.path / "junit.xml"
        monkeypatch.setenv("CORPUS_RECORD", str(record))
        # What cannot be encoded is an error in some locales only.
        monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
        monkeypatch.setenv("PYTHONHASHSEED", "0")  # pytest puts colours into a set
        command = project.command(*options)
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=300
        )
        self.code = result.returncode
        self.records = [json.loads(line) for line in record.read_text().splitlines()]
        # When exactly, between the phases' reports, a warning is recorded, nobody sees.
        self.records.sort(key=lambda record: "warning" in record)
        # Some of the tests print what is no text.
        self.shown = comparable(result.stdout.decode(errors="replace").splitlines())
        self.errors = comparable(result.stderr.decode(errors="replace").splitlines())
        self.junit = list(elements(ET.parse(junit).getroot()))
        self.tests = len({record["id"] for record in self.records})
        shutil.rmtree(project.path / ".pytest_cache", ignore_errors=True)


def comparable(lines: list[str]) -> list[str]:
    """Return a run's lines without its header, addresses, durations, task numbers, temporary directories."""
    text = "\n".join(line for line in lines if not line.startswith("nsisolate: "))
    return re.sub(
        r"0x[0-9a-f]+|Task-\d+| in \d[\d.]*s.*|pytest-of-[^/]*/pytest-\d+|<CaptureManager .*|=",
        "",
        text,
    ).splitlines()


def elements(root: ET.Element) -> Any:
    """Yield all that junit's file says, durations, times and the machine's name aside."""
    for element in root.iter():
        attributes = {
            name: comparable([value])
            for name, value in element.attrib.items()
            if name not in ("time", "timestamp", "hostname")
        }
        yield element.tag, attributes, comparable([element.text or ""])


def differences(isolated: list[Any], plain: list[Any]) -> str:
    """Return the first differences, each as two lines."""
    found = [
        f"isolated: {one}\nplain:    {other}"
        for one, other in zip_longest(isolated, plain)
        if one != other
    ]
    return "\n".join([f"{len(found)} differences", *found[:10]]) if found else ""


@pytest.fixture
def corpus(project: Project) -> Project:
    """Return a project that has the corpus as its tests."""
    for path in CORPUS.glob("corpus_*"):
        shutil.copy(path, project.path / path.name.replace("corpus_", "test_"))
    shutil.copy(CORPUS / "project_conftest.py", project.path / "conftest.py")
    return project


@pytest.mark.parametrize("options", OPTIONS)
def test_isolated_as_plain(corpus: Project, monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    """Outcomes, phases, order, texts, sections, keywords, properties, warnings and summary are the same."""
    assert compare(corpus, monkeypatch, OPTIONS[options]) > ENOUGH


@pytest.mark.parametrize("options", HOSTED_OPTIONS)
def test_host_fixtures_as_plain(
    project: Project, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    """So they are of tests with fixtures that are set up on the host.

    There is no conftest: its hooks of a set-up come after the host's fixtures, and not before them.
    """
    shutil.copy(CORPUS / "hosted.py", project.path / "test_hosted.py")
    assert compare(project, monkeypatch, OPTIONS[options]) > 15


def compare(project: Project, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> int:
    """Run the project's tests plainly and isolated, and compare; return how many they are."""
    shutil.copy(CORPUS / "recorder.py", project.path)
    project.write("pytest.ini", INI)
    plain = Outcome(project, monkeypatch, "plain", options)
    isolated = Outcome(project, monkeypatch, "isolated", [*options, "--nsisolate-all"])
    assert not differences(isolated.records, plain.records)
    assert not differences(isolated.shown, plain.shown)
    assert not differences(isolated.errors, plain.errors)
    assert not differences(isolated.junit, plain.junit)
    assert isolated.code == plain.code
    return plain.tests
