"""Forking a test into a fresh container."""

from __future__ import annotations

import errno
import faulthandler
import gc
import os
import random
import select
import signal
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..pytest_private import ProtocolExit
from ..runtime import privileges
from ..runtime import syscalls as sys
from ..runtime.capabilities import last_number, mask_of
from ..runtime.channel import (
    CHECK_HOLDER,
    END_HOLDER,
    HOLDER,
    HOLDER_CHECKED,
    HOLDER_ENDED,
    WANT_HOLDER,
)
from ..runtime.errors import KernelCallError, NsisolateError, call_of, explain
from ..runtime.plan import Capabilities, Process, User
from ..runtime.process_limit import limit_processes
from ..runtime.record import Record
from ..runtime.syscalls_keyctl import keyctl_join_session_keyring
from ..wire import frames
from ..wire.data import dump
from .capture import flush_streams
from .link import Link
from .memory import Memory


class Cloned(ProtocolExit):
    """Raised in the template where its clone goes on, to leave the item's protocol.

    It derives from pytest's Exit because that is what passes through the protocol's phases.
    """

    def __init__(self, clone: Clone) -> None:
        super().__init__("cloned")
        self.clone = clone


class CloneFailed(ProtocolExit):
    """Raised in the template where no clone could be made; its text says why."""


class Clone(Record):
    """A fork of this process in a container; *pid* and *init* (the container's) as we see them."""

    holder: str
    init: int
    pid: int


class Cloner:
    """Makes clones of this process."""

    def __init__(self, link: Link, start: dict[str, Any], stacks: int) -> None:
        self._factory = link.factory
        self._host = link.host
        self._stacks = stacks
        self._process = _process(start["process"])
        self._outer, self._inner = start["namespaces"]
        self._own_pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._host_environment: dict[str, str] = dict(start["environ"])
        self._host_cwd = self._cwd = start["cwd"]
        #: The containers that are being removed, and the pids of clones that are not reaped.
        self._ending: set[str] = set()
        self._alive: set[int] = set()
        self._memory = Memory(start["tests"])
        self.is_clone = False

    def follow(self, order: dict[str, Any]) -> None:
        """Follow the host: what changed in its environment and its working directory since last time.

        What fixtures of wider scopes changed in here stays.
        """
        if order["cwd"] != self._host_cwd:
            self._host_cwd = self._cwd = order["cwd"]
            with suppress(OSError):
                os.chdir(self._host_cwd)
        now: dict[str, str] = order["environ"]
        before = self._host_environment
        if now == before:
            return
        for name in before.keys() - now.keys():
            os.environ.pop(name, None)
        for name, value in now.items():
            if before.get(name) != value:
                os.environ[name] = value
        self._host_environment = now

    def fork(self, doors: list[int], results: socket.socket | None) -> Clone | None:
        """Fork into a fresh container; return None in the clone, which is in there. Raises CloneFailed.

        *doors* are those of the test's cgroup, if it has one. A clone that cannot get in says why to
        *results*, if there is anybody yet, and ends.
        """
        self._memory.settle()
        try:
            self._factory.send(WANT_HOLDER)
            (holder, init), pidfd = self._receive(HOLDER)
        except NsisolateError as error:
            raise CloneFailed(f"the sandbox could not be made: {error}") from error
        assert pidfd is not None, "HOLDER brings a pidfd"
        try:
            self._cwd = os.getcwd()
        except FileNotFoundError:
            self._cwd = self._host_cwd
        try:
            pid = self._fork_into(pidfd)
        except OSError as error:
            sys.setns(self._own_pid_namespace, sys.CLONE_NEWPID)
            os.close(pidfd)
            self._let_end(holder)
            raise CloneFailed(f"the sandbox could not be made: {_sentence(error)}") from error
        if pid == 0:
            self.is_clone = True
            with _entering(results):
                self._enter(pidfd, doors)
            return None
        sys.setns(self._own_pid_namespace, sys.CLONE_NEWPID)
        os.close(pidfd)
        self._alive.add(pid)
        return Clone(holder=holder, init=int(init), pid=pid)

    @staticmethod
    def _fork_into(pidfd: int) -> int:
        """Fork into the pid namespace of *pidfd*; the caller goes back to its own."""
        flush_streams()  # what is in a buffer would be printed twice
        sys.setns(pidfd, sys.CLONE_NEWPID)
        with warnings.catch_warnings():
            # Threads of session fixtures stay behind; that is what "cloned" means.
            warnings.simplefilter("ignore", DeprecationWarning)
            timer = signal.getitimer(signal.ITIMER_REAL)
            sequence = random.getstate()
            pid = os.fork()
        if pid == 0:
            # All that there is becomes old: not looked at, nor copied, when young objects are collected.
            # Not before the fork, or the template would keep what is garbage by now.
            gc.freeze()
            gc.unfreeze()
            # A fork is seeded anew; a test gets the numbers that a fixture's random.seed() makes.
            random.setstate(sequence)
            # An alarm that goes off for the test is not inherited, its handler is.
            signal.setitimer(signal.ITIMER_REAL, *timer)
        return pid

    def _enter(self, pidfd: int, doors: list[int]) -> None:
        for door in doors:
            # Into the test's cgroup, before anything of the test's is done.
            os.write(door, b"0")
            os.close(door)
        if self._outer:
            sys.setns(pidfd, self._outer)
        sys.setns(pidfd, self._inner)
        os.close(pidfd)
        os.close(self._own_pid_namespace)
        # Nothing that leads to the template, the factory or the host may stay open in a test.
        self._factory.close()
        self._host.close()
        os.setsid()
        try:
            keyctl_join_session_keyring(None)
        except KernelCallError as error:
            # Without keyrings, or with a filter that hides them, there is none to share either.
            if error.errno not in (errno.ENOSYS, errno.EPERM):
                raise
        privileges.become(self._process)

    def settle(self, order: dict[str, Any], results: socket.socket | None) -> None:
        """In a clone: go where the order says, with its environment."""
        with _entering(results):
            if order["nproc"] is not None:
                limit_processes(order["nproc"])
            os.chdir(self._cwd)
        os.environ.update(order["env"])
        faulthandler.enable(file=self._stacks, all_threads=True)

    def has_company(self) -> bool:
        """Tell whether there are processes, of wide fixtures, beside us, the factory and our clones.

        Those whose parent has ended are the keeper's children, as the factory is.
        """
        orphans = _read_pids("/proc/1/task/1/children") - {os.getppid()}
        return bool(orphans or _own_children() - self._alive)

    def ask(self, clone: Clone) -> None:
        """Ask the factory whether a clone's container is as it would be if it were made now."""
        self._factory.send(CHECK_HOLDER, clone.holder)

    def is_current(self, clone: Clone) -> bool:
        """Return the answer to :meth:`ask`."""
        try:
            fields, _fd = self._receive(HOLDER_CHECKED)
        except NsisolateError:
            return False
        return fields == (clone.holder, "current")

    def announce(self, clone: Clone) -> None:
        """Tell the host which clone is at work."""
        message = {"holder": clone.holder, "pid": clone.pid}
        frames.send(self._host, frames.CLONED, dump(message))

    def attend(self, clone: Clone, *, entirely: bool) -> dict[str, Any]:
        """Wait for the end of the clone and of all that it started, and return how it ended.

        What is left is the container's init, which nothing can come from; that it has gone, too, is waited
        for when the factory is needed next, unless *entirely* is to be waited for.
        """
        _pid, status, usage = os.wait4(clone.pid, 0)
        self._alive.discard(clone.pid)
        self._let_end(clone.holder)
        if entirely or not self._has_left_nothing(clone):
            self._wait_for_containers()
        cpu = usage.ru_utime + usage.ru_stime
        return {"status": status, "cpu": cpu, "peak": usage.ru_maxrss}

    def _let_end(self, holder: str) -> None:
        self._factory.send(END_HOLDER, holder)
        self._ending.add(holder)

    def _has_left_nothing(self, clone: Clone) -> bool:
        """Tell whether no process of the test's is left.

        Orphans are children of the container's init; what a test made a sibling of its own process is ours.
        """
        try:
            left = _read_pids(f"/proc/{clone.init}/task/{clone.init}/children")
        except OSError:
            left = set()  # the init itself is gone, and nothing outlives it
        return not left and not any(map(_is_stray, _own_children() - self._alive))

    def _receive(self, kind: int) -> tuple[tuple[str, ...], int | None]:
        """Receive an answer of the factory's; containers may end in between. Raises NsisolateError."""
        while True:
            received, fields, fd = self._factory.receive(kind, HOLDER_ENDED)
            if received == kind:
                return fields, fd
            self._ending.discard(fields[0])

    def discard(self, clone: Clone) -> None:
        """End a clone that is not needed, and its container."""
        os.kill(clone.pid, signal.SIGKILL)
        os.waitpid(clone.pid, 0)
        self._alive.discard(clone.pid)
        self._let_end(clone.holder)
        self._wait_for_containers()

    def _wait_for_containers(self) -> None:
        poll = select.poll()
        poll.register(self._factory.fileno(), select.POLLIN)
        while self._ending:
            while not poll.poll(_STRAYS_AFTER * 1000):
                _reap_strays()
            _kind, fields, _fd = self._factory.receive(HOLDER_ENDED)
            self._ending.discard(fields[0])


@contextmanager
def _entering(results: socket.socket | None) -> Iterator[None]:
    """In a clone: end if it cannot get in; half inside is nowhere to run anything."""
    try:
        yield
    except (OSError, NsisolateError) as error:
        if results is not None:
            frames.send(results, frames.NOT_ENTERED, dump(_sentence(error)))
        os._exit(1)


def _sentence(error: BaseException) -> str:
    """Return ``setns(CLONE_NEWUSER): EPERM: Operation not permitted``."""
    if isinstance(error, OSError):
        return f"{call_of(error)}: {explain(error.errno or 0)}"
    return str(error)


#: Seconds after which a container that does not end is looked at.
_STRAYS_AFTER = 0.2


def _read_pids(path: str) -> set[int]:
    with open(path, encoding="utf-8") as file:
        return set(map(int, file.read().split()))


def _own_children() -> set[int]:
    return _read_pids("/proc/thread-self/children")


def _is_stray(pid: int) -> bool:
    """Tell whether a child of ours is one that a test has made that, in another pid namespace."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            levels = next((line.split()[1:] for line in file if line.startswith("NSpid:")), [])
    except (FileNotFoundError, ProcessLookupError):
        return False  # its maker, a thread of a fixture, has reaped it
    return len(levels) > 1


def _reap_strays() -> None:
    """Reap children that a test made ours (CLONE_PARENT): as zombies they keep its container alive.

    Our own children are in our own pid namespace, and are their makers' to reap.
    """
    for pid in filter(_is_stray, _own_children()):
        os.waitpid(pid, 0)


def _process(data: dict[str, Any]) -> Process:
    """Return the process whose privileges a clone has."""
    # One and the same tuple, and the kernel's last capability known: a clone has that much less to do.
    names = tuple(data["capabilities"])
    mask_of(names)
    last_number()
    return Process(
        args=("test",),
        user=User(uid=data["uid"], gid=data["gid"], additional_gids=tuple(data["additional_gids"])),
        capabilities=Capabilities(**dict.fromkeys(_SETS, names)),
    )


_SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
