"""What is meant to outlive a test, and the session, does: pytest's cache, hypothesis's examples, tmp_path."""

from __future__ import annotations

import json

import pytest

from .project import Project


def test_cache(project: Project) -> None:
    """What a test puts into pytest's cache the next test, and the next session, find."""
    project.write(
        "test_it.py",
        """
        def test_sets(cache):
            cache.set("own/value", [1, {"a": None}])
            (cache.mkdir("own") / "file").write_text("kept")

        def test_gets(cache):
            assert cache.get("own/value", None) == [1, {"a": None}]
            assert (cache.mkdir("own") / "file").read_text() == "kept"
        """,
    )
    project.run("--nsisolate-all").assert_outcomes(passed=2)
    project.run("--nsisolate-all", "-k", "gets").assert_outcomes(passed=1)
    project.run("-k", "gets").assert_outcomes(passed=1)
    assert json.loads((project.path / ".pytest_cache/v/own/value").read_text()) == [1, {"a": None}]


def test_cache_is_not_led_out_of(project: Project) -> None:
    """A test that sends another key than ``cache.set`` takes fails, and nothing is written."""
    result = project.test(
        """
        from pytest_nsisolate.wire import frames
        from pytest_nsisolate.wire.data import dump

        def test_hostile(request):
            reporter = request.config.pluginmanager.get_plugin("nsisolate-reporter")
            message = {"key": "../../../planted", "value": "1"}
            frames.send(reporter._results, frames.CACHE, dump(message))
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the cache's key '../../../planted'*"])
    assert not list(project.path.parent.rglob("planted"))


def test_hypothesis_examples(project: Project) -> None:
    """A failing example is found again at once in the next session, each test in one sandbox."""
    project.write(
        "test_it.py",
        """
        import os
        from hypothesis import given, settings, strategies as st
        from hypothesis.database import DirectoryBasedExampleDatabase

        pids = set()

        # Hypothesis keeps none by itself where CI is set.
        @settings(
            max_examples=200,
            deadline=None,
            database=DirectoryBasedExampleDatabase(".hypothesis/examples"),
        )
        @given(st.integers())
        def test_it(number):
            pids.add(os.getpid())
            assert len(pids) == 1
            print("tried", number)
            assert number < 1000
        """,
    )
    project.run("--nsisolate-all").assert_outcomes(failed=1)
    assert list((project.path / ".hypothesis" / "examples").rglob("*"))
    result = project.run("--nsisolate-all")
    result.assert_outcomes(failed=1)
    assert result.outlines.count("tried 1000") >= 1
    first = next(line for line in result.outlines if line.startswith("tried "))
    assert first == "tried 1000"


@pytest.mark.parametrize("policy", ["all", "failed", "none"])
def test_retention_of_tmp_path(
    project: Project, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """What is left of ``tmp_path`` is by pytest's policy."""
    project.write(
        "test_it.py",
        """
        def test_passes(tmp_path):
            (tmp_path / "file").touch()

        def test_fails(tmp_path):
            (tmp_path / "file").touch()
            assert 0
        """,
    )
    left = []
    for mode in ("plain", "isolated"):
        root = project.path / f"root-{mode}"
        root.mkdir()
        options = ["--nsisolate-all"] if mode == "isolated" else []
        monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", str(root))
        project.run("-o", f"tmp_path_retention_policy={policy}", *options)
        left.append(sorted(str(path.relative_to(root)) for path in root.rglob("*/test_*")))
    assert left[1] == left[0]
    assert bool(left[0]) == (policy != "none")
