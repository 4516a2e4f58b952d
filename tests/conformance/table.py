"""The table of a run: test, result, seconds, note; tab-separated, with a header line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError

PASS, FAIL, SKIP = "pass", "fail", "skip"
RESULTS = (PASS, FAIL, SKIP)

_NOTE_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one test gave: *result* is one of RESULTS, *note* one line that says why."""

    test: str
    result: str
    seconds: float
    note: str = ""

    def line(self) -> str:
        """Return the line of the table, without the line feed."""
        return f"{self.test}\t{self.result}\t{self.seconds:.2f}\t{one_line(self.note)}"


def one_line(text: str) -> str:
    """Return *text* with its white space as single blanks, cut to the length of a note."""
    return re.sub(r"\s+", " ", text).strip()[:_NOTE_LENGTH]


class TableFile:
    """A table that grows by a line as each test ends, so that an interrupted run has one too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text("test\tresult\tseconds\tnote\n", encoding="utf-8")

    def add(self, result: Result) -> None:
        """Write a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(result.line() + "\n")


def read_rows(path: Path, *header: str) -> list[dict[str, str]]:
    """Return the rows of a tab-separated file by column; raise SetupError if its columns are not *header*."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    if not lines or tuple(lines[0].split("\t")) != header:
        raise SetupError(f"{path}: the first line has to name the columns {', '.join(header)}")
    rows = []
    for line in lines[1:]:
        fields = line.split("\t")
        if len(fields) != len(header):
            raise SetupError(f"{path}: not {len(header)} columns: {line!r}")
        rows.append(dict(zip(header, fields, strict=True)))
    return rows


def read_table(path: Path) -> list[Result]:
    """Return the results in a table that TableFile wrote."""
    return [
        Result(
            test=row["test"], result=row["result"], seconds=float(row["seconds"]), note=row["note"]
        )
        for row in read_rows(path, "test", "result", "seconds", "note")
    ]


def totals(results: Iterable[Result]) -> str:
    """Count the results: ``94 passed, 2 failed, 12 skipped``."""
    counted = Counter(result.result for result in results)
    return f"{counted[PASS]} passed, {counted[FAIL]} failed, {counted[SKIP]} skipped"
