"""What connects a template to the host and to the factory."""

from __future__ import annotations

import socket

from ..runtime.channel import Channel
from ..runtime.record import Record
from ..wire import frames


class Link(Record):
    """The sockets: *host* with its *reader*, and the *factory*'s channel."""

    host: socket.socket
    reader: frames.FrameReader
    factory: Channel


class Files(Record):
    """Descriptors of files that the host reads: captured output and threads' stacks."""

    out: int
    err: int
    stacks: int
