"""Giving up privileges: ids, capabilities, no_new_privs, resource limits."""

from __future__ import annotations

import errno
import os
import resource  # here, because after the pivot there may be no Python to import from

from . import syscalls as sys
from .capabilities import NUMBERS, last_number, mask_of
from .errors import KernelCallError, SetupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .plan import Capabilities, Plan, Process, Rlimit, User


_RLIMIT_LOCKS = 10  # not in the resource module
_INFINITY = 2**64 - 1


def raise_rlimits(rlimits: Sequence[Rlimit]) -> None:
    """Raise what is to be raised, while we may: setrlimit(2)."""
    for limit in rlimits:
        soft, hard = (_unsigned(value) for value in resource.getrlimit(_number(limit)))
        if limit.hard > hard:
            _set_rlimit(limit, soft, limit.hard)


def lower_rlimits(rlimits: Sequence[Rlimit]) -> None:
    """Set the resource limits, which only lowers them after :func:`raise_rlimits`.

    This is for the last moment: we may need more memory, files or time than the program is to have.
    """
    for limit in rlimits:
        _set_rlimit(limit, limit.soft, limit.hard)


def _number(limit: Rlimit) -> int:
    return int(getattr(resource, limit.type, _RLIMIT_LOCKS))


def _unsigned(value: int) -> int:
    return _INFINITY if value == resource.RLIM_INFINITY else value


def _set_rlimit(limit: Rlimit, soft: int, hard: int) -> None:
    pair = tuple(resource.RLIM_INFINITY if v == _INFINITY else v for v in (soft, hard))
    try:
        resource.setrlimit(_number(limit), (pair[0], pair[1]))
    except (OSError, ValueError, OverflowError) as error:
        # The resource module turns EPERM and EINVAL into ValueError.
        now = _unsigned(resource.getrlimit(_number(limit))[1])
        hint = (
            "fs.nr_open is the most that this one can be" if limit.type == "RLIMIT_NOFILE" else ""
        )
        if hard > now:
            hint = f"the hard limit is {now}, and only CAP_SYS_RESOURCE may raise it"
        raise SetupError(
            "process.rlimits",
            f"setrlimit({limit.type}, soft={limit.soft}, hard={limit.hard})",
            getattr(error, "errno", None) or errno.EPERM,
            hint,
        ) from None


def become(process: Process, *, keep: int = 0) -> None:
    """Become the process's user with its capabilities, and for a while those of the mask *keep*.

    Those end with execve(2), which takes nothing from the permitted set.

    The order matters: the bounding set while CAP_SETPCAP is still there; the groups while CAP_SETGID
    is; the ids with the capabilities kept; then the sets themselves, the ambient one last, because it
    can only hold what is permitted and inheritable.
    """
    wanted = process.capabilities
    if wanted is not None:
        drop_bounding(mask_of(wanted.bounding))
    if wanted is not None or keep:
        sys.prctl(sys.PR_SET_KEEPCAPS, 1, name="PR_SET_KEEPCAPS, 1")
    set_ids(process.user)
    if wanted is not None:
        set_capabilities(wanted, keep)
    elif keep:
        effective, permitted, inheritable = sys.capget()
        effective |= keep & permitted
        sys.capset(effective=effective, permitted=permitted, inheritable=inheritable)
    if process.no_new_privileges:
        sys.prctl(sys.PR_SET_NO_NEW_PRIVS, 1, name="PR_SET_NO_NEW_PRIVS, 1")


def drop_bounding(keep: int) -> None:
    """Drop every capability outside of the mask *keep* from the bounding set."""
    for number in range(last_number() + 1):
        if keep & 1 << number or not sys.capability_is_bounded(number):
            continue
        try:
            sys.drop_bounding_capability(number)
        except KernelCallError as error:
            raise SetupError("process.capabilities", error.call, error.errno or 0) from error


def set_ids(user: User) -> None:
    """Set groups, then gid, then uid."""
    _set_groups(user)
    for call, number in ((os.setresgid, user.gid), (os.setresuid, user.uid)):
        try:
            call(number, number, number)
        except OSError as error:
            hint = f"the id {number} is not mapped" if error.errno == errno.EINVAL else ""
            step = f"{call.__name__}({number})"
            raise SetupError("process.user", step, error.errno or 0, hint) from error


def _set_groups(user: User) -> None:
    if user.keep_groups:
        return
    try:
        os.setgroups(user.additional_gids)
    except OSError as error:
        # Asked of the kernel, and not of /proc/self/setgroups: that /proc may be a file of the rootfs, and
        # root's groups would stay. Where the kernel denies it, they are the caller's own (CVE-2014-8989).
        if error.errno == errno.EPERM and not user.additional_gids:
            return
        raise SetupError(
            "process.user",
            f"setgroups({list(user.additional_gids)})",
            error.errno or 0,
            "additionalGids needs a user namespace whose maps root, or newgidmap, wrote",
        ) from error


def ungrantable(plan: Plan) -> list[str]:
    """Return the names of the capabilities that the plan asks for and that cannot be granted.

    A new user namespace comes with all that the kernel has; otherwise they are the caller's. config.md:
    they "MUST be logged as a warning", and the runtime "SHOULD NOT fail": the container has less power.
    """
    sets = plan.process.capabilities if plan.process is not None else None
    if sets is None:
        return []
    wanted = {*sets.bounding, *sets.effective, *sets.inheritable, *sets.permitted, *sets.ambient}
    there = (1 << last_number() + 1) - 1
    if not plan.has("user"):
        there &= sys.capget()[1]
    return sorted(n for n in wanted if n not in NUMBERS or not there & 1 << NUMBERS[n])


def set_capabilities(wanted: Capabilities, keep: int = 0) -> None:
    """Set the effective, permitted, inheritable and ambient sets, as far as we have them."""
    permitted = (mask_of(wanted.permitted) | keep) & sys.capget()[1]
    effective = (mask_of(wanted.effective) | keep) & permitted
    inheritable = mask_of(wanted.inheritable)
    try:
        try:
            sys.capset(effective=effective, permitted=permitted, inheritable=inheritable)
        except KernelCallError as error:
            if error.errno != errno.EPERM:
                raise
            # Only what the bounding set has, or is inheritable already; looked at only if it has to be.
            inheritable &= _bounding()
            sys.capset(effective=effective, permitted=permitted, inheritable=inheritable)
        ambient = mask_of(wanted.ambient) & mask_of(wanted.permitted)
        raise_ambient(ambient & permitted & inheritable)
    except KernelCallError as error:
        raise SetupError("process.capabilities", error.call, error.errno or 0) from error


def _bounding() -> int:
    return sum(sys.capability_is_bounded(n) << n for n in range(last_number() + 1))


def raise_ambient(mask: int) -> None:
    """Make the ambient set exactly *mask*, as far as this kernel knows the capabilities."""
    sys.prctl(sys.PR_CAP_AMBIENT, sys.PR_CAP_AMBIENT_CLEAR_ALL, name="PR_CAP_AMBIENT_CLEAR_ALL")
    for number in range(last_number() + 1):
        if mask & 1 << number:
            sys.raise_ambient_capability(number)
