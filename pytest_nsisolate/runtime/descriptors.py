"""Which descriptors are open while paths of the container's are looked up."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .channel import Channel
    from .gate import Gate
    from .seccomp.load import Filter


_MOST = 2**31 - 1


def close_all_but(
    preserved: int, channel: Channel, gate: Gate | None, syscall_filter: Filter | None
) -> None:
    """Close everything but the standard streams, *preserved* more, and what we go on with.

    Before any path of the container's is looked up: by /proc/self/fd, the cwd and the program could be files
    of the host's that our caller has open, or we, also those that execve closes (CVE-2024-21626). And whoever
    waits for our creator's end should not wait for ours.
    """
    kept = [channel.fileno()]
    if gate is not None:
        kept.append(gate.fileno())
    if syscall_filter is not None and syscall_filter.socket_fd >= 0:
        kept.append(syscall_filter.socket_fd)
    close_from(3 + preserved, kept)


def close_from(first: int, kept: Iterable[int]) -> None:
    """Close all descriptors from *first* on but those that are *kept*."""
    for fd in sorted(fd for fd in kept if fd >= first):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, _MOST)
