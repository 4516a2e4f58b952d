"""What each field of a plan allows on its own, and the fields together do not."""

from __future__ import annotations

import os

from ..errors import SpecError
from ..namespaces import PROC_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..plan import Plan


def validate(plan: Plan, *, is_to_be_made: bool) -> None:
    """Refuse a plan whose fields do not fit together, or that *is_to_be_made* and would change this host."""
    _namespaces_once(plan)
    _maps_need_user_namespace(plan)
    _mapped_mounts_have_maps(plan)
    _names_need_uts_namespace(plan)
    _offsets_need_time_namespace(plan)
    _sysctls_are_namespaced(plan, is_to_be_made=is_to_be_made)
    _devices_need_network_namespace(plan)
    _labels_need_the_kernel(plan)


def _namespaces_once(plan: Plan) -> None:
    seen: set[str] = set()
    for i, namespace in enumerate(plan.namespaces):
        if namespace.type in seen:
            raise SpecError(f"linux.namespaces[{i}].type", f"{namespace.type!r} is there twice")
        seen.add(namespace.type)


def _maps_need_user_namespace(plan: Plan) -> None:
    for key, mappings in (("uidMappings", plan.uid_mappings), ("gidMappings", plan.gid_mappings)):
        if mappings and not plan.creates("user"):
            raise SpecError(
                f"linux.{key}",
                'needs a new user namespace: add {"type": "user"} to linux.namespaces',
            )


def _mapped_mounts_have_maps(plan: Plan) -> None:
    for i, mount in enumerate(plan.mounts):
        asks = "idmap" in mount.options or "ridmap" in mount.options
        if asks and not mount.uid_mappings and not plan.creates("user"):
            raise SpecError(
                f"mounts[{i}].uidMappings",
                "is required for an id-mapped mount without a new user namespace, whose maps it could take",
            )


def _names_need_uts_namespace(plan: Plan) -> None:
    for key, name in (("hostname", plan.hostname), ("domainname", plan.domainname)):
        if name is None:
            continue
        if not plan.has("uts"):
            raise SpecError(key, 'needs a UTS namespace: add {"type": "uts"} to linux.namespaces')
        if len(name.encode()) > 64:
            raise SpecError(key, f"{name[:20]!r}... is longer than the kernel's 64 bytes")


def _offsets_need_time_namespace(plan: Plan) -> None:
    if plan.time_offsets and not plan.creates("time"):
        raise SpecError(
            "linux.timeOffsets",
            'needs a new time namespace: add {"type": "time"} to linux.namespaces',
        )


def _devices_need_network_namespace(plan: Plan) -> None:
    if plan.net_devices and not plan.has("network"):
        raise SpecError(
            "linux.netDevices",
            'needs a network namespace: add {"type": "network"} to linux.namespaces',
        )


def _labels_need_the_kernel(plan: Plan) -> None:
    process = plan.process
    if plan.mount_label or (process and (process.apparmor_profile or process.selinux_label)):
        from ..execution.settings import check_labels

        check_labels(plan)


_IPC_SYSCTLS = (
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
)


def _sysctls_are_namespaced(plan: Plan, *, is_to_be_made: bool) -> None:
    for name, _value in plan.sysctl:
        dotted = name.replace("/", ".")
        if ".." in dotted:
            raise SpecError(f"linux.sysctl.{name}", "is not the name of a sysctl")
        if dotted in _IPC_SYSCTLS or dotted.startswith("fs.mqueue."):
            needed = "ipc"
        elif dotted.startswith("net."):
            needed = "network"
        elif dotted == "kernel.hostname":
            raise SpecError(f"linux.sysctl.{name}", "is what the field hostname is for")
        elif dotted == "kernel.domainname":
            needed = "uts"
        else:
            raise SpecError(
                f"linux.sysctl.{name}", "is not in a namespace; it would change the host"
            )
        if not plan.has(needed) or (is_to_be_made and _is_our_own(needed, plan)):
            raise SpecError(
                f"linux.sysctl.{name}",
                f'would change the host: add {{"type": "{needed}"}} to linux.namespaces, '
                "without the path of the host's own",
            )


def _is_our_own(kind: str, plan: Plan) -> bool:
    """Tell whether the plan joins the namespace that we are in."""
    paths = [namespace.path for namespace in plan.namespaces if namespace.type == kind]
    try:
        return any(
            os.path.samefile(p, f"/proc/self/ns/{PROC_NAMES.get(kind, kind)}") for p in paths if p
        )
    except OSError:
        return False  # joining it will say so
