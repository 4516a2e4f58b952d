"""What ``features`` claims, claim by claim, and the test of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..unit import test_cgroups as cgroup_units
from ..unit import test_labels, test_resctrl, test_systemd
from . import (
    test_file_systems,
    test_id_mapped_mounts,
    test_lifecycle_callers,
    test_net_devices,
    test_seccomp,
    test_seccomp_listener,
    test_systemd_manager,
)
from .mount_claims import CLAIMS as MOUNT_OPTIONS

Test = Callable[..., None]


def claims(structure: object, path: str = "") -> Iterator[str]:
    """Yield each claim of the features structure: ``path``, ``!path`` for a false one, ``path=word``."""
    if isinstance(structure, dict):
        for key, value in structure.items():
            yield from claims(value, f"{path}.{key}".lstrip("."))
    elif isinstance(structure, list):
        yield from (f"{path}={word}" for word in structure)
    elif structure is False:
        yield f"!{path}"
    else:
        yield path


def words_of(test: Test, parameter: str) -> list[Any]:
    """Return the values with which a test is parametrised."""
    for mark in getattr(test, "pytestmark", ()):
        names = mark.args[0] if mark.name == "parametrize" else ()
        names = [names] if isinstance(names, str) else list(names)
        if parameter in names:
            place = names.index(parameter)
            return [values[place] if len(names) > 1 else values for values in mark.args[1]]
    raise AssertionError(f"{test.__name__} is not parametrised by {parameter}")


#: Claims whose tests are about more than the claim.
ELSEWHERE: dict[str, Test] = {
    "mountOptions=tmpcopyup": test_file_systems.test_tmpcopyup_starts_with_the_content,
    "mountOptions=idmap": test_id_mapped_mounts.test_what_is_mounted_below,
    "mountOptions=ridmap": test_id_mapped_mounts.test_what_is_mounted_below,
    "mountOptions=copy-symlink": test_id_mapped_mounts.test_a_symlink_is_copied,
    "mountOptions=src-nofollow": test_id_mapped_mounts.test_a_symlink_is_mounted_itself,
    "mountOptions=dest-nofollow": test_id_mapped_mounts.test_a_destination_is_not_followed,
    "linux.cgroup.v1": cgroup_units.test_the_files_of_v1,
    "linux.cgroup.v2": cgroup_units.test_v2_files_are_written,
    "linux.cgroup.rdma": cgroup_units.test_the_files_of_v2,
    "linux.cgroup.systemd": test_systemd_manager.test_a_container_is_a_scope,
    "linux.cgroup.systemdUser": test_systemd_manager.test_an_ordinary_user_from_outside_of_his_own_units,
    "!linux.cgroup.systemd": test_systemd.test_the_library_is_asked_for_by_name,
    "!linux.cgroup.systemdUser": test_systemd.test_the_library_is_asked_for_by_name,
    "linux.seccomp.actions=SCMP_ACT_NOTIFY": test_seccomp_listener.test_the_listener_gets_the_descriptor,
    "linux.apparmor.enabled": test_labels.test_a_label_is_written_for_the_next_execve,
    "linux.selinux.enabled": test_labels.test_a_label_is_written_for_the_next_execve,
    "linux.intelRdt.enabled": test_resctrl.test_without_an_id_the_class_is_the_containers,
    "linux.intelRdt.schemata": test_resctrl.test_the_bandwidth_of_its_own_property_wins,
    "linux.intelRdt.monitoring": test_resctrl.test_a_monitoring_group_is_the_containers,
    "linux.mountExtensions.idmap.enabled": test_id_mapped_mounts.test_the_files_belong_to_the_mapped_ids,
    "linux.netDevices.enabled": test_net_devices.test_a_device_moves_with_its_addresses,
    "potentiallyUnsafeConfigAnnotations=run.oci.keep_original_groups": (
        test_lifecycle_callers.test_the_callers_groups_can_be_kept
    ),
    "potentiallyUnsafeConfigAnnotations=org.systemd.property.": (
        test_systemd_manager.test_annotations_are_properties
    ),
}

#: Lists whose tests, in test_features.py, take their words from ``features`` itself.
WHOLE_LISTS = ("hooks", "linux.namespaces", "linux.seccomp.archs")

#: What mkdir comes to under each action, as a shell prints it.
ACTIONS = {
    "SCMP_ACT_KILL": "Bad system call 159",
    "SCMP_ACT_KILL_THREAD": "Bad system call 159",
    "SCMP_ACT_KILL_PROCESS": "Bad system call 159",
    "SCMP_ACT_TRAP": "Bad system call 159",
    "SCMP_ACT_ERRNO": "Operation not permitted 1",
    "SCMP_ACT_TRACE": "Function not implemented 1",
    "SCMP_ACT_LOG": "0",
    "SCMP_ACT_ALLOW": "0",
}

#: What /proc/self/numa_maps calls each mode, on node 0, and a kernel from which on it is there.
MODES = {
    "MPOL_DEFAULT": ("default", (2, 6)),
    "MPOL_PREFERRED": ("prefer:0", (2, 6)),
    "MPOL_BIND": ("bind:0", (2, 6)),
    "MPOL_INTERLEAVE": ("interleave:0", (2, 6)),
    "MPOL_LOCAL": ("local", (3, 8)),
    "MPOL_PREFERRED_MANY": ("prefer (many):0", (5, 15)),
    "MPOL_WEIGHTED_INTERLEAVE": ("weighted interleave:0", (6, 9)),
}
FLAGS = {
    "MPOL_F_STATIC_NODES": ("bind=static:0", (2, 6)),
    "MPOL_F_RELATIVE_NODES": ("bind=relative:0", (2, 6)),
    "MPOL_F_NUMA_BALANCING": ("bind=balancing:0", (6, 18)),
}

#: linux/capability.h, in the order of their numbers.
CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT "
    "SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE "
    "AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ "
    "PERFMON BPF CHECKPOINT_RESTORE"
).split()


def tested(structure: dict[str, Any]) -> set[str]:
    """Return the claims that have a test; of the lists in WHOLE_LISTS, what *structure* has."""
    words: dict[str, Iterable[str]] = {
        "mountOptions": MOUNT_OPTIONS,
        "linux.capabilities": [f"CAP_{name}" for name in CAPABILITIES],
        "linux.seccomp.actions": ACTIONS,
        "linux.seccomp.operators": words_of(test_seccomp.test_arguments_are_compared, "op"),
        "linux.seccomp.knownFlags": words_of(test_seccomp.test_flags, "flag"),
        "linux.seccomp.supportedFlags": words_of(test_seccomp.test_flags, "flag"),
        "linux.memoryPolicy.modes": MODES,
        "linux.memoryPolicy.flags": FLAGS,
    }
    found = {f"{path}={word}" for path, tested_words in words.items() for word in tested_words}
    found |= {claim for claim in claims(structure) if claim.partition("=")[0] in WHOLE_LISTS}
    return found | set(ELSEWHERE) | {"ociVersionMin", "ociVersionMax", "linux.seccomp.enabled"}
