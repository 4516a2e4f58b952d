"""Who runs the container: root, root with a user namespace, or an ordinary user."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from .. import capabilities
from .runtime_under_test import is_ours, runtime_command

ORDINARY_UID = 65534


@dataclass(frozen=True)
class Identity:
    """A caller of the runtime and the id map that suits it."""

    name: str
    user_namespace: bool
    mapped_uid: int
    mapped_gid: int
    mapped_size: int

    @property
    def is_ordinary_user(self) -> bool:
        """Tell whether the runtime is called by an ordinary user."""
        return self.name == "user"

    def need(self) -> None:
        """Skip where we cannot be this."""
        if not self.is_ordinary_user:
            capabilities.need_root()
        elif capabilities.is_root():
            program = sys.executable if is_ours() else runtime_command()[0]
            capabilities.need(
                capabilities.can_be_run_by(ORDINARY_UID, program),
                f"a {program} that an ordinary user can execute",
            )
        if self.user_namespace:
            capabilities.need(capabilities.can_unshare("-Ur"), "user namespaces")


def demotion(identity: Identity) -> dict[str, Any]:
    """Return the arguments of Popen that make the runtime run as *identity*."""
    if identity.is_ordinary_user and capabilities.is_root():
        return {"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []}
    return {}


def identity_named(name: str) -> Identity:
    """Return one of the three."""
    if name == "root":
        return Identity("root", False, 0, 0, 1)
    if name == "root-userns":
        return Identity("root-userns", True, 100000, 200000, 65536)
    root = capabilities.is_root()
    uid = ORDINARY_UID if root else os.geteuid()
    gid = ORDINARY_UID if root else os.getegid()
    return Identity("user", True, uid, gid, 1)
