"""The holders of a factory: one is made ahead of the need, and each is handed out once.

A container starts from the template's files as they are when it is wanted. One that was made before still
does, because its overlays show what is in the template's directories at the time; but a tmpfs whose
counterpart in the template was empty is not an overlay, and does not. That is looked at when a holder is
handed out.
"""

from __future__ import annotations

import _signal
import os
import select

from .. import namespaces
from .. import syscalls as sys
from ..channel import MAPS_WRITTEN, READY, WANT_MAPS, Channel
from ..descriptors import close_from
from ..errors import NsisolateError
from ..init import fork
from ..record import Record
from .holder import hold
from .inner import write_inner_maps
from .layers import Contents
from .view import recipe_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .layers import State
    from .view import Tree


class Holder(Record):
    """A holder. Its pid may be reused once it is reaped, its pidfd means it for ever.

    *filled* are the destinations whose counterparts in the template had content when it was begun.
    """

    name: str
    pid: int
    pidfd: int
    filled: frozenset[str]

    def kill(self) -> None:
        """Kill it, and with it every process in its container."""
        try:
            _signal.pidfd_send_signal(self.pidfd, _signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself

    def is_alive(self) -> bool:
        """Tell whether it has not ended."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)


class Holders:
    """Makes holders, one at a time: nothing in here blocks."""

    def __init__(self, tree: Tree, states: dict[str, State]) -> None:
        self._tree = tree
        self._states = states
        self._contents = Contents(states)
        self._recipe = recipe_of(tree)
        self._own_pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._made = 0
        self._begun: Holder | None = None
        self._channel: Channel | None = None
        self._spare: Holder | None = None

    def fileno(self) -> int | None:
        """Return the descriptor at which the one that is being made has something to say; None without."""
        return None if self._channel is None else self._channel.fileno()

    def prepare(self) -> None:
        """Begin to make one, unless there is one or one is being made. Raises NsisolateError."""
        if self._spare is None and self._begun is None:
            self._begin()

    def advance(self) -> None:
        """Go on with the one that is being made, which has something to say. Raises NsisolateError."""
        assert self._begun is not None
        assert self._channel is not None
        try:
            kind, _fields, _fd = self._channel.receive(WANT_MAPS, READY)
            if kind == WANT_MAPS:
                write_inner_maps(self._begun.pid, self._tree.plan)
                self._channel.send(MAPS_WRITTEN)
                return
        except NsisolateError:
            discard(self._begun)
            self._begun = None
            self._close_channel()
            raise
        self._spare, self._begun = self._begun, None
        self._close_channel()

    def take(self) -> Holder | None:
        """Return one that is ready, and is as it would be if it were made now; None if there is none."""
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        if not self.is_current(spare):
            discard(spare)
            return None
        return spare

    def is_current(self, holder: Holder) -> bool:
        """Tell whether a holder that was handed out is as it would be if it were made now."""
        return holder.filled == self._contents.filled() and holder.is_alive()

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _begin(self) -> None:
        filled = self._contents.filled()
        self._channel, theirs = Channel.pair()
        try:
            pid = self._fork(theirs, filled)
        except NsisolateError:
            self._close_channel()
            raise
        finally:
            theirs.close()
        self._made += 1
        self._begun = Holder(name=str(self._made), pid=pid, pidfd=os.pidfd_open(pid), filled=filled)

    def _fork(self, theirs: Channel, filled: frozenset[str]) -> int:
        namespaces.unshare(sys.CLONE_NEWPID)
        try:
            pid = fork()
            if pid == 0:
                self._become_holder(theirs, filled)
        finally:
            # A pid namespace can be unshared again only from one's own.
            sys.setns(self._own_pid_namespace, sys.CLONE_NEWPID)
        return pid

    def _become_holder(self, channel: Channel, filled: frozenset[str]) -> NoReturn:
        try:
            _signal.set_wakeup_fd(-1)
            _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
            close_from(3, [channel.fileno()])
            states = {where: self._states[where] for where in filled}
            hold(self._tree, states, self._recipe, channel)
        except BaseException as error:
            channel.send_error(error)
        finally:
            os._exit(1)


def discard(holder: Holder) -> None:
    """End a holder that was never handed out; it is reaped with others."""
    holder.kill()
    os.close(holder.pidfd)
