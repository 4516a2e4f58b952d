"""Reading a verb's arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.cli.arguments import HelpRequested, UsageError, read

OPTIONS = ("--bundle", "-b")
FLAGS = ("--rootless",)


def test_options_and_positional_arguments_in_any_order() -> None:
    """Options may stand before and after the positional arguments."""
    expected = ({"--bundle": "dir"}, ["id"])
    assert read(["--bundle", "dir", "id"], options=OPTIONS, most=1) == expected
    assert read(["id", "--bundle=dir"], options=OPTIONS, most=1) == expected


def test_a_flag_is_there_or_not() -> None:
    """A flag may say so with a word, as Go's programs have it."""
    for words in (["--rootless"], ["--rootless=true"], ["--rootless=false", "--rootless=1"]):
        assert read(words, flags=FLAGS, most=0) == ({"--rootless": "1"}, []), words
    assert read(["--rootless", "--rootless=FALSE"], flags=FLAGS, most=0) == ({}, [])
    for word in ("--rootless=yes", "--rootless="):
        with pytest.raises(UsageError, match="--rootless"):
            read([word], flags=FLAGS, most=0)


def test_short_flags_may_stand_together() -> None:
    """``-dt`` is ``-d -t``; with a letter that is no flag the word is one unknown option."""
    assert read(["-dt", "id"], flags=("-d", "-t"), most=1) == ({"-d": "1", "-t": "1"}, ["id"])
    with pytest.raises(UsageError, match="'-dx'"):
        read(["-dx"], flags=("-d", "-t"), options=("-x",), most=1)


def test_an_option_needs_a_value() -> None:
    """An option at the end lacks its value."""
    with pytest.raises(UsageError, match="--bundle"):
        read(["--bundle"], options=OPTIONS, most=1)


def test_an_empty_value_is_a_value() -> None:
    """``--bundle=`` is an empty value and not a missing one."""
    assert read(["--bundle="], options=OPTIONS, most=1) == ({"--bundle": ""}, [])


def test_two_dashes_end_the_options() -> None:
    """After ``--`` everything is positional; a lone ``-`` always is."""
    assert read(["-", "--", "--bundle"], options=OPTIONS, most=2) == ({}, ["-", "--bundle"])


def test_an_unknown_option_is_refused() -> None:
    """An option that nobody knows is named."""
    with pytest.raises(UsageError, match="--nosuch"):
        read(["--nosuch"], options=OPTIONS, most=1)


def test_too_many_arguments_are_refused() -> None:
    """What is one too many is named."""
    with pytest.raises(UsageError, match="two"):
        read(["one", "two"], most=1)


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_wins(word: str) -> None:
    """``--help`` counts wherever it stands, except as the value of an option or after ``--``."""
    with pytest.raises(HelpRequested):
        read(["id", word], options=OPTIONS, most=1)
    assert read(["--bundle", word], options=OPTIONS, most=1)[0] == {"--bundle": word}


@given(st.lists(st.text(max_size=8) | st.sampled_from([*OPTIONS, *FLAGS, "--", "--bundle=x"])))
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    """No command line makes anything but an answer or a UsageError."""
    before = list(words)
    try:
        given_options, positional = read(words, options=OPTIONS, flags=FLAGS, most=2)
    except (UsageError, HelpRequested):
        return
    assert words == before
    assert set(given_options) <= {*OPTIONS, *FLAGS}
    assert len(positional) <= 2
