"""Reports of tests that ended without one: what happened, every thread's stack, the output so far."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from ..pytest_private import OpaqueRepr, sections_of_report
from ..wire.limits import STACKS_SIGNAL
from .template import Template, read_text

_STACKS_WITHIN = 5.0
_QUIET_FOR = 0.05


def crash_report(
    item: pytest.Item, when: str, problem: str, template: Template, duration: float
) -> pytest.TestReport:
    """Return the failed report of a phase that never reported."""
    stacks = "" if template.stacks.closed else _relevant(read_text(template.stacks))
    text = f"{problem}\n\n{stacks}".rstrip()
    sections = []
    for name, file in (("out", template.out), ("err", template.err)):
        output = "" if file.closed else read_text(file)
        if output:
            sections.append((f"Captured std{name} {when}", output))
    longrepr = OpaqueRepr(text, problem.partition("\n")[0])
    return _report(item, when, "failed", longrepr, sections, duration)


#: Frames from here outwards are pytest's and ours: how a test came to be called.
_MACHINERY = ("/_pytest/", "/pluggy/", "/pytest_nsisolate/template/")


def _relevant(stacks: str) -> str:
    """Return faulthandler's *stacks* without the frames of the machinery around a test."""
    kept = []
    in_machinery = False
    for line in stacks.splitlines():
        is_frame = line.startswith("  File ")
        if not is_frame:
            in_machinery = False
        elif any(part in line for part in _MACHINERY):
            in_machinery = True
        if not in_machinery:
            kept.append(line)
    return "\n".join(kept)


def passed_report(item: pytest.Item, when: str) -> pytest.TestReport:
    """Return the report of a phase after the one in which the test's process ended."""
    return _report(item, when, "passed", None, sections_of_report(item), 0.0)


def _report(
    item: pytest.Item,
    when: str,
    outcome: Any,
    longrepr: OpaqueRepr | None,
    sections: list[tuple[str, str]],
    duration: float,
) -> pytest.TestReport:
    stop = time.time()
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome=outcome,
        longrepr=longrepr,
        when=when,  # type: ignore[arg-type]
        sections=sections,
        duration=duration,
        start=stop - duration,
        stop=stop,
        user_properties=item.user_properties,
    )


def read_stacks(template: Template, pid: int) -> None:
    """Ask the process for its threads' stacks and wait until they are written."""
    template.signal(pid, STACKS_SIGNAL)
    size, quiet_since = 0, time.monotonic()
    give_up = quiet_since + _STACKS_WITHIN
    while time.monotonic() < give_up:
        time.sleep(0.01)
        now = os.fstat(template.stacks.fileno()).st_size
        if now != size:
            size, quiet_since = now, time.monotonic()
        elif size and time.monotonic() - quiet_since > _QUIET_FOR:
            return
