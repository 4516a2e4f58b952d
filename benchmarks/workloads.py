"""The projects whose tests are run."""

from __future__ import annotations

import shutil
from pathlib import Path

from .places import HERE


def trivial(cache: Path, count: int) -> Path:
    """Return a project of *count* tests that do nothing."""
    project = _project(cache, f"trivial-{count}")
    tests = "".join(f"def test_{number}():\n    pass\n\n\n" for number in range(count))
    (project / "test_trivial.py").write_text(tests)
    return project


def binds(cache: Path, count: int) -> Path:
    """Return a project of 100 trivial tests whose sandboxes have *count* more bind mounts."""
    project = _project(cache, f"binds-{count}")
    shown = cache / "shown"
    paths = []
    for number in range(count):
        paths.append(str(shown / str(number)))
        Path(paths[-1]).mkdir(parents=True, exist_ok=True)
    lines = "\n".join(f"    {path}" for path in paths)
    (project / "pytest.ini").write_text(f"[pytest]\nnsisolate_writable =\n{lines}\n")
    tests = "".join(f"def test_{number}():\n    pass\n\n\n" for number in range(100))
    (project / "test_trivial.py").write_text(tests)
    return project


def _project(cache: Path, name: str) -> Path:
    project = cache / "workloads" / name
    project.mkdir(parents=True, exist_ok=True)
    (project / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(HERE / "recorder.py", project / "conftest.py")
    return project
