"""Joining the cgroups of a container (cgroups(7)), for ``exec``."""

from __future__ import annotations

import errno
import os

from .cgroups.group import entrance
from .cgroups.locate import UNIFIED, hierarchies
from .errors import LifecycleError, SetupError
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .cgroups.group import Cgroup


class Target(Record):
    """The cgroup to join in one hierarchy, and where to go if that one takes no processes, or nowhere.

    *asked_for*: it was named on the command line, and nothing else will do. *own*: it is the container's own,
    with its limits; *unit* is then the systemd unit that it belongs to, or an empty string. *unified*: it is
    one of v2.
    """

    directory: str
    otherwise: str = ""
    asked_for: bool = False
    own: bool = False
    unit: str = ""
    unified: bool = False


def sub_cgroups(options: Iterable[str]) -> dict[str, str]:
    """Return the paths below the container's cgroup, by controller; under "" the one for all of them.

    *options* are ``PATH`` or ``CONTROLLER[,CONTROLLER]:PATH``. Raises LifecycleError.
    """
    found: dict[str, str] = {}
    given = list(options)
    for option in given:
        names, colon, path = option.rpartition(":")
        if ".." in path.split("/"):
            raise LifecycleError(f"--cgroup: {path} is not a sub cgroup path")
        if not colon and len(given) > 1:
            raise LifecycleError(
                f"--cgroup: {option!r} needs a CONTROLLER: before it, as one of several"
            )
        for name in names.split(",") if colon else ("",):
            found[name] = path
    return found


def targets(pid: int, kept: Cgroup | None, below: Mapping[str, str]) -> tuple[Target, ...]:
    """Return what a process joins that is executed in the container whose init is *pid*.

    That is the container's own cgroup, *kept*, or, where it has none, its init's; *below* that what
    :func:`sub_cgroups` says. An init may have moved further down. Raises LifecycleError.
    """
    theirs = hierarchies(str(pid))
    ours = {h.mount_point: h.joined(h.own) for h in hierarchies()}
    names = {name for h in theirs for name in (h.controllers if h.version == 1 else (UNIFIED,))}
    if unknown := set(below) - names - {""}:
        raise LifecycleError(f"--cgroup: unknown controller {min(unknown)!r}")
    found = []
    for hierarchy in theirs:
        controllers = hierarchy.controllers if hierarchy.version == 1 else (UNIFIED,)
        init = hierarchy.joined(hierarchy.own)
        own = kept.directory(controllers[0]) if kept is not None else None
        asked = [below[name] for name in (*controllers, "") if name in below]
        directory = own or init
        if asked:
            directory = f"{directory}/{asked[0].strip('/')}".rstrip("/")
        if asked or directory != ours.get(hierarchy.mount_point):
            target = Target(
                directory=directory,
                otherwise=init,
                asked_for=bool(asked),
                unified=hierarchy.version == 2,
            )
            if own and kept is not None:
                target = target.replace(own=True, unit=kept.unit)
            found.append(target)
    return tuple(found)


def v2_directory(found: Iterable[Target]) -> str:
    """Return the directory to join in the v2 hierarchy, or an empty string."""
    return next((target.directory for target in found if target.unified), "")


def join_cgroups(found: Iterable[Target], born_in: str = "") -> None:
    """Move the calling process into cgroups, but for *born_in*, where it is. Raises SetupError.

    An ordinary user may not be able to. Where the container has a cgroup of its own, every process of it
    has to be there; where it has none, nothing is lost: there are no limits.
    """
    for target in found:
        if target.directory == born_in:
            continue
        try:
            _join(target.directory)
        except OSError as error:
            if target.asked_for:
                raise _refused(target.directory, error) from error
            if error.errno == errno.EBUSY and target.otherwise != target.directory:
                # v2: it has children with controllers by now, and takes no processes itself.
                _join_or_fail(target.otherwise)
            elif os.geteuid() == 0 or error.errno not in (errno.EACCES, errno.EPERM):
                raise _refused(target.directory, error) from error
            elif target.unit:
                from .cgroups.systemd.unit import attach

                attach(target.unit, target.directory)
            elif target.own:
                hint = "this has to be called from where the container was created, or above"
                raise _refused(target.directory, error, hint) from error


def _join(directory: str) -> None:
    fd = os.open(entrance(directory), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"0")
    finally:
        os.close(fd)


def _join_or_fail(directory: str) -> None:
    try:
        _join(directory)
    except OSError as error:
        raise _refused(directory, error) from error


def _refused(directory: str, error: OSError, hint: str = "") -> SetupError:
    # The words of runc, which callers look for.
    reason = os.strerror(error.errno or 0).lower()
    call = f"adding pid {os.getpid()} to cgroups: {directory}/cgroup.procs: {reason}"
    return SetupError("cgroups", call, hint=hint)
