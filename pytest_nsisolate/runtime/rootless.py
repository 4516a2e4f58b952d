"""A user namespace for those who cannot do without one."""

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
        return plan
    return plan.replace(
        namespaces=(*plan.namespaces, Namespace(type="user")),
        uid_mappings=(IdMapping(container_id=user.uid, host_id=os.geteuid(), size=1),),
        gid_mappings=(IdMapping(container_id=user.gid, host_id=os.getegid(), size=1),),
    )
