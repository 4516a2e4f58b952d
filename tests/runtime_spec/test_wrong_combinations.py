"""Values of config.json that are right by themselves, and wrong for their form or beside others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_nsisolate.runtime.errors import NsisolateError
from pytest_nsisolate.runtime.spec import config as spec

from .complete import Config, Keys, complete_config, put, take

Changes = list[tuple[Keys, Any]]
GONE = object()

_MAP = {"containerID": 0, "hostID": 1000, "size": 10}
_RESOURCES: Keys = ("linux", "resources")
_SECCOMP: Keys = ("linux", "seccomp")
_RULE: Keys = (*_SECCOMP, "syscalls", 0)
_FIFO = {"policy": "SCHED_FIFO", "priority": 1}


def case(changes: Changes, field: str, says: str) -> tuple[Changes, str, str]:
    """Return an entry of the list below."""
    return changes, field, says


#: What to change in the complete config (the way to it, and the new value), the field that the sentence
#: is about, and a part of it.
WRONG: list[tuple[Changes, str, str]] = [
    ([(("ociVersion",), "1.0")], "ociVersion", "'1.0' is not a version such as '1.3.0'"),
    ([(("ociVersion",), "1.01.0")], "ociVersion", "'1.01.0' is not a version"),
    ([(("ociVersion",), "2.0.0")], "ociVersion", "'2.0.0' is not supported, 1.3.0 is"),
    ([(("root", "path"), "missing")], "root.path", "there is no directory"),
    ([(("root", "path"), "/proc/self/status")], "root.path", "there is no directory"),
    ([(("hostname",), "x" * 65)], "hostname", "longer than the kernel's 64 bytes"),
    ([(("domainname",), "\N{SNOWMAN}" * 22)], "domainname", "longer than the kernel's 64 bytes"),
    ([(("annotations", ""), "x")], "annotations", "the name '' in it is empty"),
    ([(("annotations", "a\0b"), "x")], "annotations", "has a NUL character in it"),
    ([(("annotations", "\ud800"), "x")], "annotations", "half of a surrogate pair"),
    ([(("mounts", 0, "type"), GONE)], "mounts[0].type", "is required for a mount that is not a bind"),
    ([(("mounts", 1, "source"), GONE)], "mounts[1].source", "is required and missing"),
    ([(("mounts", 1, "source"), "")], "mounts[1].source", "is required and empty"),
    ([(("mounts", 1, "gidMappings"), GONE)], "mounts[1].gidMappings", "is required"),
    ([(("mounts", 1, "uidMappings"), [])], "mounts[1].uidMappings", "is required"),
    ([(("mounts", 0, "options"), ["idmap"])], "mounts[0].options", "only bind mounts"),
    ([(("mounts", 0, "uidMappings"), [_MAP]), (("mounts", 0, "gidMappings"), [_MAP])],
     "mounts[0].options", "only bind mounts"),
    ([(("mounts", 1, "uidMappings"), [_MAP, _MAP])], "mounts[1].uidMappings[1].containerID", "overlap"),
    ([(("process", "args"), [])], "process.args", "is empty"),
    ([(("process", "env", 1), "no equals sign")], "process.env[1]", "is not NAME=value"),
    ([(("process", "env", 1), "=x")], "process.env[1]", "is not NAME=value"),
    ([(("process", "rlimits", 0, "soft"), 21)], "process.rlimits[0].soft", "above the hard limit of 20"),
    ([(("process", "rlimits", 1), {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1})],
     "process.rlimits[1].type", "there twice"),
    ([(("process", "scheduler", "priority"), 5)], "process.scheduler.priority", "SCHED_FIFO"),
    ([(("process", "scheduler", "nice"), 5)], "process.scheduler.nice", "SCHED_OTHER"),
    ([(("process", "scheduler"), _FIFO | {"priority": 0})], "process.scheduler.priority", "1 to 99"),
    ([(("process", "scheduler"), _FIFO | {"period": 5})], "process.scheduler.period", "SCHED_DEADLINE"),
    ([(("process", "scheduler", "policy"), "SCHED_ISO")], "process.scheduler.policy", "not in Linux"),
    ([(("process", "scheduler", "runtime"), 0)], "process.scheduler.runtime", "is required"),
    ([(("process", "scheduler", "runtime"), 2001)], "process.scheduler.runtime", "above the deadline"),
    ([(("process", "scheduler", "deadline"), 3001)], "process.scheduler.deadline", "above the period"),
    *(
        case([((*way, name), text)], ".".join((*way, name)), says)
        for way, name in (
            (("process", "execCPUAffinity"), "initial"),
            (("process", "execCPUAffinity"), "final"),
            (("linux", "resources", "cpu"), "cpus"),
            (("linux", "resources", "cpu"), "mems"),
            (("linux", "memoryPolicy"), "nodes"),
        )
        for text, says in (
            ("a", "is not a list such as '0-3,7'"),
            ("0-", "is not a list"),
            ("1,,2", "is not a list"),
            ("1-2-3", "is not a list"),
            ("\N{SUPERSCRIPT TWO}", "is not a list"),
            ("3-1", "ends before it begins"),
            ("0-999999", "more than 5 digits"),
            ("9" * 5000, "more than 5 digits"),
        )
    ),
    ([(("hooks", "poststop", 0, "env"), ["A"])], "hooks.poststop[0].env[0]", "is not NAME=value"),
    ([(("linux", "namespaces", 1, "type"), "uts")], "linux.namespaces[2].type", "there twice"),
    ([(("linux", "namespaces", 0, "path"), "relative")], "linux.namespaces[0].path", "not an absolute"),
    ([(("linux", "uidMappings"), [_MAP, _MAP | {"hostID": 0}])],
     "linux.uidMappings[1].containerID", "0 and the following ids overlap with those of entry 0"),
    ([(("linux", "gidMappings"), [_MAP, {"containerID": 50, "hostID": 991, "size": 10}])],
     "linux.gidMappings[1].hostID", "991 and the following ids overlap with those of entry 0"),
    ([(("linux", "uidMappings", 0, "size"), 2**32 - 1)], "linux.uidMappings[0].size", "4294967294"),
    ([(("linux", "uidMappings"), [{"containerID": i, "hostID": i, "size": 1} for i in range(341)])],
     "linux.uidMappings", "341 entries are more than the kernel's 340"),
    ([(("linux", "timeOffsets", "realtime"), {"secs": 1})], "linux.timeOffsets.realtime", "monotonic"),
    ([(("linux", "devices", 0, "major"), GONE)], "linux.devices[0].major", "is required and missing"),
    ([(("linux", "devices", 0, "minor"), GONE)], "linux.devices[0].minor", "is required and missing"),
    ([(("linux", "sysctl", ""), "1")], "linux.sysctl", "the name '' in it is empty"),
    ([(("linux", "sysctl", "kernel.hostname"), "1")], "linux.sysctl.kernel.hostname", "hostname"),
    ([(("linux", "sysctl", "vm.swappiness"), "1")], "linux.sysctl.vm.swappiness", "change the host"),
    ([(("linux", "sysctl", "net..x"), "1")], "linux.sysctl.net..x", "not the name of a sysctl"),
    ([(("linux", "cgroupsPath"), "/a/../b")], "linux.cgroupsPath", "goes up with '..'"),
    ([(("linux", "cgroupsPath"), "/")], "linux.cgroupsPath", "root cgroup"),
    ([((*_RESOURCES, "devices", 0, "access"), "rx")], "linux.resources.devices[0].access", "r, w and m"),
    ([((*_RESOURCES, "memory", "swap"), 3999)], "linux.resources.memory.swap", "below limit 4000"),
    ([((*_RESOURCES, "cpu", "burst"), 1001)], "linux.resources.cpu.burst", "above the quota of 1000"),
    ([((*_RESOURCES, "blockIO", "weightDevice", 0), {"major": 8, "minor": 0})],
     "linux.resources.blockIO.weightDevice[0].weight", "or leafWeight is required"),
    *(
        case([((*_RESOURCES, "hugepageLimits", 0, "pageSize"), size)],
         "linux.resources.hugepageLimits[0].pageSize", "is not a size such as '2MB'")
        for size in ("2M", "MB", "0MB", "02MB", "2mb", "2TB", "-2MB", "\N{SUPERSCRIPT TWO}MB")
    ),
    ([((*_RESOURCES, "rdma", "mlx5_1"), {})], "linux.resources.rdma.mlx5_1", "hcaHandles"),
    ([((*_RESOURCES, "rdma", ""), {"hcaHandles": 1})], "linux.resources.rdma", "the name '' in it"),
    *(
        case([((*_RESOURCES, "unified", name), "1")], f"linux.resources.unified.{name}", "cgroup file")
        for name in ("a/b", ".", "..", "../memory.max")
    ),
    ([((*_SECCOMP, "defaultAction"), "SCMP_ACT_NOTIFY")], "linux.seccomp.defaultAction", "default action"),
    ([((*_SECCOMP, "defaultAction"), "SCMP_ACT_ALLOW")],
     "linux.seccomp.defaultErrnoRet", "SCMP_ACT_ALLOW takes no errno"),
    ([((*_RULE, "action"), "SCMP_ACT_KILL")],
     "linux.seccomp.syscalls[0].errnoRet", "SCMP_ACT_KILL takes no errno"),
    ([((*_RULE, "names"), [])], "linux.seccomp.syscalls[0].names", "is empty"),
    ([((*_SECCOMP, "listenerPath"), GONE)], "linux.seccomp.listenerPath", "SCMP_ACT_NOTIFY"),
    ([((*_SECCOMP, "listenerPath"), "/" + "x" * 107)], "linux.seccomp.listenerPath", "107 bytes"),
    ([((*_SECCOMP, "listenerPath"), GONE), ((*_SECCOMP, "syscalls", 1), GONE)],
     "linux.seccomp.listenerMetadata", "needs listenerPath"),
    ([((*_SECCOMP, "syscalls", 1, "names"), ["write"])],
     "linux.seccomp.syscalls[1].names[0]", "cannot be used for the write syscall"),
    ([((*_SECCOMP, "syscalls", 1, "names"), ["sendmsg", "sendmmsg"])],
     "linux.seccomp.syscalls", "cannot be used for both sendmmsg and sendmsg"),
    *(
        case([(("linux", "intelRdt", "closID"), name)], "linux.intelRdt.closID", "name of a directory")
        for name in ("a/b", ".", "..", "a\nb")
    ),
    ([(("linux", "intelRdt", "memBwSchema"), "L3:0=1")], "linux.intelRdt.memBwSchema", "'MB:'"),
    ([(("linux", "intelRdt", "memBwSchema"), "MB:0=1\n")], "linux.intelRdt.memBwSchema", "one line"),
    ([(("linux", "memoryPolicy", "nodes"), "")], "linux.memoryPolicy.nodes", "required with MPOL_BIND"),
    ([(("linux", "memoryPolicy", "nodes"), "1024")], "linux.memoryPolicy.nodes", "any kernel"),
    ([(("linux", "memoryPolicy", "mode"), "MPOL_LOCAL")], "linux.memoryPolicy.nodes", "takes none"),
    ([(("linux", "memoryPolicy"), {"mode": "MPOL_LOCAL", "flags": ["MPOL_F_STATIC_NODES"]})],
     "linux.memoryPolicy.flags", "MPOL_LOCAL takes none"),
    ([(("linux", "memoryPolicy", "flags"), ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"])],
     "linux.memoryPolicy.flags", "exclude each other"),
    *(
        case([(("linux", "netDevices", "eth0", "name"), name)], "linux.netDevices.eth0.name", says)
        for name, says in (
            ("a/b", "is not the name of a network device"),
            ("a:b", "is not the name"),
            ("a b", "is not the name"),
            (".", "is not the name"),
            ("x" * 16, "is not the name"),
            ("eth0%d", "is not the name"),
        )
    ),
    ([(("linux", "netDevices", "eth1", "name"), "inner")], "linux.netDevices.eth1.name", "there twice"),
    ([(("linux", "netDevices", ""), {})], "linux.netDevices", "the name '' in it is empty"),
    ([(("linux", "netDevices", "x" * 16), {})], f"linux.netDevices.{'x' * 16}", "is not the name"),
]  # fmt: skip


def changed(changes: Changes) -> Config:
    """Return the complete config with *changes*."""
    config = complete_config()
    for keys, value in changes:
        config = take(config, keys) if value is GONE else put(config, keys, value)
    return config


@pytest.mark.parametrize(
    ("changes", "field", "says"), WRONG, ids=[field for _c, field, _s in WRONG]
)
def test_a_wrong_form_or_combination(
    tmp_path: Path, changes: Changes, field: str, says: str
) -> None:
    """One sentence: the field's path, and what is wrong."""
    (tmp_path / "rootfs").mkdir()
    with pytest.raises(NsisolateError) as caught:
        spec.parse(changed(changes), str(tmp_path))
    sentence = str(caught.value)
    assert sentence.startswith(f"{field}: "), sentence
    assert says in sentence
    assert "\n" not in sentence
    assert len(os.fsencode(sentence)) < 600


@pytest.mark.parametrize(
    ("namespace", "field"),
    [
        ("uts", "hostname"),
        ("user", "linux.uidMappings"),
        ("time", "linux.timeOffsets"),
        ("ipc", "linux.sysctl.kernel.shmmax"),
        ("network", "linux.sysctl.net.ipv4.ip_forward"),
    ],
)
def test_a_namespace_that_is_needed(tmp_path: Path, namespace: str, field: str) -> None:
    """What would reach the host for want of a namespace is refused, and the sentence gives the entry."""
    (tmp_path / "rootfs").mkdir()
    config = complete_config()
    linux = config["linux"]
    linux["namespaces"] = [ns for ns in linux["namespaces"] if ns["type"] != namespace]
    with pytest.raises(NsisolateError) as caught:
        spec.parse(config, str(tmp_path))
    assert str(caught.value).startswith(f"{field}: ")
    assert f'add {{"type": "{namespace}"}}' in str(caught.value)


def test_net_devices_need_a_network_namespace(tmp_path: Path) -> None:
    """The same for netDevices, where nothing else needs one."""
    (tmp_path / "rootfs").mkdir()
    config = complete_config()
    linux = config["linux"]
    del linux["sysctl"]["net.ipv4.ip_forward"]
    linux["namespaces"] = [ns for ns in linux["namespaces"] if ns["type"] != "network"]
    with pytest.raises(NsisolateError, match=r'linux\.netDevices: .*"network"'):
        spec.parse(config, str(tmp_path))
