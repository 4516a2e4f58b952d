"""What ``create`` and ``run`` have in common: their options, and the container that they ask for."""

from __future__ import annotations

import os

from ..runtime.errors import SpecError, UnsupportedError
from ..runtime.lifecycle.container import Request
from ..runtime.mounts.mount import describe
from ..runtime.plan import NO_PROCESS
from ..runtime.preparation import DISABLED, SYSTEMD
from ..runtime.rootless import with_user_namespace
from ..runtime.spec.config import decode_text, parse, read
from .arguments import UsageError, first, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.lifecycle.state import Directory
    from ..runtime.plan import Plan, Process
    from .settings import Settings

FLAGS = ("--no-pivot", "--no-new-keyring", "--no-subreaper")
OPTIONS = (
    "--bundle",
    "-b",
    "--config",
    "-f",
    "--console-socket",
    "--pidfd-socket",
    "--pid-file",
    "--preserve-fds",
)

_KEEP_GROUPS = "run.oci.keep_original_groups"
#: The annotations that change what a container is, with a dot at the end what they begin with; all others
#: are only passed on.
EFFECTIVE_ANNOTATIONS = (_KEEP_GROUPS, "org.systemd.property.")

HELP = """\
  -b, --bundle DIR         the bundle's directory (default: .)
  -f, --config FILE        its config, instead of config.json
  --console-socket SOCKET  a unix socket to send the terminal's master to
  --pidfd-socket SOCKET    a unix socket to send a pidfd of the container process to
  --pid-file FILE          write the container process's pid to this file
  --preserve-fds N         hand N more descriptors on, from 3 on
  --no-pivot               move the root mount rather than use pivot_root(2), for an initramfs
  --no-new-keyring         keep the caller's session keyring
"""


def read_request(
    given: dict[str, str],
    bundle: str,
    container_id: str,
    directory: Directory | None,
    settings: Settings,
    *,
    detached: bool,
    may_lack_process: bool = False,
) -> Request:
    """Return the container that the command line asks for. Raises before anything is done.

    *detached*: nobody will attend it.
    """
    bundle = os.path.abspath(bundle)
    path = os.path.join(bundle, first(given, "--config", "-f", default="config.json"))
    config = read(bundle, path)
    decoded = decode_text(config, path)
    # What does not go together on the command line is told before what is wrong in the config.
    check_console(given, terminal=_has_terminal(decoded), detached=detached)
    plan = parse(decoded, bundle)
    if plan.process is None and not may_lack_process:
        raise SpecError("process", "is required to run a container, and missing")
    process = with_caller(plan.process or NO_PROCESS, plan.annotations)
    plan = with_user_namespace(plan.replace(process=process), process.user)
    _check_cgroups(plan, container_id, settings.cgroup_manager)
    if notify_address() and directory is not None:
        from ..runtime.notify import with_notify

        plan = with_notify(plan, directory.path, notify_address())
    for mount in plan.mounts:
        settings.log.detail(describe(mount))
    return Request(
        id=container_id,
        bundle=bundle,
        plan=plan,
        config=config,
        directory=directory,
        warn=settings.log.warn,
        detail=settings.log.details(),
        console_socket=given.get("--console-socket", ""),
        pidfd_socket=given.get("--pidfd-socket", ""),
        pid_file=os.path.abspath(given["--pid-file"]) if "--pid-file" in given else "",
        preserve_fds=preserved_fds(given),
        pivot="--no-pivot" not in given,
        session_keyring="--no-new-keyring" not in given,
        cgroup_manager=settings.cgroup_manager,
        notify_address=notify_address(),
    )


def _has_terminal(config: object) -> bool:
    process = config.get("process") if isinstance(config, dict) else None
    return isinstance(process, dict) and process.get("terminal") is True


def notify_address() -> str:
    """Return where systemd waits for word from the service that we are, or an empty string."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    return address if address.startswith(("/", "@")) else ""


def _check_cgroups(plan: Plan, container_id: str, manager: str) -> None:
    """Refuse what this manager of cgroups does not understand, or would leave unenforced."""
    if manager == SYSTEMD:
        from ..runtime.cgroups.systemd.annotations import read_properties
        from ..runtime.cgroups.systemd.scope import read_scope

        read_scope(plan, container_id)
        read_properties(plan.annotations)
    elif ":" in plan.cgroups_path:
        raise UnsupportedError(
            f"linux.cgroupsPath: {plan.cgroups_path!r} is the systemd manager's slice:prefix:name: "
            "use --cgroup-manager systemd, or a path"
        )
    resources = plan.resources
    if manager != DISABLED or resources is None:
        return
    if resources.replace(devices=()) != type(resources)():
        raise UnsupportedError(
            "linux.resources needs a cgroup, and --cgroup-manager disabled makes none"
        )


def preserved_fds(given: dict[str, str]) -> int:
    """Return how many descriptors are to be handed on, from 3 on; those of systemd come first.

    One that is not open is none: what we open ourselves closes on execve, whatever its number.
    """
    return whole_number(given, "--preserve-fds") + _listening()


def _listening() -> int:
    text = os.environ.get("LISTEN_FDS", "")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0


def with_caller(process: Process, annotations: tuple[tuple[str, str], ...]) -> Process:
    """Return the process with what it gets from the caller: systemd's sockets, crun's groups."""
    if _listening():
        names = ("LISTEN_FDS", "LISTEN_FDNAMES")
        env = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
        process = process.replace(env=(*process.env, *env, "LISTEN_PID=1"))
    if dict(annotations).get(_KEEP_GROUPS) in ("1", "true"):
        process = process.replace(user=process.user.replace(keep_groups=True))
    return process


def check_console(given: dict[str, str], *, terminal: bool, detached: bool) -> None:
    """Refuse a terminal that nobody would attend, and a console socket for which there is none."""
    has_socket = bool(given.get("--console-socket"))
    if detached and terminal and not has_socket:
        raise UsageError(
            "cannot allocate tty if nsisolate will detach without setting console socket: "
            "use --console-socket"
        )
    if has_socket and not (detached and terminal):
        raise UsageError("cannot use console socket if nsisolate will not detach or allocate tty")
