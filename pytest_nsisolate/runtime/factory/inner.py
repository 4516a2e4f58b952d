"""The inner user namespace, its pid namespace, and that one's init.

Two things are wanted that exclude each other at first sight. The masks of the template's /proc must be
locked, so they have to be mounted from an outer user namespace. And the template must be able to return to
its own pid namespace after it has forked into another (setns(2)), so that has to belong to the inner user
namespace, in which the template has its capabilities. Hence the order: the inner user namespace and its
pid namespace come first, made by a short-lived child; then the factory, still outside, enters only the pid
namespace, which it may, being its parent; it mounts everything; and only then it goes inside itself.

::

    builder (outer user namespace)          child (inner)              keeper (inner, PID 1)
        │ ── fork ───────────────────────────> │ unshare(user)
        │ <────────────────── WANT_MAPS ────── │
        │ ─── MAPS_WRITTEN ──────────────────> │ unshare(pid), fork ────> │ reaps; lives as long as
        │ <────────────────── FORKED pid ───── │ exits                    │ the factory
        │ setns(pid), fork: the factory
        │ setns(user)
        │ ─── HIDE ──────────────────────────────────────────────────────> │ not dumpable any more
        │ <────────────────────────────────────────────────────── HIDE ─── │
"""

from __future__ import annotations

import _signal
import _socket
import os

from .. import namespaces
from .. import syscalls as sys
from ..channel import FORKED, MAPS_WRITTEN, WANT_MAPS, Channel
from ..descriptors import close_from
from ..errors import NsisolateError, SetupError
from ..plan import IdMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from ..plan import Plan


def inner_mappings(mappings: Sequence[IdMapping]) -> tuple[IdMapping, ...]:
    """Return the maps of a nested user namespace in which every id stays what it is."""
    return tuple(m.replace(host_id=m.container_id) for m in mappings)


def write_inner_maps(pid: int, plan: Plan) -> None:
    """Write the maps of a nested user namespace."""
    uids, gids = inner_mappings(plan.uid_mappings), inner_mappings(plan.gid_mappings)
    namespaces.write_id_maps(pid, uids, gids)


_HIDE = b"h"


class Keeper:
    """The init of the inner pid namespace: *pidfd*, and the socket that it lives by."""

    def __init__(self, plan: Plan) -> None:
        hold, held = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._hold, alive = hold.detach(), held.detach()
        ours, theirs = Channel.pair()
        child = os.fork()
        if child == 0:
            os.close(self._hold)
            ours.close()
            _enter_and_fork(theirs, alive)
        os.close(alive)
        theirs.close()
        try:
            ours.receive(WANT_MAPS)
            write_inner_maps(child, plan)
            ours.send(MAPS_WRITTEN)
            _kind, fields, _fd = ours.receive(FORKED)
            self.pidfd = os.pidfd_open(int(fields[0]))
        finally:
            ours.close()
            os.waitpid(child, 0)

    def enter_pid_namespace(self) -> None:
        """Let the next child be in the keeper's pid namespace."""
        sys.setns(self.pidfd, sys.CLONE_NEWPID)

    def enter_user_namespace(self) -> None:
        """Enter the inner user namespace, with a copy of the mounts, in which they are all locked."""
        sys.setns(self.pidfd, sys.CLONE_NEWUSER)
        sys.unshare(sys.CLONE_NEWNS)
        # It has the view as its root, and the template, which sees it, has all capabilities in here.
        os.write(self._hold, _HIDE)
        if os.read(self._hold, 1) != _HIDE:
            raise SetupError("pid namespace", "hide its init: it has died")


def _enter_and_fork(channel: Channel, alive: int) -> NoReturn:
    try:
        namespaces.unshare(sys.CLONE_NEWUSER)
        channel.send(WANT_MAPS)
        channel.receive(MAPS_WRITTEN)
        namespaces.unshare(sys.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            channel.close()
            _keep(alive)
        channel.send(FORKED, str(pid))
    except NsisolateError as error:
        channel.send_error(error)
    finally:
        os._exit(0)


def _keep(alive: int) -> NoReturn:
    sys.set_process_name("nsisolate: init")
    # The kernel reaps the children of an init that ignores SIGCHLD.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
    close_from(3, [alive])
    null = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    # Not where pytest was started, which is the host's own directory: pivot_root(2) moves us from / only.
    os.chdir("/")
    try:
        # Until here we have to be traceable, for our namespaces to be entered.
        if os.read(alive, 1) == _HIDE:
            sys.prctl(sys.PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE, 0")
            os.write(alive, _HIDE)
            os.read(alive, 1)  # end of file: the factory is gone
    finally:
        os._exit(0)
