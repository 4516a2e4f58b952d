"""Mounts of a test's root, in order and without those that add nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.rootfs.interpreter import interpreter_paths
from pytest_nsisolate.rootfs.kinds import Sandbox
from pytest_nsisolate.rootfs.layout import copy_on_write, fresh, in_order, read_only, writable
from pytest_nsisolate.rootfs.sandbox import prepare, project_directories
from pytest_nsisolate.runtime.factory.layers import lower_directories

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
MOUNTS = st.builds(
    lambda make, path: make(path), st.sampled_from([read_only, writable, fresh]), PATHS
)


@given(st.lists(MOUNTS))
def test_outer_before_inner(mounts: list[object]) -> None:
    """No mount covers another that was made before it, and no destination comes twice."""
    ordered = in_order(mounts)  # type: ignore[arg-type]
    destinations = [mount.destination for mount in ordered]
    assert len(set(destinations)) == len(destinations)
    for number, outer in enumerate(destinations):
        assert not any(inner.startswith(outer + "/") for inner in destinations[:number])


def test_later_mount_of_a_destination_counts() -> None:
    """A writable path replaces what was planned there before."""
    assert in_order([read_only("/a"), writable("/a")]) == (writable("/a"),)


def test_what_adds_nothing_is_left_out() -> None:
    """A read-only bind below a mount that shows the same is left out, one below a tmpfs is not."""
    assert in_order([read_only("/usr"), read_only("/usr/lib/python3")]) == (read_only("/usr"),)
    assert in_order([fresh("/home"), read_only("/home/x")]) == (
        fresh("/home"),
        read_only("/home/x"),
    )
    overlay = copy_on_write("/project", "/scratch")
    assert in_order([overlay, read_only("/project/src")]) == (overlay,)


@pytest.mark.parametrize(
    "path", ["/with space", "/a,b", "/a:b", "/back\\slash", "/all\\:,: of it", "/ü"]
)
def test_special_letters_in_overlays(path: str) -> None:
    """What an overlay's options separate by is escaped, and read back as it was."""
    assert lower_directories(copy_on_write(path, "/scratch")) == [path]


def test_project_directories() -> None:
    """Directories inside another go with it, and the sandbox's own are never the project's."""
    assert project_directories(("/p/a", "/p", "/q", "/", "/usr", "/proc")) == ["/p", "/q"]
    assert project_directories(("/pa", "/p")) == ["/p", "/pa"]


def test_interpreter_is_complete() -> None:
    """The paths exist, are absolute, and hold this interpreter and what it has imported."""
    paths = [Path(path) for path in interpreter_paths()]
    assert all(path.is_absolute() and path.exists() for path in paths)
    for module in (pytest, st):
        home = Path(str(module.__file__))
        assert any(path in home.parents for path in paths)


def test_plan_of_every_choice(tmp_path: Path) -> None:
    """Each choice of a sandbox is in its plan."""
    project, other = str(tmp_path / "project"), str(tmp_path / "other")
    for path in (project, other):
        Path(path).mkdir()
    plain = prepare(Sandbox(project=(project,)), cwd=project).plan
    assert "network" not in {ns.type for ns in plain.namespaces}
    assert plain.root.readonly
    assert {m.type for m in plain.mounts if m.destination == project} == {"overlay"}
    closed = prepare(Sandbox(project=(project,), overlay=False), cwd=project).plan
    assert {m.options[1] for m in closed.mounts if m.destination == project} == {"rro"}
    chosen = Sandbox(project=(project,), network="none", hostname="h", root=True, writable=(other,))
    plan = prepare(chosen, cwd=project).plan
    assert "network" in {ns.type for ns in plan.namespaces}
    assert plan.hostname == "h"
    assert plan.process is not None
    assert plan.process.user.uid == 0
    assert writable(other) in plan.mounts
    assert {m.type for m in plan.mounts if m.destination == "/usr"} == {"overlay"}
