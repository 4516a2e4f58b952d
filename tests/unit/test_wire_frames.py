"""Frames arrive as they were sent, however the stream cuts them."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.runtime.errors import ChannelError
from pytest_nsisolate.wire import frames

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return two connected sockets."""
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_no_two_kinds_are_the_same() -> None:
    """A kind says which message a frame is."""
    text = Path(frames.__file__).read_text().partition("HEADER")[0]
    kinds = re.findall(r"^([A-Z_]+) = (\d+)", text, re.MULTILINE)
    assert len(kinds) > 20
    assert len({number for _name, number in kinds}) == len(kinds)


def read_all(reader: frames.FrameReader) -> list[tuple[int, bytes]]:
    """Return every frame until the end of the stream."""
    found = []
    while not reader.at_end:
        reader.fill()
        while (frame := reader.take()) is not None:
            found.append(frame)
    return found


@given(
    st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=5),
    st.lists(st.integers(1, 60), min_size=1, max_size=10),
)
def test_any_chunks(sent: list[tuple[int, bytes]], sizes: list[int]) -> None:
    """Whatever the sizes of the pieces, the frames are whole."""
    raw = b"".join(bytes((kind,)) + len(p).to_bytes(4, "big") + p for kind, p in sent)
    left, right = socket.socketpair()
    with left, right:
        reader = frames.FrameReader(right)
        found = []
        position = 0
        while position < len(raw):
            size = sizes[position % len(sizes)]
            left.sendall(raw[position : position + size])
            position += size
            reader.fill()
            while (frame := reader.take()) is not None:
                found.append(frame)
    assert found == sent


@given(st.binary(max_size=200))
def test_arbitrary_bytes(raw: bytes) -> None:
    """Bytes of any kind are frames, an unfinished one, or a ChannelError."""
    left, right = socket.socketpair()
    with left, right:
        left.sendall(raw)
        left.close()
        try:
            read_all(frames.FrameReader(right))
        except ChannelError:
            pass


def test_descriptors_come_along(pair: Pair) -> None:
    """Descriptors that were sent with a frame are the receiver's, and are not inherited."""
    left, right = pair
    read_end, write_end = os.pipe()
    frames.send(left, frames.RUN, b"payload", (read_end, write_end))
    os.close(read_end)
    os.close(write_end)
    reader = frames.FrameReader(right, fds=True)
    assert reader.receive() == (frames.RUN, b"payload")
    received = reader.take_fds()
    assert reader.take_fds() == []
    os.write(received[1], b"x")
    assert os.read(received[0], 1) == b"x"
    for fd in received:
        assert not os.get_inheritable(fd)
        os.close(fd)


def test_descriptors_that_nobody_asked_for(pair: Pair) -> None:
    """A sandbox cannot fill the host's table of files: what it sends along is dropped."""
    left, right = pair
    before = len(os.listdir("/proc/self/fd"))
    frames.send(left, frames.REPORT, b"payload", (left.fileno(), right.fileno()))
    reader = frames.FrameReader(right)
    assert reader.receive() == (frames.REPORT, b"payload")
    assert reader.take_fds() == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_too_long(pair: Pair) -> None:
    """A frame that claims to be over the limit is refused before it is read."""
    left, right = pair
    left.sendall(bytes((frames.REPORT,)) + (frames.LIMIT + 1).to_bytes(4, "big"))
    reader = frames.FrameReader(right)
    with pytest.raises(ChannelError, match="over the limit"):
        reader.receive()


def test_end_of_the_stream(pair: Pair) -> None:
    """An end in the middle of a frame is an error, and sending to nobody is one too."""
    left, right = pair
    left.sendall(b"\x20\x00\x00")
    left.close()
    with pytest.raises(ChannelError, match="gone"):
        frames.FrameReader(right).receive()
    with pytest.raises(ChannelError, match="gone"):
        frames.send(right, frames.RUN, b"x" * 10)
