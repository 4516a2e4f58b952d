"""The checks of values from marks and ini files, each by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate import options

ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(ANY)
def test_seconds(value: Any) -> None:
    """A timeout is a finite number above 0, nothing at all, or refused."""
    try:
        seconds = options._seconds(value, "here")
    except pytest.UsageError as error:
        assert "write a number of seconds above 0" in str(error)
        assert str(error).startswith("here: timeout=")
    else:
        assert seconds is None or 0 < seconds < float("inf")


@given(ANY)
def test_hostname(value: Any) -> None:
    """A host name is a text of 1 to 64 bytes, or refused."""
    try:
        name = options._hostname(value, "here")
    except pytest.UsageError as error:
        assert "write a name of 1 to 64 bytes" in str(error)
    else:
        assert 0 < len(name.encode()) <= 64


@given(ANY | st.dictionaries(st.text() | st.integers(), st.text() | st.integers()))
def test_env(value: Any) -> None:
    """Environment variables are what execve takes, or refused."""
    try:
        pairs = options._env_mapping(value, "here")
    except pytest.UsageError as error:
        assert "write a dict of strings" in str(error)
    else:
        assert all(name and "=" not in name and "\0" not in name + text for name, text in pairs)


def test_paths(tmp_path: Path) -> None:
    """Paths may be texts or Path objects; links are followed."""
    (tmp_path / "link").symlink_to(tmp_path)
    assert options._writable([tmp_path, str(tmp_path / "link")], "here") == (str(tmp_path),) * 2
    assert options._rootfs(tmp_path / "link", "here") == str(tmp_path)


@pytest.mark.parametrize("line", ["", "=", "=x", "NAME"])
def test_env_lines(line: str) -> None:
    """A line of the ini file without a name or `=` is refused."""
    with pytest.raises(pytest.UsageError, match="NAME=value"):
        options._env_line(line)
