"""What a sandbox says to the host: it can be printed, or is refused; and nothing of it is executed."""

from __future__ import annotations

import io
import json
import resource
import socket
from pathlib import Path
from typing import Any

import pytest
from _pytest._io import TerminalWriter
from _pytest.terminal import _folded_skips
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nsisolate.host import reports
from pytest_nsisolate.host.malformed import MALFORMED
from pytest_nsisolate.host.replay import replay_of
from pytest_nsisolate.runtime import channel
from pytest_nsisolate.runtime.errors import ChannelError
from pytest_nsisolate.wire import frames
from pytest_nsisolate.wire.data import MalformedData, dump, load
from pytest_nsisolate.wire.exceptions import from_data, to_data

from .mutate import CASES, Mutator, in_time


def failure() -> pytest.CallInfo[Any]:
    """Return a call that has failed."""
    return pytest.CallInfo.from_call(lambda: int("x"), "call")


def messages(item: pytest.Item) -> list[Any]:
    """Return reports as a test sends them: a failure, a skip, a pass."""
    calls = [failure()]
    calls.append(pytest.CallInfo.from_call(lambda: pytest.skip("why"), "call"))
    calls.append(pytest.CallInfo.from_call(lambda: None, "call"))
    found = []
    for call in calls:
        report = pytest.TestReport.from_item_and_call(item, call)
        hook = item.config.hook
        data = hook.pytest_report_to_serializable(config=item.config, report=report)
        data["sections"] = [("Captured stdout call", "text\x1b[31m")]
        error = to_data(call.excinfo.value) if call.excinfo else None
        found.append(json.loads(dump({"report": data, "exception": error, "failed_subtests": 0})))
    return found


def print_all(report: pytest.TestReport, rootpath: Path) -> None:
    """Do with a report what pytest does at its end; nothing may be raised."""
    writer = TerminalWriter(io.StringIO())
    longrepr: Any = report.longrepr
    if hasattr(longrepr, "toterminal"):
        longrepr.toterminal(writer)
    assert isinstance(report.longreprtext, str)
    assert report.head_line is None or isinstance(report.head_line, str)
    if report.skipped and not hasattr(report, "wasxfail"):
        _folded_skips(rootpath, [report])  # type: ignore[list-item]
    for name, content in report.sections:
        writer.sep("-", name)
        writer.write(content)
    f"{report.duration:.3f} {report.start:.3f} {report.stop:.3f}".encode()


def test_reports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that is taken can be printed, and speaks for its own test."""
    monkeypatch.setattr(reports, "set_failed_subtests", lambda *_args: None)
    item = request.node
    taken = 0
    for message in Mutator(*messages(item)).cases():
        with in_time(message):
            try:
                report = reports.rebuild(item, load(json.dumps(message).encode()))
            except MALFORMED:
                continue
            taken += 1
            assert report.nodeid == item.nodeid
            print_all(report, item.config.rootpath)
            if message.get("exception") is not None:
                try:
                    assert isinstance(from_data(message["exception"]), BaseException)
                except MalformedData:
                    pass
    assert taken


def test_warnings_and_the_rest(request: pytest.FixtureRequest) -> None:
    """Every other kind of message is something to be done, or is refused before it is."""
    warning = {
        "text": "text",
        "module": "builtins",
        "name": "UserWarning",
        "filename": "file.py",
        "lineno": 3,
        "line": "line",
        "source": False,
        "when": "runtest",
        "nodeid": "x",
        "location": None,
    }
    stop = {"kind": "Exit", "text": "", "returncode": 3, "exception": to_data(ValueError(1))}
    stop = json.loads(dump(stop))
    for kind in (frames.WARNING, frames.STOP):
        for message in Mutator(warning, stop).cases():
            with in_time(message):
                try:
                    assert callable(replay_of(request.node, kind, message))
                except MALFORMED:
                    pass


def test_wrong_bytes(request: pytest.FixtureRequest) -> None:
    """Messages that are damaged in any way are data, or MalformedData."""
    for raw in Mutator(*messages(request.node)).texts():
        with in_time(raw):
            try:
                load(raw)
            except MalformedData:
                pass


def test_frames(request: pytest.FixtureRequest) -> None:
    """A stream that is damaged in any way is frames, or a ChannelError; the same in both directions."""
    mutator = Mutator({})
    payload = json.dumps(messages(request.node)[2]).encode()
    whole = b"".join(
        bytes((kind,)) + len(payload).to_bytes(4, "big") + payload for kind in (32, 35, 36)
    )
    for _ in range(CASES):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(mutator.spoil(whole))
            theirs.close()
            reader = frames.FrameReader(ours, limit=100_000, fds=True)
            try:
                while not reader.at_end:
                    reader.fill()
                    while reader.take() is not None:
                        pass
            except ChannelError:
                pass


@settings(max_examples=CASES)
@given(
    st.binary(max_size=200)
    | st.builds(lambda k, b: bytes((k,)) + b, st.integers(1, 22), st.binary())
)
def test_records_of_the_channel(raw: bytes) -> None:
    """What init says to its launcher is a message, or a ChannelError."""
    try:
        kind, fields = channel.decode(raw)
        assert kind
        assert all(isinstance(field, str) for field in fields)
    except ChannelError:
        pass


MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    "raw",
    [
        b"[" + b"[]," * (8 * MEGABYTE) + b"[]]",
        b"[" + b"{}," * (8 * MEGABYTE) + b"{}]",
        b"[" + b"1," * (12 * MEGABYTE) + b"1]",
        b'["' + b'\\"' * (12 * MEGABYTE),
        b'["' + b"x" * (24 * MEGABYTE) + b"\xf0\x9f\x98\x80" + b'"]',
    ],
    ids=["lists", "objects", "numbers", "no end of a string", "wide characters"],
)
def test_bombs(raw: bytes) -> None:
    """A message of which would be made many times its size is refused before, and fast."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with in_time(raw[:40]), pytest.raises(MalformedData):
        load(raw)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 * 1024, f"{grown} KiB"


def test_keys_of_one_hash() -> None:
    """Nor can a dictionary be made whose keys all have one hash, which takes its length squared."""
    pairs = [[number * (2**61 - 1), None] for number in range(20_000)]
    raw = json.dumps({"__nsisolate__": "dict", "items": pairs}).encode()
    with in_time("keys"), pytest.raises(MalformedData):
        load(raw)
