"""A holder: PID 1 of one container. It gets the namespaces ready, then reaps and waits to be killed."""

from __future__ import annotations

import _signal
import _socket
import fcntl
import os
import struct

from .. import namespaces
from .. import syscalls as sys
from ..channel import MAPS_WRITTEN, READY, WANT_MAPS
from ..mounts.pivot import pivot
from . import view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from ..channel import Channel
    from ..plan import Plan
    from .layers import State
    from .recipe import Step

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1

#: What the innermost user namespace owns. The pid namespace is not among it, because its /proc is mounted
#: and masked by the namespace around it, nor the cgroup namespace: whoever owns that may mount the cgroups
#: of the caller, writable.
_INNER = ("uts", "ipc", "network")


def inner_flags(plan: Plan) -> int:
    """Return the CLONE flags of a container's innermost namespaces."""
    flags = sys.CLONE_NEWUSER | sys.CLONE_NEWNS
    for kind in _INNER:
        if plan.creates(kind):
            flags |= namespaces.CLONE_FLAGS[kind]
    return flags


def outer_flags(plan: Plan) -> int:
    """Return the CLONE flags of what is entered before the innermost namespaces, save pid and mount."""
    return sys.CLONE_NEWCGROUP if plan.creates("cgroup") else 0


def hold(
    tree: view.Tree, states: dict[str, State], recipe: list[Step] | None, channel: Channel
) -> NoReturn:
    """Build a container around this process, say READY, and wait."""
    sys.set_process_name("nsisolate: init")
    namespaces.unshare(sys.CLONE_NEWNS | outer_flags(tree.plan))
    root_fd = view.build_container_root(tree, states, recipe)
    pivot(root_fd)
    os.close(root_fd)
    # The masks are on: from here on they are locked.
    namespaces.unshare(inner_flags(tree.plan))
    # Our maps are written, and the template enters our namespaces by a pidfd: for both we must be
    # traceable, and hold nothing any more that a container's own process must not have.
    sys.prctl(sys.PR_SET_DUMPABLE, 1, name="PR_SET_DUMPABLE, 1")
    channel.send(WANT_MAPS)
    channel.receive(MAPS_WRITTEN)
    if tree.plan.creates("network"):
        bring_up_loopback()
    # The kernel reaps the children of an init that ignores SIGCHLD.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
    channel.send(READY)
    channel.close()
    while True:
        _signal.pause()


def bring_up_loopback() -> None:
    """Bring ``lo`` up in a new network namespace: netdevice(7)."""
    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    request = struct.pack("16sH14x", b"lo", 0)
    flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
    fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
    control.close()
