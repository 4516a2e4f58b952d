"""The next test's clone, made while a test runs, and waiting for the host's order.

It is in its own fresh container already, and does nothing before the order comes. It is the same as one
made on the order only if nothing happens in the template in between; where that cannot be told (fixtures of a
wider scope are still to be set up, plugins have a say before the set-up, there are threads), none is made
ahead, and where something has happened it is thrown away.
"""

from __future__ import annotations

import _socket
import os
import pickle
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from ..pytest_private import are_set_up, setup_state
from ..runtime.errors import ChannelError
from ..wire import frames
from .clone import Clone, CloneFailed, Cloner

#: Whose hooks may be run in the clone instead of the template: nobody could tell.
_OWN_MODULES = ("_pytest.", "pytest_nsisolate.", "xdist.")
_HOOKS = ("pytest_runtest_protocol", "pytest_runtest_logstart", "pytest_runtest_setup")


class Waiting:
    """A clone that waits, and what it was made from."""

    def __init__(
        self, clone: Clone, orders: socket.socket, item: pytest.Item, fixtures: dict[str, bytes]
    ) -> None:
        self.clone = clone
        self.orders = orders
        self.item = item
        self.fixtures = fixtures
        self.callspec = getattr(item, "callspec", None)
        self.stack = list(setup_state(item.session).stack)

    def is_for(self, item: pytest.Item, order: dict[str, Any]) -> bool:
        """Tell whether a clone made now for *item* would be the same."""
        return (
            item is self.item
            and getattr(item, "callspec", None) is self.callspec
            and order["fixtures"] == self.fixtures
            and not (order["doors"] or order["nproc"] is not None or order["rerun"])
            and list(setup_state(item.session).stack) == self.stack
        )


class Ahead:
    """Makes a clone ahead, at most one."""

    def __init__(self, config: pytest.Config, cloner: Cloner) -> None:
        self._config = config
        self._cloner = cloner
        self._waiting: Waiting | None = None
        self._may: bool | None = None
        self._has_asked = False

    def prepare(
        self, item: pytest.Item, fixtures: dict[str, bytes], get_ready: Callable[[], None]
    ) -> tuple[dict[str, Any], socket.socket] | None:
        """Make a clone for *item* if that can be done ahead. Returns None in the template.

        In the clone, which gets ready and waits, it returns the order and the socket for reports.
        """
        if self._waiting is not None or not self._can_be_made(item):
            return None
        # Not socket.socketpair, which goes by what a fixture may have put in the place of socket.socket.
        ours, theirs = (socket.socket(fileno=end.detach()) for end in _socket.socketpair())
        try:
            clone = self._cloner.fork([], None)
        except CloneFailed:
            # The next test's order will find out why, and tell.
            ours.close()
            theirs.close()
            return None
        except BaseException:
            if self._cloner.is_clone:
                os._exit(0)  # it must not go on as the template; the order makes another
            raise
        if clone is None:
            ours.close()
            return _wait_for_order(theirs, get_ready)
        theirs.close()
        self._waiting = Waiting(clone, ours, item, fixtures)
        return None

    def _can_be_made(self, item: pytest.Item) -> bool:
        if self._may is None:
            self._may = all(map(self._is_own, _HOOKS))
        return (
            self._may
            and are_set_up(item)
            and len(os.listdir("/proc/self/task")) == 1
            and signal.getitimer(signal.ITIMER_REAL)[0] == 0
        )

    def _is_own(self, hook: str) -> bool:
        impls = getattr(self._config.hook, hook).get_hookimpls()
        return all(impl.function.__module__.startswith(_OWN_MODULES) for impl in impls)

    def ask(self) -> None:
        """Ask the factory whether the waiting clone's container is what it would be if it were made now.

        There is nothing to ask if nobody was there who could have written to the files that it starts with.
        """
        self._has_asked = self._waiting is not None and self._cloner.has_company()
        if self._waiting is not None and self._has_asked:
            self._cloner.ask(self._waiting.clone)

    def send(
        self, item: pytest.Item, order: dict[str, Any], results: socket.socket
    ) -> Clone | None:
        """Send the order to the waiting clone and return it; None if there is none for it."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return None
        is_current = not self._has_asked or self._cloner.is_current(waiting.clone)
        if is_current and waiting.is_for(item, order):
            self._cloner.follow(order)
            try:
                frames.send(waiting.orders, frames.RUN, order["pickled"], (results.fileno(),))
            except ChannelError:
                pass  # it was killed, by a process of a fixture, say
            else:
                waiting.orders.close()
                return waiting.clone
        waiting.orders.close()
        self._cloner.discard(waiting.clone)
        return None

    def discard_asked(self) -> None:
        """End the waiting clone after :meth:`ask`."""
        if self._waiting is not None and self._has_asked:
            self._cloner.is_current(self._waiting.clone)
        self.discard()

    def discard(self) -> None:
        """End the waiting clone, because something happens that it has not seen."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.orders.close()
            self._cloner.discard(waiting.clone)


def _wait_for_order(
    orders: socket.socket, get_ready: Callable[[], None]
) -> tuple[dict[str, Any], socket.socket]:
    reader = frames.FrameReader(orders, fds=True)
    try:
        get_ready()
        _kind, payload = reader.receive()
    except BaseException:
        os._exit(
            0
        )  # thrown away, or the template is gone; after a failure, the order makes another
    order: dict[str, Any] = pickle.loads(payload)
    results = socket.socket(fileno=reader.take_fds()[0])
    orders.close()
    return order, results
