"""The channel's records, and what is out of order."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nsisolate.runtime import channel as channels
from pytest_nsisolate.runtime.channel import FAILED, FORKED, GO, READY, TERMINAL, Channel
from pytest_nsisolate.runtime.errors import ChannelError, PayloadError, SetupError

KINDS = sorted(channels._NAMES)
ANY_TEXT = st.text(st.characters(codec=None))


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    """Yield two connected ends."""
    ours, theirs = Channel.pair()
    yield ours, theirs
    ours.close()
    theirs.close()


@given(st.data())
def test_records_round_trip(data: st.DataObject) -> None:
    """Each message decodes to what was encoded, whatever text its fields hold."""
    kind = data.draw(st.sampled_from(KINDS))
    count = channels._FIELDS.get(kind, 0)
    fields = tuple(data.draw(st.lists(ANY_TEXT, min_size=count, max_size=count)))
    assert channels.decode(channels.encode(kind, *fields)) == (kind, fields)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(record: bytes) -> None:
    """What is no record is a ChannelError and nothing else."""
    try:
        kind, fields = channels.decode(record)
    except ChannelError:
        return
    assert kind in KINDS
    assert len(fields) == channels._FIELDS.get(kind, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_number_of_fields_is_refused(kind: int) -> None:
    """A message with too many fields is no message."""
    fields = ("x",) * (channels._FIELDS.get(kind, 0) + 1)
    with pytest.raises(ChannelError):
        channels.decode(channels.encode(kind, *fields))


def test_a_message_arrives(pair: tuple[Channel, Channel]) -> None:
    """What one end sends the other receives."""
    ours, theirs = pair
    theirs.send(FORKED, "12")
    assert ours.receive(FORKED) == (FORKED, ("12",), None)


def test_a_descriptor_travels_along(pair: tuple[Channel, Channel]) -> None:
    """A message can carry a descriptor, which arrives close-on-exec."""
    ours, theirs = pair
    with open(os.devnull) as file:
        theirs.send(TERMINAL, fd=file.fileno())
        _kind, _fields, fd = ours.receive(TERMINAL)
    assert fd is not None
    assert not os.get_inheritable(fd)
    assert os.fstat(fd).st_rdev == os.stat(os.devnull).st_rdev
    os.close(fd)


def test_a_message_out_of_order_is_refused(pair: tuple[Channel, Channel]) -> None:
    """A message that is not expected now is an error that names it."""
    ours, theirs = pair
    theirs.send(READY)
    with pytest.raises(ChannelError, match="READY"):
        ours.receive(FORKED)


def test_a_set_up_error_is_raised_on_the_other_side(pair: tuple[Channel, Channel]) -> None:
    """Step, call, errno and hint of a SetupError survive the way."""
    ours, theirs = pair
    theirs.send_error(SetupError("mounts", "mount x on y", errno.EPERM, "try z"))
    with pytest.raises(SetupError) as caught:
        ours.receive(READY)
    error = caught.value
    assert (error.step, error.call, error.errno, error.hint) == (
        "mounts",
        "mount x on y",
        errno.EPERM,
        "try z",
    )
    assert str(error) == ("mounts: mount x on y: EPERM: Operation not permitted\nhint: try z")


def test_a_payload_error_keeps_its_exit_code(pair: tuple[Channel, Channel]) -> None:
    """A PayloadError arrives with its exit code, also in the place of the end."""
    ours, theirs = pair
    theirs.send_error(PayloadError("exec: not found", 127))
    with pytest.raises(PayloadError) as caught:
        ours.receive_end()
    assert caught.value.exit_code == 127


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EIO, "I/O"), "EIO"),
        (KeyError("x"), "KeyError"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_any_other_error_arrives_as_a_set_up_error(
    pair: tuple[Channel, Channel], error: BaseException, said: str
) -> None:
    """An error that nobody foresaw is reported all the same."""
    ours, theirs = pair
    theirs.send_error(error)
    with pytest.raises(SetupError, match=said):
        ours.receive(READY)


def test_a_long_error_is_cut_and_still_an_error(pair: tuple[Channel, Channel]) -> None:
    """A message that would not fit is shortened, field by field."""
    ours, theirs = pair
    theirs.send_error(SetupError("mounts", "\N{PILE OF POO}" * 100_000, errno.EINVAL, "hint"))
    with pytest.raises(SetupError) as caught:
        ours.receive(READY)
    assert caught.value.errno == errno.EINVAL


def test_the_other_sides_death_is_an_error(pair: tuple[Channel, Channel]) -> None:
    """End of file in mid-conversation is an error; at its end it is what is waited for."""
    ours, theirs = pair
    theirs.close()
    ours.receive_end()
    with pytest.raises(ChannelError, match="died"):
        ours.receive(READY)
    with pytest.raises(ChannelError, match="gone"):
        ours.send(GO)


def test_abandonment_is_seen_without_waiting(pair: tuple[Channel, Channel]) -> None:
    """An end knows whether the other one is still open, whatever waits to be received."""
    ours, theirs = pair
    assert not ours.is_abandoned()
    theirs.send(READY)
    assert not ours.is_abandoned()
    ours.receive(READY)
    theirs.close()
    assert ours.is_abandoned()


@given(st.sampled_from([FAILED, channels.EXEC_FAILED]), st.data())
def test_a_malformed_failure_is_a_channel_error(kind: int, data: st.DataObject) -> None:
    """Numbers that are none in a failure's fields are refused."""
    count = channels._FIELDS[kind]
    fields = tuple(data.draw(st.lists(st.text(max_size=5), min_size=count, max_size=count)))
    error = channels._error_of(kind, fields)
    assert isinstance(error, SetupError | PayloadError | ChannelError)
