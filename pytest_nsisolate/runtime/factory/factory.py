"""The factory: it makes holders for its template, and everything ends with it.

::

    host                      factory                          template
      │                          │ <──────────── WANT_HOLDER ───── │
      │                          │ ─── HOLDER id, pid + pidfd ───> │ fork into it, run, reap the fork
      │                          │ <────────── CHECK_HOLDER id ─── │ is it still as a new one would be?
      │                          │ ─── HOLDER_CHECKED id, state ─> │ "current" or "stale"
      │                          │ <──────────── END_HOLDER id ─── │
      │                          │ ─── HOLDER_ENDED id ──────────> │ nothing of the container is left
      │ ─── KILL_HOLDER id ────> │ (at any time: the container dies, the template reaps and ends it)
      │ ─── SIGNAL pid number ─> │ (at any time: to a process of the template's pid namespace)
      │ <── TEMPLATE_ENDED ───── │ and the factory ends, and with it every process in there
      │ ─── end of file ───────> │ the same

A holder that cannot be made is answered with FAILED.
"""

from __future__ import annotations

import _signal
import gc
import os
import select

from .. import syscalls as sys
from ..channel import (
    CHECK_HOLDER,
    END_HOLDER,
    GO,
    HOLDER,
    HOLDER_CHECKED,
    HOLDER_ENDED,
    KILL_HOLDER,
    READY,
    SIGNAL,
    TEMPLATE_ENDED,
    WANT_HOLDER,
    Channel,
)
from ..errors import ChannelError, NsisolateError
from ..init import set_names
from ..privileges import become
from ..record import Record
from . import view
from .holder import bring_up_loopback
from .holders import Holder, Holders
from .inner import Keeper
from .layers import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from ..mounts.skeleton import Entry
    from ..plan import Plan


class TemplateProgram(Record):
    """What the template executes; an argument ``{host}`` or ``{factory}`` becomes that descriptor.

    *plan* and *skeleton* are given if the template's root is another than that of its containers.
    """

    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    cwd: str
    plan: Plan | None = None
    skeleton: tuple[Entry, ...] = ()


class Order(Record):
    """What the host orders from a factory; *cgroups* are to be removed when all is over."""

    plan: Plan
    skeleton: tuple[Entry, ...]
    template: TemplateProgram
    host_fd: int
    host_pidfd: int
    template_fd: int
    cgroups: tuple[str, ...] = ()


def second_stage(order: Order) -> Callable[[Plan, Channel], NoReturn]:
    """Return what init goes on with in the factory's namespaces."""

    def stage(plan: Plan, channel: Channel) -> NoReturn:
        # Maps are written through /proc, which only a dumpable process lets its parent do.
        sys.prctl(sys.PR_SET_DUMPABLE, 1, name="PR_SET_DUMPABLE, 1")
        set_names(order.plan)
        if plan.creates("network"):
            bring_up_loopback()
        keeper = Keeper(plan)
        keeper.enter_pid_namespace()
        if os.fork():
            os._exit(0)
        sys.set_process_name("nsisolate: factory")
        tests = view.tree_of(order.plan, order.skeleton, view.ROOTFS)
        template = tests
        if order.template.plan is not None:
            template = view.tree_of(
                order.template.plan, order.template.skeleton, view.TEMPLATE_ROOTFS
            )
        view.build([tests] if template is tests else [tests, template])
        states = view.build_template_root(template)
        keeper.enter_user_namespace()
        # The template has our uid and all capabilities in here. Not being dumpable keeps it away from
        # us and from our view of the mounts: it has none where this process was started (ptrace(2)).
        sys.prctl(sys.PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE, 0")
        channel.send(READY)
        channel.receive(GO)
        channel.close()
        serve(order, tests, states)

    return stage


def serve(order: Order, tree: view.Tree, states: dict[str, State]) -> NoReturn:
    """Be the factory; a fault of its own is told to the host."""
    gc.disable()  # a holder would copy what a collection looks at
    host = Channel.from_fd(order.host_fd)
    try:
        Factory(order, host, tree, states).serve()
    except BaseException as error:
        host.send_error(error)
    finally:
        os._exit(1)


def outer_plan(plan: Plan) -> Plan:
    """Return the plan of the namespaces around factory and template: *plan*'s, save the pid namespace."""
    around = tuple(ns for ns in plan.namespaces if ns.type != "pid")
    return plan.replace(process=None, mounts=(), devices=(), namespaces=around)


#: Pids of the template's namespace start here, far from those that tests see: a process of a session
#: fixture must not be mistaken for one of the test's own.
_FIRST_TEMPLATE_PID = 100_000


def number_pids_apart() -> None:
    """Let the next pids of this pid namespace be high ones: pid_namespaces(7), ns_last_pid."""
    try:
        with open("/proc/sys/kernel/pid_max", encoding="utf-8") as file:
            highest = int(file.read())
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="utf-8") as file:
            file.write(str(min(_FIRST_TEMPLATE_PID, highest // 2)))
    except OSError:
        pass  # a kernel without it: tests are as isolated, only pids of fixtures look alike


class Factory:
    """The factory's state and its loop."""

    def __init__(
        self, order: Order, host: Channel, tree: view.Tree, states: dict[str, State]
    ) -> None:
        self._making = Holders(tree, states)
        self._host = host
        self._host_pidfd = order.host_pidfd
        self._holders: dict[str, Holder] = {}
        self._ending: dict[int, str] = {}
        self._wanted = False
        self._poll = select.poll()
        self._child_ended, self._wakeup = os.pipe()
        self._watch_children()
        self._template, self._template_pid = self._start_template(order)
        os.close(order.template_fd)

    def _watch_children(self) -> None:
        for fd in (self._child_ended, self._wakeup):
            os.set_blocking(fd, False)
        _signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, lambda _number, _frame: None)

    def _start_template(self, order: Order) -> tuple[Channel, int]:
        ours, theirs = Channel.pair()
        number_pids_apart()
        pid = os.fork()
        if pid == 0:
            become_template(order, theirs)
        theirs.close()
        # The standard streams are the template's; nothing here may keep them open.
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.close(null)
        return ours, pid

    def serve(self) -> NoReturn:
        """Answer requests until the template ends or the host is gone."""
        for fd in (
            self._host.fileno(),
            self._host_pidfd,
            self._template.fileno(),
            self._child_ended,
        ):
            self._poll.register(fd, select.POLLIN)
        while True:
            # Nothing in here may block but this: whatever a container does, the host's end is noticed.
            for fd, _events in self._poll.poll():
                if fd == self._host_pidfd:
                    os._exit(1)
                elif fd == self._host.fileno():
                    self._obey_host()
                elif fd == self._child_ended:
                    self._reap()
                elif fd == self._making.fileno():
                    self._go_on_making(fd)
                elif fd in self._ending:
                    self._holder_ended(fd)
                elif not self._serve_template():
                    self._poll.unregister(fd)

    def _obey_host(self) -> None:
        try:
            kind, fields, _fd = self._host.receive(KILL_HOLDER, SIGNAL)
            if kind == KILL_HOLDER and fields[0] in self._holders:
                self._holders[fields[0]].kill()
            elif kind == SIGNAL:
                os.kill(int(fields[0]), int(fields[1]))
        except ProcessLookupError:
            pass  # it has ended by itself meanwhile
        except ChannelError:
            os._exit(0)

    def _serve_template(self) -> bool:
        try:
            kind, fields, _fd = self._template.receive(WANT_HOLDER, CHECK_HOLDER, END_HOLDER)
        except ChannelError:
            return False  # it is ending; its end is reported when it is reaped
        if kind == WANT_HOLDER:
            self._wanted = True
            self._hand_out_holder()
        elif kind == CHECK_HOLDER:
            holder = self._holders.get(fields[0])
            is_current = holder is not None and self._making.is_current(holder)
            self._tell_template(HOLDER_CHECKED, fields[0], "current" if is_current else "stale")
        else:
            self._end_holder(fields[0])
        return True

    def _tell_template(self, kind: int, *fields: str, fd: int | None = None) -> None:
        try:
            self._template.send(kind, *fields, fd=fd)
        except ChannelError:
            pass  # it is ending, too

    def _hand_out_holder(self) -> None:
        """Hand out a holder if one is wanted and ready; see to it that one is being made."""
        holder = self._making.take() if self._wanted else None
        if holder is not None:
            self._wanted = False
            self._holders[holder.name] = holder
            self._tell_template(HOLDER, holder.name, str(holder.pid), fd=holder.pidfd)
        elif self._wanted:
            self._make_holder()

    def _make_holder(self) -> None:
        try:
            self._making.prepare()
        except NsisolateError as error:
            self._refuse(error)
            return
        self._watch_making()

    def _watch_making(self) -> None:
        fd = self._making.fileno()
        if fd is not None:
            self._poll.register(fd, select.POLLIN)

    def _go_on_making(self, fd: int) -> None:
        # What is closed in there takes no part in the polling any more.
        self._poll.unregister(fd)
        try:
            self._making.advance()
        except NsisolateError as error:
            self._refuse(error)
            return
        self._watch_making()
        if self._making.fileno() is None:
            self._hand_out_holder()

    def _refuse(self, error: NsisolateError) -> None:
        """Say why there is no holder, if one is wanted; otherwise it is tried again when one is."""
        if self._wanted:
            self._wanted = False
            try:
                self._template.send_error(error)
            except ChannelError:
                pass  # it is ending, too

    def _end_holder(self, name: str) -> None:
        holder = self._holders.get(name)
        if holder is None:
            self._tell_template(HOLDER_ENDED, name)
            return
        holder.kill()
        # Readable when the last process of the container is gone (pid_namespaces(7)), which takes as
        # long as the container's processes have a parent outside that does not reap them.
        self._ending[holder.pidfd] = name
        self._poll.register(holder.pidfd, select.POLLIN)

    def _holder_ended(self, pidfd: int) -> None:
        name = self._ending.pop(pidfd)
        holder = self._holders.pop(name)
        self._poll.unregister(pidfd)
        try:
            os.waitpid(holder.pid, 0)
        except ChildProcessError:
            pass  # reaped with the others
        os.close(pidfd)
        self._tell_template(HOLDER_ENDED, name)
        # Now, while the host takes note of the result, and not while the test runs.
        self._make_holder()

    def _reap(self) -> None:
        try:
            os.read(self._child_ended, 4096)
        except BlockingIOError:
            return
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._template_pid:
                self._host.send(TEMPLATE_ENDED, str(status))
                os._exit(0)


def become_template(order: Order, factory: Channel) -> NoReturn:
    """Enter the template's root with the plan's privileges and execute its program."""
    try:
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        sys.unshare(sys.CLONE_NEWNS)
        view.enter_template_root()
        assert order.plan.process is not None, "a template's plan has a process"
        become(order.plan.process)
        os.chdir(order.template.cwd)
        umask = order.plan.process.user.umask
        os.umask(0o022 if umask is None else umask)
        for fd in (order.template_fd, factory.fileno()):
            os.set_inheritable(fd, True)
        names = {"{host}": str(order.template_fd), "{factory}": str(factory.fileno())}
        args = [names.get(arg, arg) for arg in order.template.args]
        os.execve(args[0], args, dict(order.template.env))
    except BaseException as error:
        host = Channel.from_fd(order.host_fd)
        host.send_error(error)
    finally:
        os._exit(1)
