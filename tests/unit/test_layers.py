"""Which module may import which: imports go downward only, and the runtime knows no pytest."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_nsisolate

PACKAGE = Path(pytest_nsisolate.__file__).parent

#: room: the rooms of the package that it may import from. A room that is not here may import from all.
ALLOWED = {
    "runtime": {"runtime"},
    "rootfs": {"runtime", "rootfs"},
    "cli": {"runtime", "cli", "__init__"},
}
SLOW = {"typing", "dataclasses", "re", "enum", "json", "socket", "ctypes"}


def imports_of(path: Path) -> set[str]:
    """Return the rooms of the package that a module imports from, also inside functions."""
    package = ["pytest_nsisolate", *path.relative_to(PACKAGE).parts[:-1]]
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = [*base, *(node.module.split(".") if node.module else [])]
            names = [[*target, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        for parts in names:
            if parts[0] == "pytest_nsisolate":
                rooms.add(_room(parts[1]) if len(parts) > 1 else "__init__")
    return rooms


def _room(name: str) -> str:
    exists = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
    return name if exists else "__init__"


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_go_downward(room: str) -> None:
    """No module of a room imports from a room above it."""
    wrong = {
        str(path.relative_to(PACKAGE)): sorted(imports_of(path) - ALLOWED[room])
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if imports_of(path) - ALLOWED[room]
    }
    assert not wrong


def test_only_the_syscalls_use_ctypes() -> None:
    """The kernel's interface is one file and its neighbours, and the C library that they are made of."""
    users = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(a.name == "ctypes" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "ctypes")
    }
    assert {name for name in users if not name.startswith("syscalls")} == {"libc.py"}


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has after *statement*."""
    code = f"import sys; sys.path[:] = {sys.path!r}; {statement}; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_runtime_imports_no_pytest() -> None:
    """Every module of the runtime and of the command line, loaded together, loads no pytest."""
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for room in ("runtime", "cli")
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path.name != "__main__.py"
    ]
    loaded = loaded_by("; ".join(f"import {name}" for name in names))
    assert not {
        name for name in loaded if name.partition(".")[0] in ("pytest", "_pytest", "pluggy")
    }


@pytest.mark.parametrize("module", ["runtime.launcher", "cli.run"])
def test_the_hot_path_imports_nothing_slow(module: str) -> None:
    """What ``run`` imports before the container starts leaves out what costs more than the container."""
    loaded = loaded_by(f"import pytest_nsisolate.{module}")
    assert not loaded & SLOW


def test_reading_a_config_imports_no_json(tmp_path: Path) -> None:
    """A correct config.json is read without the ``json`` package."""
    (tmp_path / "rootfs").mkdir()
    config = '{"ociVersion": "1.0.0", "root": {"path": "rootfs"}, "linux": {"namespaces": [%s]}}'
    (tmp_path / "config.json").write_text(config % '{"type": "mount"}')
    load = f"from pytest_nsisolate.runtime.spec import config as spec; spec.load({str(tmp_path)!r})"
    assert not loaded_by(load) & SLOW


def test_the_package_itself_imports_nothing() -> None:
    """``import pytest_nsisolate`` is the version and nothing else."""
    without = loaded_by("pass")
    assert loaded_by("import pytest_nsisolate") - without == {"pytest_nsisolate"}
