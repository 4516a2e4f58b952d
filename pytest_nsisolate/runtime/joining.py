"""``exec``: a further process in the namespaces and cgroups of a container.

The same two processes and the same channel as for a new container: the first joins, the second, its child,
is in the pid namespace too and becomes the process.
"""

from __future__ import annotations

import os

from . import namespaces, own_executable
from . import syscalls as sys
from .cgroup_joining import join_cgroups, v2_directory
from .channel import FORKED, GO, READY, TERMINAL, Channel
from .descriptors import close_all_but
from .errors import KernelCallError, LifecycleError, SetupError
from .executable import execute, find_executable, seal, with_home
from .init import (
    become_root_inside,
    capabilities_for,
    die_with_launcher,
    enter_session,
    fork,
    join_session_keyring,
    note_ourselves,
    report_and_exit,
    reset_signals,
    settings_of,
    write_oom_score_adj,
)
from .launcher import Launched, attend_fork
from .privileges import lower_rlimits, raise_rlimits
from .record import Record
from .working_directory import become_in_cwd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .cgroup_joining import Target
    from .execution.settings import Settings
    from .launch_options import LaunchOptions
    from .plan import Plan, Process
    from .seccomp.load import Filter


class Joiner(Record):
    """A container that is joined: what was found out and opened before the fork.

    *pidfd* is of its init: what was read under the pid's name counts only if the pidfd can still be joined
    afterwards. *proc_fd* is a /proc of the host's.
    """

    pidfd: int
    flags: int
    root_fd: int
    proc_fd: int
    cgroups: tuple[Target, ...]
    syscall_filter: Filter | None
    settings: Settings | None


def launch_in(
    pid: int, pidfd: int, plan: Plan, options: LaunchOptions, cgroups: tuple[Target, ...]
) -> Launched:
    """Launch the process of *plan* in the container whose init is *pid*, up to READY.

    *plan* is the container's, but for the process. *cgroups* are those that it joins.
    """
    process = plan.process
    assert process is not None, "the caller has put it there"
    if process.terminal:
        from . import terminal  # noqa: F401 - now: in the container there may be no Python
    syscall_filter = _filter(plan, pid, options)
    root_fd, proc_fd = _open_root(pid), os.open("/proc", os.O_PATH | os.O_CLOEXEC)
    joined = Joiner(
        pidfd=pidfd,
        flags=differing_namespaces(pid),
        root_fd=root_fd,
        proc_fd=proc_fd,
        cgroups=cgroups,
        syscall_filter=syscall_filter,
        settings=settings_of(plan, process),
    )

    kinds = [kind for kind, flag in namespaces.CLONE_FLAGS.items() if flag & joined.flags]
    options.detail(f"nsexec container setup: joined: {', '.join(kinds)} of process {pid}")

    def first_stage(channel: Channel, born_in: str) -> NoReturn:
        _first_stage(joined, plan, channel, options, born_in)

    # Where it is bound to other CPUs before it joins, it joins by itself.
    directory = v2_directory(cgroups) if process.exec_cpu_affinity is None else ""
    rest = [TERMINAL, READY] if process.terminal else [READY]
    try:
        return attend_fork(first_stage, rest, cgroup=directory)
    finally:
        os.close(root_fd)
        os.close(proc_fd)
        if syscall_filter is not None:
            syscall_filter.close()


def _filter(plan: Plan, pid: int, options: LaunchOptions) -> Filter | None:
    if plan.seccomp is None:
        return None
    from .seccomp.load import Filter

    annotations = dict(plan.annotations)
    state = {"id": options.id, "bundle": options.bundle, "annotations": annotations}
    return Filter(plan.seccomp, state | {"status": "running", "pid": pid})


def differing_namespaces(pid: int) -> int:
    """Return the CLONE flags of the namespaces of *pid* that we are not in."""
    flags = 0
    for kind, flag in namespaces.CLONE_FLAGS.items():
        name = namespaces.PROC_NAMES.get(kind, kind)
        try:
            theirs, ours = os.stat(f"/proc/{pid}/ns/{name}"), os.stat(f"/proc/self/ns/{name}")
        except FileNotFoundError:
            if os.path.exists(f"/proc/self/ns/{name}"):
                raise LifecycleError("the container has just stopped") from None
            continue  # a kernel without it
        except OSError as error:
            call = f"open /proc/{pid}/ns/{name}"
            raise SetupError("namespaces", call, error.errno or 0) from error
        if (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino):
            flags |= flag
    return flags


def _open_root(pid: int) -> int:
    try:
        return os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SetupError("rootfs", f"open /proc/{pid}/root", error.errno or 0) from error


def _first_stage(
    joined: Joiner, plan: Plan, channel: Channel, options: LaunchOptions, born_in: str
) -> NoReturn:
    try:
        process = plan.process
        assert process is not None, "the caller has put it there"
        reset_signals()
        os.umask(0)
        write_oom_score_adj(process)
        affinity = process.exec_cpu_affinity
        if affinity is not None:
            bind_to_cpus(affinity.initial)
        join_cgroups(joined.cgroups, born_in)
        if affinity is not None:
            bind_to_cpus(affinity.final)
        ourselves = own_executable.note(plan)
        _join(joined.pidfd, joined.flags, joined.root_fd)
        own_executable.let_go(ourselves)
        if joined.flags & sys.CLONE_NEWUSER:
            become_root_inside()
        # Nobody in the container may trace us before we are one of them (CVE-2016-9962).
        sys.prctl(sys.PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE, 0")
        child = fork()
        if child:
            channel.send(FORKED, str(child))
            os._exit(0)
        _second_stage(joined, process, channel, options)
    except BaseException as error:
        report_and_exit(error, channel)


def bind_to_cpus(cpus: str) -> None:
    """Bind the calling process to the CPUs of ``process.execCPUAffinity``; an empty list says nothing."""
    if cpus:
        from .execution.settings import set_cpu_affinity

        set_cpu_affinity(cpus)


def _join(pidfd: int, flags: int, root_fd: int) -> None:
    """Enter all namespaces in one call, which checks that we may, and the container's root."""
    try:
        if flags:
            sys.setns(pidfd, flags)
    except KernelCallError as error:
        raise SetupError("namespaces", error.call, error.errno or 0) from error
    root, ours = os.fstat(root_fd), os.stat("/")
    if (root.st_dev, root.st_ino) != (ours.st_dev, ours.st_ino):
        # It lives in a mount namespace that it shares with others.
        os.fchdir(root_fd)
        os.chroot(".")
    os.chdir("/")
    os.close(root_fd)


def _second_stage(
    joined: Joiner, process: Process, channel: Channel, options: LaunchOptions
) -> NoReturn:
    syscall_filter = joined.syscall_filter
    options.detail("child process in init(): it is in the container")
    note_ourselves(joined.proc_fd, syscall_filter, joined.settings)
    if options.session_keyring:
        join_session_keyring(f"_ses.{options.id}")
    slave = _open_terminal(process, channel)
    enter_session(process, slave, attended=options.attended)
    raise_rlimits(process.rlimits)
    if joined.settings is not None:
        joined.settings.apply()
    options.detail(f"setns_init: about to exec {' '.join(process.args)}")
    close_all_but(options.preserve_fds, channel, None, syscall_filter)
    become_in_cwd(process, keep=capabilities_for(syscall_filter, process))
    program = find_executable(process)
    process = with_home(process)
    channel.send(READY)
    channel.receive(GO)
    if options.attended:
        die_with_launcher(channel)
    seal(process, options.preserve_fds)
    lower_rlimits(process.rlimits)
    execute(program, process, syscall_filter)


def _open_terminal(process: Process, channel: Channel) -> int | None:
    if not process.terminal:
        return None
    from . import terminal

    root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    master, slave = terminal.open_in_root(root_fd)
    os.close(root_fd)
    if process.console_size is not None:
        terminal.set_size(master, process.console_size)
    channel.send(TERMINAL, fd=master)
    os.close(master)
    return slave
