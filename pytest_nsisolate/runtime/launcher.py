"""The launcher: the parent of the two-process pattern."""

from __future__ import annotations

import _signal
import os

from . import init, namespaces
from . import syscalls as sys
from .channel import FORKED, GO, MAPS_WRITTEN, READY, TERMINAL, WANT_MAPS, Channel
from .errors import ChannelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .cgroups.group import Cgroup
    from .init import SecondStage
    from .plan import Plan
    from .resctrl import ClassOfService
    from .seccomp.load import Filter


class Launched:
    """A container that has been built and waits for :meth:`go`.

    *pid* is the container process's, as the launcher sees it; *terminal_fd* the pty's master or None.
    """

    def __init__(self, pid: int, terminal_fd: int | None, channel: Channel) -> None:
        self.pid = pid
        self.terminal_fd = terminal_fd
        self._channel = channel

    def go(self) -> None:
        """Let the container process run. Raises PayloadError if it cannot be executed."""
        try:
            self._channel.send(GO)
            self._channel.receive_end()
        except BaseException:
            self.kill()
            raise
        finally:
            self._channel.close()

    def kill(self) -> None:
        """Kill the container process, and with a pid namespace all others, and reap it."""
        _kill_and_reap(self.pid)


def launch(
    plan: Plan,
    second_stage: SecondStage | None = None,
    cgroup: Cgroup | None = None,
    state: Mapping[str, object] | None = None,
    class_of_service: ClassOfService | None = None,
) -> Launched:
    """Build the plan's container, up to READY.

    *cgroup* and *class_of_service*, in which it is, are the caller's to make and remove.
    *state* is what is told of the container to a seccomp listener. Raises SetupError; nothing is left
    behind then.

    Makes the calling process a subreaper: the container process's own parent exits after the fork.
    """
    sys.prctl(sys.PR_SET_CHILD_SUBREAPER, 1, name="PR_SET_CHILD_SUBREAPER, 1")
    syscall_filter = _compile_filter(plan, state or {})
    mapped = _map_mounts(plan)
    ours, theirs = Channel.pair()
    first = os.fork()
    if first == 0:
        ours.close()
        stage = _container(syscall_filter, mapped)
        groups = [group for group in (cgroup, class_of_service) if group is not None]
        init.first_stage(plan, theirs, second_stage or stage, groups)
    theirs.close()
    if syscall_filter is not None:
        syscall_filter.close()
    for fd in mapped.values():
        os.close(fd)
    pids = [first]
    try:
        launched = _attend(plan, first, ours, pids)
        if cgroup is not None:
            cgroup.limit_pids(plan.resources)
        if plan.net_devices:
            from .net_devices import move

            move(plan, launched.pid)
        return launched
    except BaseException as error:
        ours.close()
        for pid in reversed(pids):
            _kill_and_reap(pid)
        if cgroup is not None and isinstance(error, ChannelError):
            cgroup.explain_death(error)
        raise


def _compile_filter(plan: Plan, state: Mapping[str, object]) -> Filter | None:
    # Here, because nobody but the caller may be able to read the library, or to reach the listener.
    if plan.seccomp is None:
        return None
    from .seccomp.load import Filter

    return Filter(plan.seccomp, state)


def _map_mounts(plan: Plan) -> dict[int, int]:
    # Here, because it takes CAP_SYS_ADMIN over the file systems, which the container's root has not.
    if not any(
        m.uid_mappings or "idmap" in m.options or "ridmap" in m.options for m in plan.mounts
    ):
        return {}
    from .id_mapped_mounts import map_mounts

    return map_mounts(plan)


def _container(syscall_filter: Filter | None, mapped: Mapping[int, int]) -> SecondStage:
    return lambda plan, channel: init.container(plan, channel, syscall_filter, mapped)


def _attend(plan: Plan, first: int, channel: Channel, pids: list[int]) -> Launched:
    if plan.creates("user"):
        channel.receive(WANT_MAPS)
        namespaces.write_id_maps(first, plan.uid_mappings, plan.gid_mappings)
        channel.send(MAPS_WRITTEN)
    # FORKED comes from another process than the rest, and may come after it.
    rest = [TERMINAL, READY] if plan.process is not None and plan.process.terminal else [READY]
    pid, terminal_fd = 0, None
    while rest or not pid:
        expected = rest[:1] if pid else [FORKED, *rest[:1]]
        kind, fields, fd = channel.receive(*expected)
        if kind == FORKED:
            pid = _pid_of(fields[0])
            pids.append(pid)
            os.waitpid(first, 0)
            pids.remove(first)
        else:
            rest.remove(kind)
            terminal_fd = fd if kind == TERMINAL else terminal_fd
    return Launched(pid, terminal_fd, channel)


def _pid_of(field: str) -> int:
    if not field.isdecimal() or not field.isascii() or int(field) < 2:
        raise ChannelError(f"FORKED with the pid {field!r}")
    return int(field)


def _kill_and_reap(pid: int) -> None:
    try:
        os.kill(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
