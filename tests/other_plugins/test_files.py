"""Plugins that write files at the end of a session: what isolated tests did is in them."""

from __future__ import annotations

import base64
import html
import importlib.util
import json
import re
from typing import Any

import pytest

from ..capabilities import need
from ..plugin.comparison import run_with
from ..plugin.project import Project

#: A run's exit code, the files by name that it leaves, and the lines about them.
Seen = tuple[int, dict[str, str], list[str]]

MODES = ("--nsisolate=off", "--nsisolate-all")

TESTS = """
    import pytest

    def test_passes(record_property):
        record_property("name", "value")
        print("printed")

    def test_fails():
        print("why")
        assert 0

    @pytest.mark.skip(reason="a reason")
    def test_skipped():
        pass

    @pytest.fixture
    def broken():
        raise RuntimeError("broken")

    def test_error(broken):
        pass
"""


def without_times(value: Any) -> Any:
    """Return *value* without durations and times."""
    if isinstance(value, dict):
        timed = ("duration", "start", "stop")
        return {k: without_times(v) for k, v in value.items() if k not in timed}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return re.sub(r"\d+ ms|\d\d:\d\d:\d\d", "", value) if isinstance(value, str) else value


def test_html(project: Project) -> None:
    """pytest-html: the same report, with what hooks and fixtures add to it."""
    need(importlib.util.find_spec("pytest_html") is not None, "pytest-html")
    project.write("test_it.py", TESTS)
    project.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            from pytest_html import extras
            report = yield
            if report.when == "call":
                report.extras = [extras.text(f"extra of {item.name}")]
            return report
        """,
    )
    found = []
    for mode in MODES:
        options = ("--html=report.html", "--self-contained-html", mode)
        run_with(project, ["html", "metadata"], *options)
        text = (project.path / "report.html").read_text()
        blob = re.search(r'data-jsonblob="([^"]*)"', text)
        assert blob
        found.append(without_times(json.loads(html.unescape(blob[1]))))
    assert found[0] == found[1]
    assert base64.b64encode(b"extra of test_fails").decode() in str(found[1])


def test_reportlog(project: Project) -> None:
    """pytest-reportlog: the same lines."""
    need(importlib.util.find_spec("pytest_reportlog") is not None, "pytest-reportlog")
    project.write("test_it.py", TESTS)
    found = []
    for mode in MODES:
        run_with(project, ["pytest_reportlog.plugin"], "--report-log=log.json", mode)
        lines = (project.path / "log.json").read_text().splitlines()
        found.append([without_times(json.loads(line)) for line in lines])
    assert found[0] == found[1]
    assert len(found[1]) > 4 * 3


def test_benchmark(project: Project) -> None:
    """pytest-benchmark: the table and the file have every benchmark, with all that was measured."""
    need(importlib.util.find_spec("pytest_benchmark") is not None, "pytest-benchmark")
    project.write(
        "test_it.py",
        """
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        def test_fast(benchmark, number):
            assert benchmark(lambda: number + 1) == number + 1

        @pytest.mark.benchmark(group="pedantic")
        def test_pedantic(benchmark):
            benchmark.extra_info["key"] = "value"
            benchmark.pedantic(sum, args=([1, 2],), rounds=5, iterations=2)

        def test_none():
            pass
        """,
    )
    found = []
    for mode in MODES:
        options = ("--benchmark-json=out.json", "--benchmark-max-time=0.05", mode)
        result = run_with(project, ["benchmark"], *options)
        result.assert_outcomes(passed=4)
        result.stdout.fnmatch_lines(["*benchmark 'pedantic': 1 tests*", "test_pedantic *"])
        found.append(json.loads((project.path / "out.json").read_text())["benchmarks"])
    names = [[{**run, "stats": None} for run in runs] for runs in found]
    assert names[0] == names[1]
    stats = found[1][-1]["stats"]
    assert (stats["rounds"], stats["iterations"], len(stats["data"])) == (5, 2, 5)
    assert stats["min"] == min(stats["data"]) > 0


SNAPSHOTS = """
    import pytest
    from syrupy.extensions.json import JSONSnapshotExtension

    def test_one(snapshot):
        assert {"key": [1, 2]} == snapshot

    def test_two(snapshot):
        assert "text" == snapshot(name="named")
        assert 5 == snapshot

    def test_json(snapshot):
        assert {"x": 1} == snapshot(extension_class=JSONSnapshotExtension)

    class TestClass:
        @pytest.mark.parametrize("number", [1, 2])
        def test_parameter(self, snapshot, number):
            assert number == snapshot

    def test_without():
        pass
"""


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_syrupy(project: Project, workers: list[str]) -> None:
    """syrupy: snapshots are made, compared, updated and removed on the disk, and its report counts them."""
    need(importlib.util.find_spec("syrupy") is not None, "syrupy")
    plugins = ["syrupy", "xdist"] if workers else ["syrupy"]
    found = []
    for mode in MODES:
        project.run_program("rm", "-rf", "__snapshots__")
        seen: list[Seen] = []

        def run(*options: str, mode: str = mode, seen: list[Seen] = seen) -> None:
            result = run_with(project, plugins, *workers, *options, mode)
            files = {
                str(path.relative_to(project.path)): path.read_text()
                for path in sorted(project.path.glob("__snapshots__/**/*"))
                if path.is_file()
            }
            # In what order workers fail is not of interest.
            report = [line for line in result.outlines if re.match(r"\d+ snapshots? ", line)]
            seen.append((int(result.ret), files, report))

        project.write("test_it.py", SNAPSHOTS)
        run()
        run("--snapshot-update")
        run()
        project.write("test_it.py", SNAPSHOTS.replace("[1, 2]", "[1, 3]", 1))
        run()
        run("--snapshot-update")
        project.write("test_it.py", SNAPSHOTS.replace('assert "text" ==', "#"))
        run()
        run("--snapshot-update")
        found.append(seen)
    assert found[0] == found[1]
    assert [code for code, _files, _report in found[1]] == [1, 0, 0, 1, 0, 1, 0]


def test_syrupy_without_update(project: Project) -> None:
    """Without --snapshot-update nothing is written, whatever a test says that it wrote."""
    need(importlib.util.find_spec("syrupy") is not None, "syrupy")
    project.write(
        "test_it.py",
        """
        def test_it(snapshot, request):
            request.config.option.update_snapshots = True
            snapshot.update_snapshots = True
            assert 1 == snapshot
        """,
    )
    run_with(project, ["syrupy"], "--nsisolate-all").assert_outcomes(passed=1)
    assert not (project.path / "__snapshots__").exists()
