"""Tracebacks without the frames of this package, which are none of the user's business."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from types import TracebackType

import pytest

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def take_out_own_frames(call: pytest.CallInfo[None]) -> None:
    """Take our frames out of the traceback of what *call* ended with, save the one where it was raised.

    A wrapper of ours has put a frame of pluggy's there as well, which calls it in mid-way.
    """
    if call.excinfo is None:
        return
    outermost, *others = _entries(call.excinfo.tb)  # that one is pytest's
    kept = [outermost]
    for number, entry in enumerate(others, 1):
        following = others[number] if number < len(others) else None
        if following is None or not entry.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            kept.append(entry)
        elif len(kept) > 1 and kept[-1].tb_frame is following.tb_frame:
            kept.pop()
    for entry, following in pairwise(kept):
        entry.tb_next = following


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
