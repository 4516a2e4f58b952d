"""The checks of values from marks and ini files, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate import limits, options

ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@contextmanager
def refused(remedy: str) -> Iterator[None]:
    """Allow a refusal that names place and remedy."""
    try:
        yield
    except pytest.UsageError as error:
        if not str(error).startswith("here: ") or remedy not in str(error):
            raise


@given(ANY)
def test_seconds(value: Any) -> None:
    """A timeout is a finite number above 0, nothing at all, or refused."""
    with refused("write a number of seconds above 0"):
        seconds = options._seconds(value, "here")
        assert seconds is None or 0 < seconds < float("inf")


@given(ANY)
def test_hostname(value: Any) -> None:
    """A host name is a text of 1 to 64 bytes, or refused."""
    with refused("write a name of 1 to 64 bytes"):
        assert 0 < len(options._hostname(value, "here").encode()) <= 64


@given(ANY | st.dictionaries(st.text() | st.integers(), st.text() | st.integers()))
def test_env(value: Any) -> None:
    """Environment variables are what execve takes, or refused."""
    with refused("write a dict of strings"):
        pairs = options._env_mapping(value, "here")
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


@given(st.sampled_from(limits.KEYWORDS), ANY)
def test_limits(name: str, value: Any) -> None:
    """A limit is a number above 0, nothing at all, or refused."""
    with refused("write a number of"):
        limit = limits.read_limit(name, value, "here")
        assert limit is None or limit > 0


@pytest.mark.parametrize(
    ("text", "number"),
    [("64", 64), ("64K", 65536), ("1.5 MiB", 3 << 19), ("2gb", 2 << 30), (" 1T ", 1 << 40), (7, 7)],
)
def test_sizes(text: str | int, number: int) -> None:
    """Sizes have binary units, in any usual spelling."""
    assert limits.read_limit("memory", text, "here") == number


def test_limits_as_text() -> None:
    """Limits are shown as a mark's keywords."""
    found = limits.Limits(cpu=0.5, memory=1 << 20, pids=3)
    assert str(found) == "cpu=0.5, memory=1048576, pids=3"
    assert limits.size_text(3 << 19) == "1.5 MiB"
