"""``nsisolate exec``: a further process in a container."""

from __future__ import annotations

import os

from ..runtime.cgroup_joining import sub_cgroups, targets
from ..runtime.errors import LifecycleError, NsisolateError
from ..runtime.foreground import Signals, attend
from ..runtime.joining import launch_in
from ..runtime.launch_options import LaunchOptions
from ..runtime.lifecycle.container import hand_over
from ..runtime.lifecycle.liveness import open_process
from ..runtime.lifecycle.state import PAUSED, STOPPED
from ..runtime.spec.config import parse_stored
from . import building
from .arguments import first, read, required_id
from .exec_process import REPEATED, process_to_execute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.launcher import Launched
    from ..runtime.lifecycle.state import State
    from ..runtime.plan import Plan
    from .settings import Settings

_FLAGS = ("--detach", "-d", "--tty", "-t", "--no-new-privs", "--ignore-paused")
_OPTIONS = (
    "--console-socket",
    "--pidfd-socket",
    "--cwd",
    "--user",
    "-u",
    "--process",
    "-p",
    "--pid-file",
    "--preserve-fds",
    "--process-label",
    "--apparmor",
)
HELP = """\
USAGE:
   nsisolate exec [OPTIONS] ID COMMAND [ARG ...]
   nsisolate exec [OPTIONS] --process FILE ID

Runs a further process in a container. What is not said is as with the container's own process.

  -p, --process FILE         the process, as JSON (runtime-spec, "process")
  -t, --tty                  with a terminal
  -d, --detach               do not wait for its end
  -u, --user UID[:GID]       as this user
  -g, --additional-gids GID  in this group too; may be repeated
  --cwd DIR                  in this directory
  -e, --env NAME=VALUE       with this variable; may be repeated
  -c, --cap NAME             with this capability; may be repeated
  --ignore-paused            also while the container is paused: it runs when that ends
  --no-new-privs             without a way to gain privileges
  --process-label LABEL      with this SELinux label
  --apparmor PROFILE         confined by this AppArmor profile
  --cgroup PATH              in this cgroup below the container's; on v1 also CONTROLLER[,...]:PATH,
                             which may be repeated
  --console-socket SOCKET    a unix socket to send the terminal's master to
  --pidfd-socket SOCKET      a unix socket to send a pidfd of it to
  --pid-file FILE            write its pid to this file
  --preserve-fds N           hand N more descriptors on, from 3 on

The exit code is the process's own, and 255 if it could not be run.
"""
#: What tells the caller that it was not the process that ended so.
_NOT_RUN = 255


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    repeated: dict[str, list[str]] = {name: [] for name in REPEATED}
    given, positional = read(
        argv,
        flags=_FLAGS,
        options=_OPTIONS,
        repeated=repeated,
        most=100_000,
        command_after=1,
    )
    container_id = required_id(positional, "exec")
    try:
        return _execute(settings, container_id, given, repeated, positional[1:])
    except NsisolateError as error:
        error.exit_code = _NOT_RUN
        raise


def _execute(
    settings: Settings,
    container_id: str,
    given: dict[str, str],
    repeated: dict[str, list[str]],
    command: list[str],
) -> int:
    directory = settings.directory(container_id)
    state = directory.load()
    _check_status(state, given)
    plan = parse_stored(directory.config(), state.bundle)
    if plan.process is None:
        raise LifecycleError(f"the config of container {state.id!r} has no process")
    process = process_to_execute(plan.process, given, repeated, command)
    detached = bool(first(given, "--detach", "-d"))
    building.check_console(given, terminal=process.terminal, detached=detached)
    plan = plan.replace(process=process)
    if process.apparmor_profile or process.selinux_label:
        from ..runtime.execution.settings import check_labels

        check_labels(plan)
    below = sub_cgroups(repeated["--cgroup"])
    options = LaunchOptions(
        id=state.id,
        bundle=state.bundle,
        preserve_fds=building.preserved_fds(given),
        attended=not detached,
        detail=settings.log.details(),
    )
    signals = None if detached else Signals()
    launched = _launch(state, plan, options, below)
    _hand_over(launched, given)
    launched.go()
    return 0 if signals is None else attend(launched, signals).exit_code


def _check_status(state: State, given: dict[str, str]) -> None:
    status = state.status()
    if status == STOPPED:
        raise LifecycleError(f"cannot exec in a {STOPPED} container")
    if status == PAUSED and "--ignore-paused" not in given:
        # It would hang, and whoever waits for it with it.
        raise LifecycleError("cannot exec in a paused container (use --ignore-paused to override)")


def _launch(state: State, plan: Plan, options: LaunchOptions, below: dict[str, str]) -> Launched:
    pidfd = open_process(state.pid, state.start_time)
    if pidfd is None:
        raise LifecycleError(f"cannot exec in a {STOPPED} container")
    try:
        cgroups = targets(state.pid, state.kept().cgroup, below)
        return launch_in(state.pid, pidfd, plan, options, cgroups)
    finally:
        os.close(pidfd)


def _hand_over(launched: Launched, given: dict[str, str]) -> None:
    try:
        hand_over(
            launched,
            given.get("--console-socket", ""),
            given.get("--pid-file", ""),
            given.get("--pidfd-socket", ""),
        )
    except BaseException:
        launched.kill()
        raise
