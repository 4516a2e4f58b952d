"""config.json to Plan: what each property becomes, and each wrong value names its field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_nsisolate.runtime.errors import NsisolateError, SpecError, UnsupportedError
from pytest_nsisolate.runtime.execution import settings
from pytest_nsisolate.runtime.plan import (
    Capabilities,
    ConsoleSize,
    Device,
    IdMapping,
    Mount,
    Namespace,
    Plan,
    Process,
    Rlimit,
    Root,
    TimeOffset,
    User,
)
from pytest_nsisolate.runtime.spec import config as spec
from pytest_nsisolate.runtime.spec.resources import read_device_rule

from .plans import whole_config as whole
from .plans_execution import READ_LINUX, READ_PROCESS, WRONG_EXECUTION
from .plans_resources import READ, WRONG_RESOURCES
from .plans_seccomp import READ_SECCOMP, WRONG_SECCOMP


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """Return a bundle directory with a rootfs."""
    (tmp_path / "rootfs").mkdir()
    return str(tmp_path)


def test_every_property_is_read(bundle: str) -> None:
    """Each property of the config is in the plan, in the plan's words."""
    names = ("CAP_CHOWN", "CAP_KILL")
    assert spec.parse(whole(), bundle) == Plan(
        oci_version="1.0.2-dev",
        root=Root(path=f"{bundle}/rootfs", readonly=True),
        namespaces=tuple(
            Namespace(type=kind)
            for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup", "user", "time")
        ),
        process=Process(
            args=("sh", "-c", "true"),
            cwd="/",
            env=("A=b", "C="),
            user=User(uid=1, gid=2, umask=0o022, additional_gids=(3, 4)),
            terminal=True,
            console_size=ConsoleSize(height=24, width=80),
            capabilities=Capabilities(
                bounding=names, effective=names, inheritable=names, permitted=names, ambient=names
            ),
            no_new_privileges=True,
            rlimits=(Rlimit(type="RLIMIT_NOFILE", soft=10, hard=20),),
            oom_score_adj=-5,
            **READ_PROCESS,
        ),
        hostname="box",
        domainname="example.org",
        mounts=(
            Mount(destination="/proc", type="proc", source="proc", options=("nosuid",)),
            Mount(
                destination="/data",
                source=f"{bundle}/data",
                options=("rbind", "ro", "idmap"),
                uid_mappings=(IdMapping(container_id=0, host_id=5, size=2),),
                gid_mappings=(IdMapping(container_id=0, host_id=6, size=3),),
            ),
        ),
        uid_mappings=(IdMapping(container_id=0, host_id=1000, size=1),),
        gid_mappings=(IdMapping(container_id=0, host_id=1000, size=1),),
        time_offsets=(
            TimeOffset(clock="monotonic", secs=1, nanosecs=2),
            TimeOffset(clock="boottime", secs=-3),
        ),
        devices=(
            Device(type="c", path="/dev/fuse", major=10, minor=229),
            Device(type="p", path="/dev/fifo"),
        ),
        masked_paths=("/proc/kcore",),
        readonly_paths=("/proc/sys",),
        rootfs_propagation="rslave",
        sysctl=(("kernel.shmmax", "1000"), ("net.ipv4.ip_forward", "1")),
        cgroups_path="/mine/x",
        resources=READ,
        seccomp=READ_SECCOMP,
        **READ_LINUX,
        annotations=(("org.example", "yes"),),
    )


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the whole config with one value changed: ``process.args[0]`` style."""
    config = whole()
    target: Any = config
    head, unified, file = path.partition(".unified.")
    *parents, last = head.replace("[", ".[").split(".")
    if unified:
        parents, last = [*parents, last, "unified"], file
    for part in parents:
        target = target[int(part[1:-1]) if part.startswith("[") else part]
    target[int(last[1:-1]) if last.startswith("[") else last] = value
    return config


WRONG = [
    ("ociVersion", 1),
    ("ociVersion", ""),
    ("ociVersion", "1"),
    ("ociVersion", "0.9.0"),
    ("ociVersion", "2.0.0"),
    ("ociVersion", "1.\N{SUPERSCRIPT TWO}.0"),
    ("root", "rootfs"),
    ("root.path", ""),
    ("root.path", "missing"),
    ("root.readonly", "yes"),
    ("process", []),
    ("process.terminal", 1),
    ("process.consoleSize.height", -1),
    ("process.consoleSize.width", None),
    ("process.args", []),
    ("process.args", "sh"),
    ("process.args[1]", None),
    ("process.args[1]", "nul\0"),
    ("process.args[1]", "\ud800"),
    ("process.cwd", "relative"),
    ("process.cwd", None),
    ("process.env[1]", "no equals sign"),
    ("process.env[1]", "=x"),
    ("process.user.uid", -1),
    ("process.user.gid", 2**32),
    ("process.user.umask", 0o1000),
    ("process.user.additionalGids[1]", "4"),
    ("process.capabilities", []),
    ("process.capabilities.bounding", "CAP_CHOWN"),
    ("process.noNewPrivileges", 0),
    ("process.rlimits[0].type", "NOFILE"),
    ("process.rlimits[0].type", ""),
    ("process.rlimits[0].soft", -1),
    ("process.rlimits[0].soft", 21),
    ("process.rlimits[0].hard", 2**64),
    ("process.oomScoreAdj", 1001),
    ("process.oomScoreAdj", 1.5),
    ("hostname", 5),
    ("hostname", "x" * 65),
    ("domainname", "\N{SNOWMAN}" * 22),
    ("mounts", {}),
    ("mounts[0]", None),
    ("mounts[0].destination", ""),
    ("mounts[0].type", ""),
    ("mounts[0].options", "nosuid"),
    ("mounts[0].options[0]", 3),
    ("mounts[1].source", None),
    ("mounts[1].source", ""),
    ("mounts[1].uidMappings", None),
    ("mounts[1].gidMappings", []),
    ("mounts[1].gidMappings[0].size", 0),
    ("annotations", []),
    ("annotations.org", 5),
    ("linux", []),
    ("linux.namespaces", {}),
    ("linux.namespaces[0].type", "nosuch"),
    ("linux.namespaces[0].type", ""),
    ("linux.namespaces[1].type", "pid"),
    ("linux.namespaces[0].path", "relative"),
    ("linux.uidMappings[0].containerID", -1),
    ("linux.uidMappings[0].hostID", None),
    ("linux.uidMappings[0].size", 0),
    ("linux.gidMappings[0].size", True),
    ("linux.timeOffsets.monotonic.secs", "1"),
    ("linux.timeOffsets.monotonic.nanosecs", 10**9),
    ("linux.devices[0].type", "x"),
    ("linux.devices[0].type", ""),
    ("linux.devices[0].path", "relative"),
    ("linux.devices[0].major", None),
    ("linux.devices[0].fileMode", 0o10666),
    ("linux.devices[0].fileMode", 0o200000),
    ("linux.maskedPaths[0]", "relative"),
    ("linux.readonlyPaths", "/proc"),
    ("linux.rootfsPropagation", "sideways"),
    ("linux.sysctl.kernel", "1"),
]


@pytest.mark.parametrize(
    ("path", "value"), WRONG + WRONG_RESOURCES + WRONG_SECCOMP + WRONG_EXECUTION
)
def test_a_wrong_value_names_its_field(bundle: str, path: str, value: object) -> None:
    """A value that the spec does not allow is a SpecError with the field's path."""
    with pytest.raises(SpecError) as caught:
        spec.parse(changed(path, value), bundle)
    assert caught.value.field == path
    assert str(caught.value).startswith(f"{path}: ")
    # The longest names all of libseccomp's architectures.
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("access", ["a", "rwa", "", "rwm"])
def test_all_that_a_device_rule_denies(access: str) -> None:
    """The ``a`` of cgroup v1 denies everything, and so does no letter; nothing is allowed by it."""
    rule = {"allow": False, "type": "c", "major": 1, "minor": 11, "access": access}
    assert read_device_rule(rule, "rule").access == "rwm"


@pytest.mark.parametrize(
    "path",
    ["ociVersion", "root", "root.path", "process.args", "process.cwd", "mounts[0].destination"],
)
def test_a_missing_value_names_its_field(bundle: str, path: str) -> None:
    """What the spec requires is missed by its name."""
    with pytest.raises(SpecError) as caught:
        spec.parse(changed(path, None), bundle)
    assert caught.value.field == path


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("linux.mountLabel", "label"),
        ("process.apparmorProfile", "profile"),
        ("mounts[0].options", ["idmap"]),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    bundle: str, monkeypatch: pytest.MonkeyPatch, path: str, value: object
) -> None:
    """What the spec knows and the kernel does not have is never left out in silence."""
    for name in ("has_apparmor", "has_selinux"):
        monkeypatch.setattr(settings, name, lambda: False)
    with pytest.raises(UnsupportedError, match=path.replace("[", r"\[")):
        spec.parse(changed(path, value), bundle)


@pytest.mark.parametrize("path", ["linux.seccomp", "vm", "windows", "solaris", "freebsd", "zos"])
@pytest.mark.parametrize("value", [None, {}])
def test_an_empty_object_is_no_request(bundle: str, path: str, value: object) -> None:
    """An empty profile, and an empty section of another platform, ask for nothing."""
    assert spec.parse(changed(path, value), bundle)


def test_unknown_properties_are_ignored(bundle: str) -> None:
    """config.md: unknown properties MUST be ignored."""
    config = whole() | {"unknown": 1}
    config["linux"]["fromTheFuture"] = {"a": 1}
    config["process"]["fromTheFuture"] = [1]
    assert spec.parse(config, bundle) == spec.parse(whole(), bundle)


@pytest.mark.parametrize(
    ("namespace", "field"),
    [
        ("uts", "hostname"),
        ("user", "linux.uidMappings"),
        ("time", "linux.timeOffsets"),
        ("network", "linux.sysctl.net.ipv4.ip_forward"),
        ("ipc", "linux.sysctl.kernel.shmmax"),
    ],
)
def test_what_needs_a_namespace_says_which(bundle: str, namespace: str, field: str) -> None:
    """A property that would reach the host for want of a namespace names both."""
    config = whole()
    linux = config["linux"]
    linux["namespaces"] = [ns for ns in linux["namespaces"] if ns["type"] != namespace]
    with pytest.raises(SpecError) as caught:
        spec.parse(config, bundle)
    assert caught.value.field == field
    assert f'"{namespace}"' in str(caught.value)


def test_console_size_is_ignored_without_a_terminal(bundle: str) -> None:
    """config.md: runtimes MUST ignore consoleSize if terminal is false."""
    plan = spec.parse(changed("process.terminal", False), bundle)
    assert plan.process is not None
    assert plan.process.console_size is None


def test_a_relative_destination_is_taken_from_the_root(bundle: str) -> None:
    """config.md: relative destinations are deprecated, and relative to the root."""
    assert spec.parse(changed("mounts[0].destination", "proc"), bundle).mounts[0].destination == (
        "/proc"
    )


def test_a_capability_of_another_kernel_is_kept(bundle: str) -> None:
    """config.md: a capability that nobody knows is a warning's matter, not an error."""
    plan = spec.parse(changed("process.capabilities.bounding[0]", "CAP_FUTURE"), bundle)
    assert plan.process is not None
    assert plan.process.capabilities is not None
    assert plan.process.capabilities.bounding == ("CAP_FUTURE", "CAP_KILL")


def test_what_was_made_is_not_asked_of_the_host_again(bundle: str) -> None:
    """Whoever is in a container's namespace by now, or has no rootfs any more, can read its config."""
    config = {
        "ociVersion": "1.2.0",
        "root": {"path": "gone"},
        "linux": {
            "namespaces": [{"type": "network", "path": "/proc/self/ns/net"}],
            "sysctl": {"net.ipv4.ip_default_ttl": "77"},
        },
    }
    plan = spec.parse_stored(json.dumps(config).encode(), bundle)
    assert plan.sysctl == (("net.ipv4.ip_default_ttl", "77"),)
    for path, field in (("gone", "root.path"), ("rootfs", "linux.sysctl.net.ipv4.ip_default_ttl")):
        with pytest.raises(SpecError) as refused:
            spec.parse({**config, "root": {"path": path}}, bundle)
        assert str(refused.value).startswith(field)


def test_loading_names_the_file(tmp_path: Path) -> None:
    """What is wrong with the file itself is said with its path."""
    with pytest.raises(NsisolateError, match=r"there is no config\.json in it"):
        spec.load(str(tmp_path))
    with pytest.raises(NsisolateError, match="there is no such directory"):
        spec.load(str(tmp_path / "missing"))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(SpecError, match="is not JSON"):
        spec.load(str(tmp_path))
