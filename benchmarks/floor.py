"""The physical limit: floor.c, built and run."""

from __future__ import annotations

from pathlib import Path

from .places import HERE, run


def build(cache: Path) -> str:
    """Build the program unless it is there; return its path."""
    source, program = HERE / "floor.c", cache / "floor"
    cache.mkdir(parents=True, exist_ok=True)
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        run(["gcc", "-O2", "-Wall", "-o", str(program), str(source)])
    return str(program)


def microseconds(program: str, project: Path, *arguments: str) -> list[float]:
    """Return what each of a series of containers took; the first few warm up."""
    return [float(line) for line in run([program, *arguments, str(project)]).split()][20:]
