"""Tracebacks without the frames of this package, which are none of the user's business."""

from __future__ import annotations

import os

import pytest

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def take_out_own_frames(call: pytest.CallInfo[None]) -> None:
    """Take our frames out of the traceback of what *call* ended with, save the one where it was raised."""
    if call.excinfo is None:
        return
    # The outermost frame is pytest's.
    kept = call.excinfo.tb
    following = kept.tb_next
    while following is not None:
        ours = following.tb_frame.f_code.co_filename.startswith(_PACKAGE)
        if not ours or following.tb_next is None:
            kept.tb_next = following
            kept = following
        following = following.tb_next
