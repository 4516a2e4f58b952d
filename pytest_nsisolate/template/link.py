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
    """Descriptors of the host's files: captured output, threads' stacks, and what ``--log-file`` names."""

    out: int
    err: int
    stacks: int
    log_file: int | None = None
