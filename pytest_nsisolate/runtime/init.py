"""Init: what happens between fork and execve, inside the container's namespaces.

It runs in two processes. The first enters and creates namespaces and forks, because only a child is
in a new pid or time namespace; the second, PID 1 of a new pid namespace, builds the root and becomes the
container process. Neither returns: they end in execve or ``os._exit``.
"""

from __future__ import annotations

import _signal
import errno
import os

from . import namespaces, own_executable
from . import syscalls as sys
from .capabilities import NUMBERS
from .channel import (
    BUILT,
    FORKED,
    GO,
    HOOKS_DONE,
    MAPS_WRITTEN,
    READY,
    WANT_MAPS,
    Channel,
)
from .descriptors import close_all_but
from .errors import KernelCallError, SetupError
from .executable import DEFAULT_UMASK, execute, find_executable, seal, with_home
from .launch_options import LaunchOptions
from .mounts.build import build_root
from .mounts.pivot import enter, finish_root, from_the_host, open_root, pivot, prepare_root
from .preparation import NOTHING
from .privileges import lower_rlimits, raise_rlimits
from .syscalls import MS_SLAVE
from .syscalls_keyctl import keyctl_join_session_keyring
from .working_directory import become_in_cwd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from .execution.settings import Settings
    from .plan import Plan, Process
    from .preparation import Preparation
    from .seccomp.load import Filter

    SecondStage = Callable[[Plan, Channel], NoReturn]

#: Signals that Python ignores; an ignored signal would stay ignored after execve.
_IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)
_DEFAULTS = LaunchOptions()


def first_stage(
    plan: Plan,
    channel: Channel,
    second_stage: SecondStage,
    preparation: Preparation = NOTHING,
    born_in: str = "",
) -> NoReturn:
    """Enter the plan's namespaces, fork, and let the child go on with *second_stage*.

    *born_in* is the directory of the cgroup of v2 that we are in already, or empty.
    """
    try:
        reset_signals()
        os.umask(0)
        ourselves = own_executable.note(plan)
        preparation.join(born_in)
        preparation.make_devices(plan)
        # The files of /proc/self are ours only until we become somebody else.
        if plan.process is not None:
            write_oom_score_adj(plan.process)
        namespaces.join(namespaces.open_joined(plan))
        _create_user_namespace(plan, channel)
        flags = namespaces.new_flags(plan) & ~sys.CLONE_NEWUSER
        namespaces.unshare(flags & sys.CLONE_NEWTIME)
        namespaces.write_time_offsets(plan.time_offsets)
        if plan.has("user"):
            become_root_inside()
        namespaces.unshare(flags & ~sys.CLONE_NEWTIME)
        own_executable.let_go(ourselves)
        # From here on nobody in a joined pid namespace may trace us; execve makes it normal again.
        sys.prctl(sys.PR_SET_DUMPABLE, 0, name="PR_SET_DUMPABLE, 0")
        pid = fork()
        if pid:
            channel.send(FORKED, str(pid))
            os._exit(0)
        second_stage(plan, channel)
    except BaseException as error:
        report_and_exit(error, channel)


def fork() -> int:
    """Fork as os.fork(). Raises SetupError, which names the limits that may be in the way."""
    try:
        return os.fork()
    except OSError as error:
        hint = (
            "linux.resources.pids.limit of the container, or the caller's limit, has been reached"
        )
        why = hint if error.errno == errno.EAGAIN else ""
        raise SetupError("processes", "fork", error.errno or 0, why) from error


def report_and_exit(error: BaseException, channel: Channel) -> NoReturn:
    """End, after the other side of the channel has been told why."""
    try:
        channel.send_error(error)
    finally:
        os._exit(1)


def reset_signals() -> None:
    """Undo what Python, and we, have done to the signals; none stays blocked."""
    _signal.set_wakeup_fd(-1)
    for number in _signal.valid_signals():
        handler = _signal.getsignal(number)
        if callable(handler) or number in _IGNORED_BY_PYTHON:
            _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def _create_user_namespace(plan: Plan, channel: Channel) -> None:
    if plan.creates("user"):
        namespaces.unshare(sys.CLONE_NEWUSER)
        channel.send(WANT_MAPS)
        channel.receive(MAPS_WRITTEN)


def become_root_inside() -> None:
    """Make what is created from here on belong to the container's root, where it has one."""
    for call in (os.setresgid, os.setresuid):
        try:
            call(0, 0, 0)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EPERM):
                return  # it has none, or we may not be it
            raise SetupError("id maps", f"{call.__name__}(0, 0, 0)", error.errno or 0) from error


def write_oom_score_adj(process: Process) -> None:
    """Set the process's ``oomScoreAdj``."""
    if process.oom_score_adj is not None:
        hint = "lowering it needs CAP_SYS_RESOURCE"
        namespaces.write_file(
            "/proc/self/oom_score_adj", str(process.oom_score_adj), "process.oomScoreAdj", hint
        )


def container(
    plan: Plan,
    channel: Channel,
    options: LaunchOptions = _DEFAULTS,
    preparation: Preparation = NOTHING,
) -> NoReturn:
    """Build the root, then become ``process``: the second stage of an OCI container."""
    process = plan.process
    assert process is not None, "a plan whose payload is a program has a process"
    syscall_filter = preparation.syscall_filter
    settings = settings_of(plan, process)
    note_ourselves(os.open("/proc", os.O_PATH | os.O_CLOEXEC), syscall_filter, settings)
    call_hooks = _container_hooks(plan, options)
    if options.session_keyring:
        join_session_keyring(f"_ses.{options.id}")
    set_names(plan)
    options.detail(f"child process in init(): builds the root from {plan.root.path}")
    own_namespace = plan.creates("mount")
    root_fd = _open_root(plan, options, own_namespace=own_namespace)
    slave = build_root(plan, root_fd, channel, preparation)
    if has_runtime_hooks(plan):
        channel.send(BUILT)
        channel.receive(HOOKS_DONE)
    os.umask(DEFAULT_UMASK)  # all that we make ourselves is made, and has its mode
    call_hooks("createContainer", "creating", root_fd)
    if own_namespace:
        _change_root(root_fd, options)
    else:
        enter(root_fd)
    os.close(root_fd)
    finish_root(readonly=plan.root.readonly, propagation=plan.rootfs_propagation)
    enter_session(process, slave, attended=options.attended)
    raise_rlimits(process.rlimits)
    if settings is not None:
        settings.apply()
    _say_what_comes(process, options)
    close_all_but(options.preserve_fds, channel, options.gate, syscall_filter)
    become_in_cwd(process, keep=capabilities_for(syscall_filter, process))
    program = find_executable(process) if process.args else ""
    process = with_home(process)
    channel = wait_for_go(channel, options)
    try:
        seal(process, options.preserve_fds)
        if plan.hooks.start_container:
            # They are the container's own, and run under its filter, as with runc.
            if syscall_filter is not None:
                syscall_filter.load()
                syscall_filter = None
            call_hooks("startContainer", "created", "/")
        if options.gate is not None:
            channel.send(READY)
        lower_rlimits(process.rlimits)
        execute(program, process, syscall_filter)
    except BaseException as error:
        report_and_exit(error, channel)


def _open_root(plan: Plan, options: LaunchOptions, *, own_namespace: bool) -> int:
    if not plan.has("mount"):
        return open_root(plan.root.path)
    propagation = from_the_host(plan.rootfs_propagation)
    if not options.pivot:
        propagation = propagation or MS_SLAVE  # what is taken away is so in here only
    return prepare_root(plan.root.path, propagation, own_namespace=own_namespace)


def _say_what_comes(process: Process, options: LaunchOptions) -> None:
    user = process.user
    options.detail(f"init: user {user.uid}:{user.gid}, in {process.cwd}: {' '.join(process.args)}")
    options.detail("init: closing the pipe to signal completion")


def _change_root(root_fd: int, options: LaunchOptions) -> None:
    if options.pivot:
        pivot(root_fd)
    else:
        from .mounts.move import move

        move(root_fd)


def has_runtime_hooks(plan: Plan) -> bool:
    """Tell whether there are hooks for the runtime's namespaces, before pivot_root."""
    return bool(plan.hooks.prestart or plan.hooks.create_runtime)


def _container_hooks(plan: Plan, options: LaunchOptions) -> Callable[[str, str, str | int], None]:
    """Return what calls the hooks of a kind: that for the container's namespaces."""
    kinds = {
        "createContainer": plan.hooks.create_container,
        "startContainer": plan.hooks.start_container,
    }
    if not any(kinds.values()):
        return lambda _kind, _status, _cwd: None
    from . import hooks  # now: there may be no Python behind pivot_root

    def call(kind: str, status: str, cwd: str | int) -> None:
        # runtime.md: in the container's namespaces the pid is the one that is seen there.
        state = hooks.state_of(plan, options.id, options.bundle, status, os.getpid())
        hooks.run(kind, kinds[kind], state, cwd)

    return call


def join_session_keyring(name: str) -> None:
    """Leave the caller's session keyring, whose keys are not the container's business."""
    try:
        keyctl_join_session_keyring(name)
    except KernelCallError as error:
        if error.errno == errno.ENOSYS:
            return  # a kernel without keyrings
        hint = "--no-new-keyring keeps the caller's"
        raise SetupError("session keyring", error.call, error.errno or 0, hint) from error


def wait_for_go(channel: Channel, options: LaunchOptions) -> Channel:
    """Wait for GO, at the gate if there is one; return the channel to whoever said it."""
    gate = options.gate
    channel.send(READY)
    channel.receive(GO)
    if gate is not None:
        channel.close()  # our creator need not wait any longer
        return gate.wait()
    if options.attended:
        die_with_launcher(channel)
    return channel


def settings_of(plan: Plan, process: Process) -> Settings | None:
    """Return what is to be applied shortly before execve; None, and no import, for most."""
    if not (
        plan.memory_policy
        or plan.personality
        or process.scheduler
        or process.io_priority
        or process.apparmor_profile
        or process.selinux_label
    ):
        return None
    from .execution.settings import Settings

    return Settings(plan, process)


def note_ourselves(proc_fd: int, syscall_filter: Filter | None, settings: Settings | None) -> None:
    """Take from *proc_fd*, the /proc of the host, what is there of us, and close it."""
    if syscall_filter is not None:
        syscall_filter.note_pid(proc_fd)
    if settings is not None:
        settings.open_labels(proc_fd)
    os.close(proc_fd)


def capabilities_for(syscall_filter: Filter | None, process: Process) -> int:
    """Return the capabilities to keep until the filter is loaded.

    seccomp(2): that takes no_new_privs or CAP_SYS_ADMIN.
    """
    needed = syscall_filter is not None and not process.no_new_privileges
    return 1 << NUMBERS["CAP_SYS_ADMIN"] if needed else 0


def set_names(plan: Plan) -> None:
    """Set host and domain name."""
    try:
        if plan.hostname is not None:
            sys.sethostname(plan.hostname)
        if plan.domainname is not None:
            sys.setdomainname(plan.domainname)
    except KernelCallError as error:
        raise SetupError("hostname", error.call, error.errno or 0) from error


def enter_session(process: Process, slave: int | None, *, attended: bool) -> None:
    """Start a session of its own, with the terminal if there is one."""
    os.setsid()
    if slave is not None:
        from . import terminal

        if attended and not os.isatty(1):  # which is the launcher's still
            terminal.keep_newlines(slave)
        terminal.become_controlling(slave, process.user.uid)


def die_with_launcher(channel: Channel) -> None:
    """Let the kernel kill us when the launcher dies: prctl(2), PR_SET_PDEATHSIG.

    This late, because a change of ids or capabilities takes it back; and the launcher may have died
    since it said GO, which only the channel still tells: it has the other end until we execve.
    """
    sys.prctl(sys.PR_SET_PDEATHSIG, _signal.SIGKILL, name="PR_SET_PDEATHSIG, SIGKILL")
    if channel.is_abandoned():
        os._exit(1)
