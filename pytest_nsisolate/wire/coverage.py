"""What coverage.py measured, as plain data: by context and file, the lines or the arcs.

coverage.py's own serialisation is a script of SQL, which a hostile test could write; this is numbers.
"""

from __future__ import annotations

import os
from typing import Any

from ..runtime.record import Record
from .data import MalformedData

#: Lines are numbered below this, or coverage.py's bit fields of them would fill the memory.
_LAST_LINE = 10_000_000

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coverage import CoverageData


class Measured(Record):
    """What was run in one *file* in one *context*: line numbers, or with *arcs* pairs of them, flat."""

    context: str
    file: str
    tracer: str
    arcs: bool
    numbers: list[int]


def to_data(data: CoverageData) -> list[list[object]]:
    """Return what is in *data*."""
    arcs = data.has_arcs()
    found: list[list[object]] = []
    files = sorted(data.measured_files())
    for context in sorted(data.measured_contexts()):
        data.set_query_context(context)
        for file in files:
            numbers: list[int] = list(data.lines(file) or ()) if not arcs else []
            if arcs:
                for start, end in data.arcs(file) or ():
                    numbers += (start, end)
            if numbers:
                found.append([context, file, data.file_tracer(file) or "", arcs, numbers])
    return found


def from_data(message: Any) -> list[Measured]:
    """Return what :func:`to_data` described. Raises MalformedData."""
    found = []
    for context, file, tracer, arcs, numbers in message:
        texts = (context, file, tracer)
        if not all(isinstance(text, str) for text in texts) or not os.path.isabs(file):
            raise MalformedData("coverage of something that is not a file")
        if type(arcs) is not bool or (arcs and len(numbers) % 2):
            raise MalformedData("coverage that is neither lines nor arcs")
        if not all(type(n) is int and abs(n) < _LAST_LINE and (arcs or n > 0) for n in numbers):
            raise MalformedData("coverage with numbers that are not lines")
        found.append(
            Measured(context=context, file=file, tracer=tracer, arcs=arcs, numbers=numbers)
        )
    return found
