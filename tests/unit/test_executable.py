"""Finding the container's program."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_nsisolate.runtime.errors import PayloadError
from pytest_nsisolate.runtime.executable import find_executable
from pytest_nsisolate.runtime.plan import Process


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a PATH of two directories: a program in the second, not one of that name in the first."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "first/program").write_text("not executable")
    (tmp_path / "second/program").write_text("#!/bin/sh\n")
    (tmp_path / "second/program").chmod(0o755)
    (tmp_path / "first/directory").mkdir()
    (tmp_path / "first/text").write_text("not executable")
    return f"{tmp_path}/first:{tmp_path}/second"


def process(name: str, path: str) -> Process:
    """Return a process that looks for *name* in *path*."""
    return Process(args=(name,), env=("HOME=/", f"PATH={path}"))


def test_the_first_that_can_be_executed_is_taken(path: str) -> None:
    """A file that cannot be executed does not hide one that can, further along the PATH."""
    assert find_executable(process("program", path)) == f"{path.split(':')[1]}/program"


@pytest.mark.parametrize(
    ("name", "code"), [("missing", 127), ("text", 126), ("", 127), ("directory", 126)]
)
def test_codes_of_a_search(path: str, name: str, code: int) -> None:
    """Not found is 127; found and not executable is 126."""
    with pytest.raises(PayloadError) as caught:
        find_executable(process(name, path))
    assert caught.value.exit_code == code
    assert name in str(caught.value)


def test_codes_of_a_path(path: str) -> None:
    """A name with a slash is not searched for."""
    first, second = path.split(":")
    assert find_executable(process(f"{second}/program", "")) == f"{second}/program"
    for name, code in ((f"{first}/missing", 127), (f"{first}/text", 126), (first, 126)):
        with pytest.raises(PayloadError) as caught:
            find_executable(process(name, path))
        assert caught.value.exit_code == code


def test_a_path_through_a_file_is_not_found(path: str) -> None:
    """ENOTDIR is 127 too."""
    with pytest.raises(PayloadError) as caught:
        find_executable(process(f"{path.split(':')[1]}/program/below", path))
    assert caught.value.exit_code == 127


def test_without_a_path_the_usual_directories_are_searched() -> None:
    """Without PATH in the environment there is a default."""
    assert find_executable(Process(args=("sh",))).endswith("/sh")
