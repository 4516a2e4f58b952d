"""The command: chooses metrics, measures them round by round, prints the table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import StatisticsError

from .laboratory import Laboratory
from .machine import describe
from .metrics import METRICS, Metric
from .peers import Environments
from .places import MeasurementError, default_cache
from .table import Result, samples_table, table


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    options = _options(arguments)
    if options.list:
        print("\n".join(f"{metric.name:14} {metric.title}" for metric in METRICS))
        return 0
    unknown = set(options.only or ()) - {metric.name for metric in METRICS}
    if unknown:
        print(f"benchmarks: there is no metric {min(unknown)!r}; --list", file=sys.stderr)
        return 2
    chosen = [metric for metric in METRICS if not options.only or metric.name in options.only]
    cache = Path(options.cache).resolve()
    laboratory = Laboratory(cache, Environments(cache))
    if options.again:
        results, failed = _compute(chosen, laboratory, options.again), False
    else:
        results, failed = _measure(chosen, laboratory, options.rounds)
    print(describe())
    print(table(results))
    print()
    print(samples_table(laboratory.samples))
    if options.json:
        _write_json(Path(options.json), results, laboratory)
    if options.chart:
        from .chart import draw

        draw(results, Path(options.chart))
    return 2 if failed else int(not all(result.holds for result in results))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these metrics")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of each metric's own")
    parser.add_argument("--json", metavar="FILE", help="write results and samples")
    parser.add_argument("--chart", metavar="FILE", help="draw a chart (SVG or PNG)")
    parser.add_argument(
        "--from",
        dest="again",
        nargs="+",
        metavar="FILE",
        help="measure nothing: take the samples of JSON files of earlier runs, each metric's from one",
    )
    parser.add_argument("--cache", metavar="DIR", default=str(default_cache()))
    parser.add_argument("--list", action="store_true", help="print the metrics' names")
    return parser.parse_args(arguments)


def _measure(
    chosen: list[Metric], laboratory: Laboratory, rounds: int | None
) -> tuple[list[Result], bool]:
    """Measure; metrics of the same measurement share its samples."""
    results, failed = [], False
    done: dict[Callable[[Laboratory], None], str] = {}
    for metric in chosen:
        if metric.measure not in done:
            print(f"measuring {metric.name}", file=sys.stderr)
            done[metric.measure] = _run_rounds(metric, laboratory, rounds or metric.rounds)
        problem = done[metric.measure]
        if problem:
            print(f"benchmarks: {metric.name}: {problem}", file=sys.stderr)
            failed = True
            continue
        results.append(Result(metric=metric, value=metric.value(laboratory)))
    return results, failed


def _compute(chosen: list[Metric], laboratory: Laboratory, files: list[str]) -> list[Result]:
    """Compute what the samples in *files* come to."""
    for file in files:
        for name, samples in json.loads(Path(file).read_text())["samples"].items():
            laboratory.keep(name, *samples)
    results = []
    for metric in chosen:
        try:
            results.append(Result(metric=metric, value=metric.value(laboratory)))
        except StatisticsError:
            pass  # its samples are not among them
    return results


def _run_rounds(metric: Metric, laboratory: Laboratory, rounds: int) -> str:
    """Measure *rounds* times; return what kept it from it, or an empty string."""
    try:
        for _ in range(rounds):
            metric.measure(laboratory)
    except MeasurementError as error:
        return str(error)
    return ""


def _write_json(path: Path, results: list[Result], laboratory: Laboratory) -> None:
    content = {
        "machine": describe(),
        "metrics": {
            result.metric.name: {
                "title": result.metric.title,
                "must": result.metric.must,
                "moonshot": result.metric.moonshot,
                "reached": result.value,
                "holds": result.holds,
            }
            for result in results
        },
        "samples": laboratory.samples,
    }
    path.write_text(json.dumps(content, indent=1))
