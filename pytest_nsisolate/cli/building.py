"""What ``create`` and ``run`` have in common: their options, and the container that they ask for."""

from __future__ import annotations

import os

from ..runtime import spec
from ..runtime.container import Request
from ..runtime.errors import SpecError, UnsupportedError
from ..runtime.mounts import describe
from ..runtime.rootless import with_user_namespace
from .arguments import UsageError, first, whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.plan import Plan, Process
    from ..runtime.state import Directory
    from .settings import Settings

FLAGS = ("--no-pivot", "--no-new-keyring", "--no-subreaper")
OPTIONS = (
    "--bundle",
    "-b",
    "--config",
    "-f",
    "--console-socket",
    "--pid-file",
    "--preserve-fds",
)

HELP = """\
  -b, --bundle DIR         the bundle's directory (default: .)
  -f, --config FILE        its config, instead of config.json
  --console-socket SOCKET  a unix socket to send the terminal's master to
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
) -> Request:
    """Return the container that the command line asks for. Raises before anything is done."""
    bundle = os.path.abspath(bundle)
    path = os.path.join(bundle, first(given, "--config", "-f", default="config.json"))
    config = spec.read(bundle, path)
    plan = spec.parse_text(config, bundle, path)
    if plan.process is None:
        raise SpecError("process", "is required to run a container, and missing")
    process = with_caller(plan.process, plan.annotations)
    plan = with_user_namespace(plan.replace(process=process), process.user)
    for mount in plan.mounts:
        settings.log.detail(describe(mount))
    return Request(
        id=container_id,
        bundle=bundle,
        plan=plan,
        config=config,
        directory=directory,
        warn=settings.log.warn,
        console_socket=given.get("--console-socket", ""),
        pid_file=os.path.abspath(given["--pid-file"]) if "--pid-file" in given else "",
        preserve_fds=preserved_fds(given),
        pivot="--no-pivot" not in given,
        session_keyring="--no-new-keyring" not in given,
        cgroups=_may_have_cgroups(plan, settings),
    )


def _may_have_cgroups(plan: Plan, settings: Settings) -> bool:
    """Tell whether cgroups are to be made. Raises UnsupportedError where limits would go unenforced."""
    if settings.cgroup_manager != "disabled":
        return True
    resources = plan.resources
    if resources is not None and resources.replace(devices=()) != type(resources)():
        raise UnsupportedError(
            "linux.resources needs a cgroup, and --cgroup-manager disabled makes none"
        )
    return False


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
    if dict(annotations).get("run.oci.keep_original_groups") in ("1", "true"):
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
