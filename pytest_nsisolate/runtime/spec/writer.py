""":class:`~.plan.Plan` to ``config.json``."""

from __future__ import annotations

from ..plan import Capabilities, Device, IdMapping, Mount, Plan, Process, User
from .hooks import hooks_config
from .writer_resources import record_config, resources_config


def to_config(plan: Plan) -> dict[str, object]:
    """Return the ``config.json`` of *plan*, ready for a JSON encoder; ``config.parse`` reads it back."""
    config: dict[str, object] = {
        "ociVersion": plan.oci_version,
        "root": {"path": plan.root.path, "readonly": plan.root.readonly},
        "process": _process(plan.process) if plan.process is not None else None,
        "hostname": plan.hostname,
        "domainname": plan.domainname,
        "mounts": [_mount(mount) for mount in plan.mounts],
        "annotations": dict(plan.annotations),
        "hooks": hooks_config(plan.hooks),
        "linux": _without_empty(
            {
                "namespaces": [
                    _without_empty({"type": ns.type, "path": ns.path}) for ns in plan.namespaces
                ],
                "uidMappings": [_id_mapping(m) for m in plan.uid_mappings],
                "gidMappings": [_id_mapping(m) for m in plan.gid_mappings],
                "timeOffsets": {
                    o.clock: {"secs": o.secs, "nanosecs": o.nanosecs} for o in plan.time_offsets
                },
                "devices": [_device(device) for device in plan.devices],
                "maskedPaths": list(plan.masked_paths),
                "readonlyPaths": list(plan.readonly_paths),
                "rootfsPropagation": plan.rootfs_propagation,
                "sysctl": dict(plan.sysctl),
                "cgroupsPath": plan.cgroups_path,
                "resources": resources_config(plan.resources),
                "seccomp": record_config(plan.seccomp),
                "personality": record_config(plan.personality),
                "memoryPolicy": record_config(plan.memory_policy),
                "mountLabel": plan.mount_label,
                "intelRdt": record_config(plan.intel_rdt),
                "netDevices": {
                    d.host_name: _without_empty({"name": d.name}) for d in plan.net_devices
                },
            }
        ),
    }
    return _without_empty(config)


def _without_empty(config: dict[str, object]) -> dict[str, object]:
    return {
        key: value
        for key, value in config.items()
        # An empty intelRdt asks for a class of its own.
        if value not in (None, "", [], {}) or (key == "intelRdt" and value is not None)
    }


def _id_mapping(mapping: IdMapping) -> dict[str, object]:
    return {
        "containerID": mapping.container_id,
        "hostID": mapping.host_id,
        "size": mapping.size,
    }


def _mount(mount: Mount) -> dict[str, object]:
    return _without_empty(
        {
            "destination": mount.destination,
            "type": mount.type,
            "source": mount.source,
            "options": list(mount.options),
            "uidMappings": [_id_mapping(mapping) for mapping in mount.uid_mappings],
            "gidMappings": [_id_mapping(mapping) for mapping in mount.gid_mappings],
        }
    )


def _device(device: Device) -> dict[str, object]:
    return {
        "type": device.type,
        "path": device.path,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.file_mode,
        "uid": device.uid,
        "gid": device.gid,
    }


def _process(process: Process) -> dict[str, object]:
    size = process.console_size
    config = _without_empty(
        {
            "terminal": process.terminal or None,
            "consoleSize": {"height": size.height, "width": size.width} if size else None,
            "args": list(process.args),
            "env": list(process.env),
            "capabilities": _capabilities(process.capabilities),
            "noNewPrivileges": process.no_new_privileges or None,
            "rlimits": [
                {"type": limit.type, "soft": limit.soft, "hard": limit.hard}
                for limit in process.rlimits
            ],
            "oomScoreAdj": process.oom_score_adj,
            "scheduler": record_config(process.scheduler),
            "ioPriority": record_config(process.io_priority),
            "execCPUAffinity": record_config(process.exec_cpu_affinity),
            "apparmorProfile": process.apparmor_profile,
            "selinuxLabel": process.selinux_label,
        }
    )
    return {"cwd": process.cwd, "user": _user(process.user), **config}


def _user(user: User) -> dict[str, object]:
    config: dict[str, object] = {"uid": user.uid, "gid": user.gid}
    if user.umask is not None:
        config["umask"] = user.umask
    if user.additional_gids:
        config["additionalGids"] = list(user.additional_gids)
    return config


def _capabilities(sets: Capabilities | None) -> dict[str, object] | None:
    if sets is None:
        return None
    return {
        "bounding": list(sets.bounding),
        "effective": list(sets.effective),
        "inheritable": list(sets.inheritable),
        "permitted": list(sets.permitted),
        "ambient": list(sets.ambient),
    }
