"""The operations of the spec on a container: create, start, run, kill, delete (runtime.md).

::

    create ──> created ── start ──> running ── its process ends ──> stopped ── delete
       └───────────────── run ─────────┘

A container that was created and never started may be deleted too: runc and crun do so, and their callers
count on it.

Whoever changes a container holds its lock; hooks of the runtime's namespaces may ask for its state all the
same, because readers need none.
"""

from __future__ import annotations

import _signal
import os

from .. import init, namespaces
from ..channel import READY, Channel
from ..errors import LifecycleError, NsisolateError, SpecError, call_of, explain
from ..launch_options import LaunchOptions, silent
from ..launcher import Launched, launch
from ..mounts.mount import access_times_of_the_host
from ..preparation import CGROUPFS, Preparation, prepare
from ..privileges import ungrantable
from ..record import Record
from .liveness import open_process, start_time
from .signalling import signal_init
from .state import (
    CREATED,
    CREATING,
    RUNNING,
    STOPPED,
    Directory,
    State,
    external_descriptors,
    now,
)
from .state_files import write_atomically

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..gate import Gate
    from ..launch_options import Detail
    from ..notify import Relay
    from ..plan import Plan

    Warn = Callable[[str], None]


class Request(Record):
    """A container to be created: its plan, and what the command line says besides.

    *config* is the text that the plan was made from, *directory* None for one that nobody else shall know.
    *cgroup_manager* is one of preparation.py's. *notify_address*: systemd's, of NOTIFY_SOCKET. *detail* says
    what is done (launch_options.py).
    """

    id: str
    bundle: str
    plan: Plan
    config: bytes
    directory: Directory | None
    warn: Warn
    detail: Detail = silent
    console_socket: str = ""
    pidfd_socket: str = ""
    pid_file: str = ""
    preserve_fds: int = 0
    pivot: bool = True
    session_keyring: bool = True
    cgroup_manager: str = CGROUPFS
    notify_address: str = ""


class Running(Record):
    """A container that runs as this process's child; *relay* passes on what it tells systemd."""

    launched: Launched
    preparation: Preparation
    relay: Relay | None = None


def create(request: Request) -> None:
    """Create the container: everything is built, and its init waits at the gate."""
    from ..gate import Gate

    directory = request.directory
    assert directory is not None, "a container that is created has to be found again"
    directory.make(request.config)
    preparation = Preparation()
    try:
        preparation = _prepare(request)
        gate = Gate.make(directory.path)
        launched = _build(request, preparation, attended=False, gate=gate)
        try:
            hand_over(launched, request.console_socket, request.pid_file, request.pidfd_socket)
            # Before it may go to the gate: there it waits for anybody, also if we are killed.
            _save(request, launched.pid, CREATED, preparation)
        except BaseException:
            launched.kill()
            raise
        launched.go()
    except BaseException:
        _give_up(request, preparation)
        raise
    directory.unlock()


def _prepare(request: Request) -> Preparation:
    """Make what is made before the fork, and note the groups: they are there from here on."""
    if request.notify_address and request.directory is not None:
        from .. import notify

        notify.make_directory(request.directory.path)
    plan = request.plan
    state = {"id": request.id, "bundle": request.bundle, "annotations": dict(plan.annotations)}
    known = request.directory is not None
    # One that others know may be paused or updated by them, and that takes a cgroup.
    preparation = prepare(
        plan,
        request.id,
        state,
        cgroup_manager=request.cgroup_manager,
        always_cgroup=known,
        note=lambda planned: _save(request, 0, CREATING, planned),
    )
    if preparation.cgroup is not None:
        request.detail(f"cgroups: {', '.join(preparation.cgroup.paths)}")
        if shared := preparation.cgroup.shared:
            request.warn(
                f"linux.cgroupsPath: container's cgroup is not empty: {shared[0]}; what is in there shares "
                "its limits, and will neither be killed nor paused with it"
            )
    try:
        if preparation.groups() is not None:
            _save(request, 0, CREATING, preparation)
    except BaseException:
        preparation.close()
        _remove_groups(preparation, request.warn)
        raise
    return preparation


def _build(
    request: Request, preparation: Preparation, *, attended: bool, gate: Gate | None = None
) -> Launched:
    """Launch the container up to READY, hooks of the creation included."""
    if not request.pivot:
        from ..mounts import move as rootfs_move  # noqa: F401 - now: the container's root may not get at our files
    options = LaunchOptions(
        id=request.id,
        bundle=request.bundle,
        preserve_fds=request.preserve_fds,
        pivot=request.pivot,
        session_keyring=request.session_keyring,
        attended=attended,
        gate=gate,
        detail=request.detail,
    )
    request.detail(f"nsexec container setup: {namespaces.describe(request.plan)}")
    launched = launch(
        request.plan,
        lambda plan, channel: init.container(plan, channel, options, preparation),
        lambda pid: _call_creation_hooks(request, pid, preparation),
        preparation,
    )
    request.detail(f"the container process is {launched.pid}")
    if lacking := ungrantable(request.plan):
        request.warn(f"process.capabilities: cannot grant {', '.join(lacking)}")
    if kept := access_times_of_the_host(request.plan):
        request.warn(
            f"mounts: access times on {', '.join(kept)} are kept as on the host: changing that takes root"
        )
    return launched


def _call_creation_hooks(request: Request, pid: int, preparation: Preparation) -> None:
    from .. import hooks

    _save(request, pid, CREATING, preparation)
    found = request.plan.hooks
    # The older prestart is from a time when nothing was "creating"; crun and its users have it so.
    state = hooks.state_of(request.plan, request.id, request.bundle, CREATED, pid)
    hooks.run("prestart", found.prestart, state, request.bundle)
    state = hooks.state_of(request.plan, request.id, request.bundle, CREATING, pid)
    hooks.run("createRuntime", found.create_runtime, state, request.bundle)


def hand_over(
    launched: Launched, console_socket: str, pid_file: str, pidfd_socket: str = ""
) -> None:
    """Give the terminal, the pid and a pidfd to those who asked for them."""
    if console_socket and launched.terminal_fd is not None:
        from ..console import send_master

        fd, launched.terminal_fd = launched.terminal_fd, None
        send_master(console_socket, fd)
    if pid_file:
        try:
            write_atomically(pid_file, str(launched.pid).encode())
        except OSError as error:
            raise LifecycleError(f"cannot write {pid_file!r}: {error.strerror}") from None
    if pidfd_socket:
        from ..console import send_pidfd

        send_pidfd(pidfd_socket, launched.pid)


def _save(request: Request, pid: int, phase: str, preparation: Preparation) -> None:
    if request.directory is not None:
        state = State(
            id=request.id,
            bundle=request.bundle,
            rootfs=request.plan.root.path,
            created=now(),
            owner_uid=os.geteuid(),
            pid=pid,
            start_time=start_time(pid) if pid else 0,
            phase=phase,
            external_descriptors=external_descriptors(),
            annotations=request.plan.annotations,
            groups=preparation.groups(),
        )
        request.directory.save(state)


def run(request: Request, *, attended: bool) -> Running:
    """Create and start the container at once, as this process's child."""
    if request.directory is not None:
        request.directory.make(request.config)
    preparation = Preparation()
    try:
        preparation = _prepare(request)
        relay = open_relay(request.directory, request.notify_address)
        launched = _build(request, preparation, attended=attended)
        try:
            hand_over(launched, request.console_socket, request.pid_file, request.pidfd_socket)
            _save(request, launched.pid, RUNNING, preparation)
        except BaseException:
            launched.kill()
            raise
        launched.go()
        if request.directory is not None:
            request.directory.unlock()
        try:
            call_poststart_hooks(
                request.plan, request.id, request.bundle, launched.pid, request.warn
            )
        except BaseException:
            launched.kill()
            raise
    except BaseException:
        _give_up(request, preparation)
        raise
    return Running(launched=launched, preparation=preparation, relay=relay)


def open_relay(directory: Directory | None, address: str) -> Relay | None:
    """Listen to what the container has for the service manager at *address*; None if it may say nothing."""
    if directory is None or not address or not os.path.isdir(f"{directory.path}/notify"):
        return None
    from ..notify import Relay

    return Relay(directory.path, address)


def _give_up(request: Request, preparation: Preparation) -> None:
    """Destroy what could not be created, also if an interrupt came before its groups were returned."""
    if request.directory is not None and preparation.groups() is None:
        try:
            preparation = request.directory.load().kept()
        except LifecycleError:
            pass  # it came before they were noted, and so before they were made
    destroy(request, preparation)


def destroy(request: Request, preparation: Preparation) -> None:
    """Forget a container whose process has ended, and call the poststop hooks."""
    directory = request.directory
    if directory is not None and not directory.hold():
        return  # somebody else has deleted it; another one may have its name by now
    _remove_groups(preparation, request.warn)
    if directory is not None:
        try:
            directory.remove()
        except OSError as error:
            # The reason why we are here, if there is one, is the error to end with.
            number = error.errno or 0
            request.warn(
                f"state: cannot remove {directory.path}: {call_of(error)}: {explain(number)}"
            )
    call_poststop_hooks(request.plan, request.id, request.bundle, request.warn)


def _remove_groups(preparation: Preparation, warn: Warn) -> None:
    try:
        preparation.remove()
    except NsisolateError as error:
        warn(str(error))


def start(
    directory: Directory, plan: Plan, state: State, warn: Warn, notify_address: str = ""
) -> None:
    """Start a created container, whose directory is locked.

    With *notify_address*, and if it was created with one, wait until it says that it is ready.
    """
    status = state.status()
    if status == STOPPED:
        raise LifecycleError("cannot start a container that has stopped")
    if status == RUNNING:
        raise LifecycleError("cannot start an already running container")
    if status != CREATED:
        raise LifecycleError(f"cannot start a container in the {status} state")
    if plan.process is None:
        raise SpecError("process", "is required to start a container, and missing")
    from .. import gate

    relay = open_relay(directory, notify_address)
    _wait_for_execve(_knock(directory))
    directory.save(state.replace(phase=RUNNING))
    gate.remove(directory.path)
    directory.unlock()
    try:
        call_poststart_hooks(plan, state.id, state.bundle, state.pid, warn)
    except NsisolateError:
        signal_init(state, _signal.SIGKILL)
        raise
    if relay is not None:
        wait_until_ready(relay, state.pid)


def wait_until_ready(relay: Relay, pid: int) -> None:
    """Wait until the container has told systemd, through us, that it is ready, or has ended."""
    pidfd = open_process(pid, start_time(pid))
    if pidfd is not None:
        try:
            relay.wait_until_ready(pid, pidfd)
        finally:
            os.close(pidfd)
    relay.close()


def _knock(directory: Directory) -> Channel:
    from .. import gate

    try:
        return gate.knock(directory.path)
    except ConnectionRefusedError:
        # Nobody listens: its process has been executed, by a start that was killed before it could say so.
        raise LifecycleError("cannot start an already running container") from None
    except OSError as error:
        raise LifecycleError(f"cannot start the container: {error.strerror}") from None


def _wait_for_execve(channel: Channel) -> None:
    try:
        channel.receive(READY)
        channel.receive_end()
    finally:
        channel.close()


def call_poststart_hooks(plan: Plan, container_id: str, bundle: str, pid: int, warn: Warn) -> None:
    """Call the poststart hooks. Raises SetupError: the container is to be stopped then.

    Before 1.2 of the spec a failure was to be warned of; who wrote the config for that relies on it.
    """
    if not plan.hooks.poststart:
        return
    from .. import hooks

    state = hooks.state_of(plan, container_id, bundle, RUNNING, pid)
    if plan.is_older_than(1, 2):
        for failure in hooks.run_all("poststart", plan.hooks.poststart, state, bundle):
            warn(failure)
    else:
        hooks.run("poststart", plan.hooks.poststart, state, bundle)


def call_poststop_hooks(plan: Plan, container_id: str, bundle: str, warn: Warn) -> None:
    """Call the poststop hooks; a failure is only warned of."""
    if plan.hooks.poststop:
        from .. import hooks

        state = hooks.state_of(plan, container_id, bundle, STOPPED, 0)
        # The bundle may be gone by now.
        cwd = bundle if os.path.isdir(bundle) else "/"
        for failure in hooks.run_all("poststop", plan.hooks.poststop, state, cwd):
            warn(failure)


def delete(directory: Directory, plan: Plan | None, state: State | None, warn: Warn) -> None:
    """Delete a container that has stopped, whose directory is locked."""
    if state is not None:
        _remove_groups(state.kept(), warn)
    directory.remove()
    if plan is not None and state is not None:
        call_poststop_hooks(plan, state.id, state.bundle, warn)
