"""A user namespace for those who cannot do without one, and maps for one that has none."""

from __future__ import annotations

import os

from . import syscalls as sys
from .capabilities import NUMBERS
from .plan import IdMapping, Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plan import Plan, User


def with_user_namespace(plan: Plan, user: User) -> Plan:
    """Return the plan, with a user namespace if it has none and the caller may make no other without it.

    As crun does, so that a config written for root also runs for an ordinary user, who is *user* in
    there and nobody else. It isolates more than what was asked for, never less.
    """
    if plan.has("user") or sys.capget()[0] & 1 << NUMBERS["CAP_SYS_ADMIN"]:
        return _with_maps(plan, user)
    return _with_maps(plan.replace(namespaces=(*plan.namespaces, Namespace(type="user"))), user)


def _with_maps(plan: Plan, user: User) -> Plan:
    """Return the plan; in a new user namespace without maps *user* is the caller, and nobody is else."""
    if not plan.creates("user"):
        return plan
    uid = IdMapping(container_id=user.uid, host_id=os.geteuid(), size=1)
    gid = IdMapping(container_id=user.gid, host_id=os.getegid(), size=1)
    return plan.replace(
        uid_mappings=plan.uid_mappings or (uid,), gid_mappings=plan.gid_mappings or (gid,)
    )
