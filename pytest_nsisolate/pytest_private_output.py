"""What this plugin uses of pytest's capturing and of its terminal that pytest does not promise.

A part of :mod:`.pytest_private`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from _pytest._io import TerminalWriter
from _pytest.terminal import KNOWN_TYPES

#: What the terminal counts, and prints in ways of its own that go by what is in a report.
KINDS_OF_TERMINAL = frozenset(KNOWN_TYPES)


def write_line(config: pytest.Config, text: str) -> None:
    """Print a line of the plugin's own, where there is a terminal reporter to print it."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(text)


def terminal_markup(config: pytest.Config) -> bool:
    """Tell whether what is printed has colours, which go into the explanations of assertions."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    return reporter is not None and bool(reporter._tw.hasmarkup)


class Terminal:
    """The template's terminal reporter: there for all who ask for it, and quiet most of the time.

    What pytest reports is the host's to print. What a phase prints by itself (``--setup-show``, live logs)
    is written from here, between what the phase prints.
    """

    def __init__(self, config: pytest.Config, *, markup: bool, width: int) -> None:
        self._reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._config = config
        if self._reporter is not None:
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
            self._loud, self._quiet = self._reporter._tw, TerminalWriter(nowhere)
            for writer in (self._loud, self._quiet):
                writer.hasmarkup, writer.fullwidth = markup, width
            self.be_quiet()

    def be_loud(self) -> None:
        """Print."""
        if self._reporter is not None:
            self._reporter._tw = self._loud

    def be_quiet(self) -> None:
        """Print nothing."""
        if self._reporter is not None:
            self._reporter._tw = self._quiet

    def take_state(self) -> dict[str, Any]:
        """Return what was written since last time, as far as it matters for what is written next."""
        live = self._live_logs()
        state = {name: getattr(live, name) for name in _LIVE if hasattr(live, name)}
        if self._reporter is not None:
            state["line"], self._loud._current_line = self._loud._current_line, _LINE_BEFORE
        return state

    def restore_state(self, state: dict[str, Any]) -> None:
        """Go on where another process with such a terminal was, and nowhere in particular without one."""
        if self._reporter is not None:
            self._loud._current_line = _LINE_BEFORE
        live = self._live_logs()
        for name in _LIVE:
            if name in state and live is not None:
                setattr(live, name, state[name])

    def _live_logs(self) -> Any:
        return getattr(
            self._config.pluginmanager.get_plugin("logging-plugin"), "log_cli_handler", None
        )


#: Stands for what is in the line already, written by somebody else.
_LINE_BEFORE = "\0"

#: What the handler of live logs remembers.
_LIVE = ("_first_record_emitted", "_section_name_shown", "_test_outcome_written")


def go_on_in_line(config: pytest.Config, line: str) -> None:
    """Note that somebody else has written to the terminal, where *line* is the current one now."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        before = reporter._tw._current_line
        reporter._tw._current_line = line.replace(_LINE_BEFORE, before)


def terminal_width(config: pytest.Config) -> int:
    """Return the width of what is printed, in columns."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    return 80 if reporter is None else int(reporter._tw.fullwidth)


def as_printed(longrepr: Any, config: pytest.Config) -> str:
    """Return what a failure looks like when it is printed, with colours if there are any."""
    text = io.StringIO()
    writer = TerminalWriter(text)
    writer.hasmarkup, writer.fullwidth = terminal_markup(config), terminal_width(config)
    longrepr.toterminal(writer)
    return text.getvalue()


def writes_through(config: pytest.Config) -> bool:
    """Tell whether tests write to where pytest writes: then each has to wait for the other."""
    option = config.option
    live = getattr(config.pluginmanager.get_plugin("logging-plugin"), "_log_cli_enabled", bool)
    return getattr(option, "capture", "no") != "fd" or getattr(option, "setupshow", False) or live()


def global_captures(config: pytest.Config) -> dict[int, Any]:
    """Return, by stream, pytest's captures of the file descriptors 1 and 2 (``--capture=fd``)."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    found = {}
    for stream, name in ((1, "out"), (2, "err")):
        capture = getattr(capturing, name, None)
        if hasattr(capture, "targetfd_save") and hasattr(capture, "tmpfile"):
            found[stream] = capture
    return found


@contextmanager
def interruptible(config: pytest.Config) -> Iterator[None]:
    """Let Ctrl-C stop the session; with ``--pdb`` pytest would take it for a failure, to be debugged."""
    try:
        yield
    except KeyboardInterrupt:
        if config.getoption("usepdb", False):
            pytest.exit("interrupted", returncode=pytest.ExitCode.INTERRUPTED)
        raise


def original_stdin(config: pytest.Config) -> int:
    """Return the descriptor of the standard input that pytest was started with."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    capture = getattr(getattr(manager, "_global_capturing", None), "in_", None)
    return int(getattr(capture, "targetfd_save", 0))


@contextmanager
def printing_to(config: pytest.Config, file: Any) -> Iterator[None]:
    """Let the terminal reporter print to *file* for a while."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    before = reporter._tw
    reporter._tw = TerminalWriter(file)
    reporter._tw.hasmarkup = before.hasmarkup
    try:
        yield
    finally:
        reporter._tw = before


def is_suspended(capture: Any) -> bool:
    """Tell whether a capture lets through what is written."""
    return bool(capture._state != "started")


def exchange_capture_file(capture: Any, file: int) -> None:
    """Put the descriptor *file* under a capture, in place of its temporary file."""
    os.dup2(file, capture.tmpfile.fileno(), inheritable=False)
    # While capturing is suspended, the target is the original stream and stays that.
    if capture._state == "started":
        os.dup2(file, capture.targetfd)


def forget_captured(config: pytest.Config) -> None:
    """Drop what pytest has captured so far, and let it capture nothing until the next phase."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    if manager is not None:
        manager.resume_global_capture()
        manager.read_global_capture()
        manager.suspend_global_capture(in_=False)
