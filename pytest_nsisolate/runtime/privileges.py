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

    from .plan import Capabilities, Process, Rlimit, User


def apply_rlimits(rlimits: Sequence[Rlimit]) -> None:
    """Set the resource limits: setrlimit(2)."""
    for limit in rlimits:
        number = getattr(resource, limit.type)
        pair = [resource.RLIM_INFINITY if v >= 2**64 - 1 else v for v in (limit.soft, limit.hard)]
        try:
            resource.setrlimit(number, (pair[0], pair[1]))
        except (OSError, ValueError) as error:
            # The resource module turns EPERM into ValueError.
            hard = resource.getrlimit(number)[1]
            raise SetupError(
                "rlimits",
                f"setrlimit({limit.type}, soft={limit.soft}, hard={limit.hard})",
                getattr(error, "errno", None) or errno.EPERM,
                f"the hard limit is {hard}, and only CAP_SYS_RESOURCE may raise it",
            ) from None


def become(process: Process) -> None:
    """Become the process's user with its capabilities.

    The order matters: the bounding set while CAP_SETPCAP is still there; the groups while CAP_SETGID
    is; the ids with the capabilities kept; then the sets themselves, the ambient one last, because it
    can only hold what is permitted and inheritable.
    """
    wanted = process.capabilities
    if wanted is not None:
        drop_bounding(mask_of(wanted.bounding))
        sys.prctl(sys.PR_SET_KEEPCAPS, 1, name="PR_SET_KEEPCAPS, 1")
    set_ids(process.user)
    if wanted is not None:
        set_capabilities(wanted)
    if process.no_new_privileges:
        sys.prctl(sys.PR_SET_NO_NEW_PRIVS, 1, name="PR_SET_NO_NEW_PRIVS, 1")


def drop_bounding(keep: int) -> None:
    """Drop every capability outside of the mask *keep* from the bounding set."""
    for number in range(last_number() + 1):
        if keep & 1 << number or not sys.prctl(sys.PR_CAPBSET_READ, number, name="PR_CAPBSET_READ"):
            continue
        try:
            sys.prctl(sys.PR_CAPBSET_DROP, number, name=f"PR_CAPBSET_DROP, {number}")
        except KernelCallError as error:
            raise SetupError("capabilities", error.call, error.errno or 0) from error


def set_ids(user: User) -> None:
    """Set groups, then gid, then uid."""
    if user.additional_gids or _may_set_groups():
        try:
            os.setgroups(user.additional_gids)
        except OSError as error:
            raise SetupError(
                "user",
                f"setgroups({list(user.additional_gids)})",
                error.errno or 0,
                "additionalGids needs a user namespace whose maps root, or newgidmap, wrote",
            ) from error
    for call, number in ((os.setresgid, user.gid), (os.setresuid, user.uid)):
        try:
            call(number, number, number)
        except OSError as error:
            hint = f"the id {number} is not mapped" if error.errno == errno.EINVAL else ""
            raise SetupError("user", f"{call.__name__}({number})", error.errno or 0, hint) from error


def _may_set_groups() -> bool:
    if not sys.capget()[0] & 1 << NUMBERS["CAP_SETGID"]:
        return False
    try:
        with open("/proc/self/setgroups") as file:
            return file.read().strip() == "allow"
    except OSError:
        return True


def set_capabilities(wanted: Capabilities) -> None:
    """Set the effective, permitted, inheritable and ambient sets."""
    permitted = mask_of(wanted.permitted)
    inheritable = mask_of(wanted.inheritable)
    try:
        sys.capset(
            effective=mask_of(wanted.effective), permitted=permitted, inheritable=inheritable
        )
        raise_ambient(mask_of(wanted.ambient) & permitted & inheritable)
    except KernelCallError as error:
        hint = "a capability that the caller lacks cannot be granted" if error.errno == 1 else ""
        raise SetupError("capabilities", error.call, error.errno or 0, hint) from error


def raise_ambient(mask: int) -> None:
    """Make the ambient set exactly *mask*, as far as this kernel knows the capabilities."""
    sys.prctl(sys.PR_CAP_AMBIENT, sys.PR_CAP_AMBIENT_CLEAR_ALL, name="PR_CAP_AMBIENT_CLEAR_ALL")
    for number in range(last_number() + 1):
        if mask & 1 << number:
            sys.prctl(
                sys.PR_CAP_AMBIENT,
                sys.PR_CAP_AMBIENT_RAISE,
                number,
                name=f"PR_CAP_AMBIENT_RAISE, {number}",
            )
