"""Forking a test into a fresh container."""

from __future__ import annotations

import errno
import faulthandler
import gc
import os
import select
import signal
import socket
import sys as sys_module
import warnings
from typing import Any

from ..pytest_private import ProtocolExit
from ..runtime import privileges
from ..runtime import syscalls as sys
from ..runtime.capabilities import last_number, mask_of
from ..runtime.channel import END_HOLDER, HOLDER, HOLDER_ENDED, WANT_HOLDER
from ..runtime.errors import KernelCallError, NsisolateError, call_of, explain
from ..runtime.plan import Capabilities, Process, User
from ..runtime.process_limit import limit_processes
from ..runtime.syscalls_keyctl import keyctl_join_session_keyring
from ..wire import frames
from ..wire.data import dump
from .link import Link


class Cloned(ProtocolExit):
    """Raised in the template where its clone goes on, to leave the item's protocol.

    It derives from pytest's Exit because that is what passes through the protocol's phases.
    """


class CloneFailed(ProtocolExit):
    """Raised in the template where no clone could be made; its text says why."""


class Cloner:
    """Makes clones of this process, one at a time."""

    def __init__(self, link: Link, start: dict[str, Any], stacks: int) -> None:
        self._factory = link.factory
        self._host = link.host
        self._stacks = stacks
        self._process = _process(start["process"])
        self._outer, self._inner = start["namespaces"]
        self._own_pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._host_environment: dict[str, str] = dict(start["environ"])
        self._holder = ""
        self._pid = 0
        self.is_clone = False

    def apply_environment(self, order: dict[str, Any]) -> None:
        """Follow the host: what changed in its environment and its working directory since last time.

        What fixtures of wider scopes changed in here stays.
        """
        now: dict[str, str] = order["environ"]
        for name in self._host_environment.keys() - now.keys():
            os.environ.pop(name, None)
        for name, value in now.items():
            if self._host_environment.get(name) != value:
                os.environ[name] = value
        self._host_environment = now

    def clone(self, order: dict[str, Any], results: socket.socket) -> None:
        """Fork into a fresh container. Returns in the clone; raises Cloned in the template."""
        try:
            self._factory.send(WANT_HOLDER)
            _kind, (self._holder,), pidfd = self._factory.receive(HOLDER)
        except NsisolateError as error:
            raise CloneFailed(f"the sandbox could not be made: {error}") from error
        assert pidfd is not None, "HOLDER brings a pidfd"
        try:
            pid = self._fork(pidfd)
        except OSError as error:
            sys.setns(self._own_pid_namespace, sys.CLONE_NEWPID)
            os.close(pidfd)
            self._end_holder()
            raise CloneFailed(f"the sandbox could not be made: {_sentence(error)}") from error
        if pid == 0:
            self._become_clone(pidfd, order, results)
            return
        sys.setns(self._own_pid_namespace, sys.CLONE_NEWPID)
        os.close(pidfd)
        self._pid = pid
        results.close()
        frames.send(self._host, frames.CLONED, dump({"holder": self._holder, "pid": pid}))
        raise Cloned("cloned")

    def _fork(self, pidfd: int) -> int:
        """Fork into the pid namespace of *pidfd*; the caller goes back to its own."""
        sys.setns(pidfd, sys.CLONE_NEWPID)
        # What is in a buffer would be printed twice.
        for stream in (sys_module.stdout, sys_module.stderr):
            stream.flush()
        with warnings.catch_warnings():
            # Threads of session fixtures stay behind; that is what "cloned" means.
            warnings.simplefilter("ignore", DeprecationWarning)
            timer = signal.getitimer(signal.ITIMER_REAL)
            # What is alive now is not looked at, and so not copied, when the clone's young objects are collected.
            gc.freeze()
            pid = os.fork()
        if pid == 0:
            # An alarm that goes off for the test is not inherited, its handler is.
            signal.setitimer(signal.ITIMER_REAL, *timer)
        return pid

    def _become_clone(self, pidfd: int, order: dict[str, Any], results: socket.socket) -> None:
        gc.unfreeze()
        self.is_clone = True
        try:
            self._enter(pidfd, order)
        except (OSError, NsisolateError) as error:
            # Half inside is nowhere to run anything.
            frames.send(results, frames.NOT_ENTERED, dump(_sentence(error)))
            os._exit(1)

    def _enter(self, pidfd: int, order: dict[str, Any]) -> None:
        for door in order["doors"]:
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
        if order["nproc"] is not None:
            limit_processes(order["nproc"])
        os.chdir(order["cwd"])
        os.environ.update(order["env"])
        faulthandler.enable(file=self._stacks, all_threads=True)

    def attend(self) -> dict[str, Any]:
        """Wait for the clone's end, let the container be removed, and return how it ended."""
        _pid, status = os.waitpid(self._pid, 0)
        self._end_holder()
        return {"status": status}

    def _end_holder(self) -> None:
        self._factory.send(END_HOLDER, self._holder)
        while not select.select([self._factory], [], [], _STRAYS_AFTER)[0]:
            _reap_strays()
        self._factory.receive(HOLDER_ENDED)


def _sentence(error: BaseException) -> str:
    """Return ``setns(CLONE_NEWUSER): EPERM: Operation not permitted``."""
    if isinstance(error, OSError):
        return f"{call_of(error)}: {explain(error.errno or 0)}"
    return str(error)


#: Seconds after which a container that does not end is looked at.
_STRAYS_AFTER = 0.2


def _reap_strays() -> None:
    """Reap children that a test made ours (CLONE_PARENT): as zombies they keep its container alive.

    Our own children are in our own pid namespace, and are their makers' to reap.
    """
    with open("/proc/thread-self/children") as file:
        children = file.read().split()
    for pid in children:
        try:
            with open(f"/proc/{pid}/status") as file:
                levels = next((line.split()[1:] for line in file if line.startswith("NSpid:")), [])
        except (FileNotFoundError, ProcessLookupError):
            continue  # its maker, a thread of a fixture, was faster
        if len(levels) > 1:
            os.waitpid(int(pid), 0)


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
