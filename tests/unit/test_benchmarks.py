"""The benchmarks' own arithmetic and tables, and that the floor stands."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from .. import capabilities

ROOT = str(Path(__file__).resolve().parents[2])
sys.path.insert(0, ROOT)  # the benchmarks are beside the tests, and not installed
from benchmarks import main  # noqa: E402
from benchmarks.figures import Figure, percentile  # noqa: E402
from benchmarks.floor import build, microseconds  # noqa: E402
from benchmarks.metrics import METRICS  # noqa: E402
from benchmarks.sessions import Session  # noqa: E402
from benchmarks.table import Result, samples_table, table  # noqa: E402

sys.path.remove(ROOT)


def test_percentiles() -> None:
    """A percentile is one of the samples: the smallest that so many are not above."""
    samples = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(samples, p) for p in (0, 20, 21, 50, 90, 100)] == [1, 1, 2, 3, 5, 5]
    assert Figure(unit="ms", samples=tuple(samples)).median == 3


def test_rates_and_latencies() -> None:
    """A rate is from one test's beginning to the next one's, a latency from its own beginning to its end."""
    session = Session(seconds=1, peak=1, stamps=((0.0, 0.1), (0.5, 0.7), (2.0, 2.5)))
    assert session.rates(skip=0) == pytest.approx([0.5e6, 1.5e6])
    assert session.latencies(skip=1) == pytest.approx([0.2e6, 0.5e6])


def test_metrics_have_names_of_their_own() -> None:
    """Each metric can be chosen by its name."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_table_says_which_bounds_hold() -> None:
    """A ratio has to be below its bound, a throughput above."""
    ratio = next(metric for metric in METRICS if metric.name == "forked")
    throughput = next(metric for metric in METRICS if metric.name == "streams")
    lines = table(
        [Result(metric=metric, value=value) for metric in (ratio, throughput) for value in (0.1, 9)]
    ).splitlines()[2:]
    assert [line.split("|")[-2].strip() for line in lines] == ["yes", "**no**", "**no**", "yes"]
    assert "| thing | 2.0 ms | 3.0 ms | 3 |" in samples_table({"thing (ms)": [1, 2, 3]})


def test_tables_of_an_earlier_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--from`` computes again what the samples come to, and leaves out what has none."""
    file = tmp_path / "run.json"
    samples = {"10 binds (us)": [10, 20, 30], "100 binds (us)": [30, 30]}
    file.write_text(json.dumps({"samples": samples}))
    assert main.main(["--from", str(file), "--cache", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "| 100 ÷ 10 extra binds, per test | ≤ 1.5 | ≤ 1.15 | 1.50 | yes |" in output
    assert output.count("| yes |") == 1


def test_an_unknown_metric(capsys: pytest.CaptureFixture[str]) -> None:
    """A metric that does not exist is an error that names it."""
    assert main.main(["--only", "speed"]) == 2
    assert "there is no metric 'speed'" in capsys.readouterr().err


def test_the_floor_stands(tmp_path: Path) -> None:
    """floor.c builds, and makes containers with every option that the metrics use."""
    capabilities.need(capabilities.can_unshare("-Ur"), "user namespaces")
    capabilities.need(shutil.which("gcc") is not None, "gcc")
    program = build(tmp_path)
    for options in ((), ("-i",), ("-s", "1"), ("-b", "3")):
        times = microseconds(program, tmp_path, "-n", "22", *options)
        assert len(times) == 2
        assert all(0 < time < 10e6 for time in times)
