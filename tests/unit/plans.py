"""A config that uses everything, and hypothesis strategies for plans that parsing accepts."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from hypothesis import strategies as st

from pytest_nsisolate.runtime import capabilities
from pytest_nsisolate.runtime.mounts import options as mount_options
from pytest_nsisolate.runtime.plan import (
    NAMESPACE_TYPES,
    Capabilities,
    ConsoleSize,
    Device,
    Hook,
    Hooks,
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
from pytest_nsisolate.runtime.spec.config import PROPAGATIONS
from pytest_nsisolate.runtime.spec.hooks import KINDS
from pytest_nsisolate.runtime.spec.process import RLIMITS

from .plans_execution import LINUX, PROCESS, linux_fields, net_devices, process_fields
from .plans_resources import RESOURCES, resources
from .plans_seccomp import SECCOMP, seccomp

T = TypeVar("T")

# Surrogates are no text, and NUL ends a string for the kernel.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WORD = TEXT.filter(bool)
PATH = TEXT.map(lambda text: "/" + text.lstrip("/"))
NAMES = st.text("abcdefghij-0123456789", min_size=1, max_size=20)
# The id above is "no change" for the kernel.
ID = st.integers(0, 2**32 - 2)
UINT64 = st.integers(0, 2**64 - 1)


def _tuples(strategy: st.SearchStrategy[T], most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


def _capabilities() -> st.SearchStrategy[Capabilities]:
    names = _tuples(st.sampled_from((*capabilities.NAMES, "CAP_FROM_THE_FUTURE")))
    return st.builds(
        Capabilities,
        bounding=names,
        effective=names,
        inheritable=names,
        permitted=names,
        ambient=names,
    )


@st.composite
def _rlimits(draw: st.DrawFn) -> tuple[Rlimit, ...]:
    limits = []
    for name in draw(st.lists(st.sampled_from(RLIMITS), unique=True, max_size=3)):
        soft, hard = sorted((draw(UINT64), draw(UINT64)))
        limits.append(Rlimit(type=name, soft=soft, hard=hard))
    return tuple(limits)


@st.composite
def _processes(draw: st.DrawFn) -> Process:
    terminal = draw(st.booleans())
    size = st.builds(ConsoleSize, height=st.integers(0, 65535), width=st.integers(0, 65535))
    return Process(
        args=draw(st.lists(TEXT, min_size=1, max_size=3).map(tuple)),
        cwd=draw(PATH),
        env=draw(_tuples(st.builds("{}={}".format, NAMES, TEXT))),
        user=draw(
            st.builds(
                User,
                uid=ID,
                gid=ID,
                umask=st.none() | st.integers(0, 0o777),
                additional_gids=_tuples(ID),
            )
        ),
        terminal=terminal,
        console_size=draw(st.none() | size) if terminal else None,
        capabilities=draw(st.none() | _capabilities()),
        no_new_privileges=draw(st.booleans()),
        rlimits=draw(_rlimits()),
        oom_score_adj=draw(st.none() | st.integers(-1000, 1000)),
        **draw(process_fields()),
    )


def _mounts() -> st.SearchStrategy[Mount]:
    maps = st.just((IdMapping(container_id=0, host_id=1, size=2),))
    # Whatever is not an option that we know is the file system's business.
    others = WORD.filter(lambda option: option not in mount_options.KNOWN_OPTIONS)
    with_conditions = ("bind", "rbind", "remount", *mount_options._SPECIAL)
    known = st.sampled_from([o for o in mount_options.KNOWN_OPTIONS if o not in with_conditions])
    options = _tuples(known | others)
    binds = options.map(lambda rest: ("bind", *rest)) | options.map(lambda rest: (*rest, "rbind"))
    return st.builds(Mount, destination=PATH, source=TEXT, type=WORD, options=options) | st.builds(
        Mount,
        destination=PATH,
        source=PATH,
        type=TEXT,
        options=binds,
        uid_mappings=maps,
        gid_mappings=maps,
    )


def _devices() -> st.SearchStrategy[Device]:
    return st.builds(
        Device,
        type=st.sampled_from("cbup"),
        path=PATH.map(lambda path: path.rstrip("/") or "/device"),
        major=st.integers(0, 2**12 - 1),
        minor=st.integers(0, 2**20 - 1),
        file_mode=st.integers(0, 0o7777),
        uid=ID,
        gid=ID,
    )


@st.composite
def _id_mappings(draw: st.DrawFn) -> tuple[IdMapping, ...]:
    sizes = draw(st.lists(st.integers(1, 2**20), min_size=1, max_size=3))
    # Each side has its ranges one after the other, with gaps, in an order of its own.
    firsts = []
    for _side in ("container_id", "host_id"):
        ends, first = {}, 0
        for i in draw(st.permutations(range(len(sizes)))):
            ends[i] = first + draw(st.integers(0, 2**20))
            first = ends[i] + sizes[i]
        firsts.append(ends)
    return tuple(
        IdMapping(container_id=firsts[0][i], host_id=firsts[1][i], size=size)
        for i, size in enumerate(sizes)
    )


def _hooks() -> st.SearchStrategy[Hooks]:
    hook = st.builds(
        Hook,
        path=PATH,
        args=_tuples(TEXT),
        env=_tuples(st.builds("{}={}".format, NAMES, TEXT)),
        timeout=st.none() | st.integers(1, 2**63 - 1),
    )
    return st.builds(Hooks, **{field: _tuples(hook, 2) for field in KINDS.values()})


@st.composite
def _offsets(draw: st.DrawFn) -> tuple[TimeOffset, ...]:
    return tuple(
        TimeOffset(
            clock=clock,
            secs=draw(st.integers(-(2**63 - 1), 2**63 - 1)),
            nanosecs=draw(st.integers(0, 999_999_999)),
        )
        for clock in ("monotonic", "boottime")
        if draw(st.booleans())
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Return plans whose fields fit together; the root's path is for the caller to set."""
    kinds = draw(st.sets(st.sampled_from(NAMESPACE_TYPES))) | {"mount"}
    namespaces = tuple(
        Namespace(type=kind, path=draw(st.just("") | PATH)) for kind in sorted(kinds)
    )
    plan = Plan(root=Root(path="/", readonly=draw(st.booleans())), namespaces=namespaces)
    maps = _id_mappings() if plan.creates("user") else st.just(())
    sysctls = [
        name
        for name, kind in (
            ("net.ipv4.ip_forward", "network"),
            ("kernel.shmmax", "ipc"),
            ("kernel.domainname", "uts"),
        )
        if plan.has(kind)
    ]
    names = st.none() | NAMES if plan.has("uts") else st.none()
    return plan.replace(
        process=draw(st.none() | _processes()),
        hostname=draw(names),
        domainname=draw(names),
        mounts=draw(_tuples(_mounts())),
        uid_mappings=draw(maps),
        gid_mappings=draw(maps),
        time_offsets=draw(_offsets()) if plan.creates("time") else (),
        devices=draw(_tuples(_devices())),
        masked_paths=draw(_tuples(PATH)),
        readonly_paths=draw(_tuples(PATH)),
        rootfs_propagation=draw(st.sampled_from(("", *PROPAGATIONS))),
        sysctl=tuple((name, draw(TEXT)) for name in sorted(sysctls)),
        cgroups_path=draw(st.sampled_from(("", "/a/b", "relative"))),
        resources=draw(resources()),
        seccomp=draw(seccomp()),
        **draw(linux_fields()),
        net_devices=draw(net_devices()) if plan.has("network") else (),
        hooks=draw(_hooks()),
        annotations=tuple(sorted(draw(st.dictionaries(NAMES, TEXT, max_size=2)).items())),
        oci_version=draw(st.sampled_from(("1.1.0", "1.2.0-rc.1", "1.3.0"))),
    )


def whole_config() -> dict[str, Any]:
    """Return a config that uses every property that is supported."""
    names = ["CAP_CHOWN", "CAP_KILL"]
    return {
        "ociVersion": "1.0.2-dev",
        "root": {"path": "rootfs", "readonly": True},
        "process": {
            "terminal": True,
            "consoleSize": {"height": 24, "width": 80},
            "args": ["sh", "-c", "true"],
            "cwd": "/",
            "env": ["A=b", "C="],
            "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3, 4]},
            "capabilities": {
                kind: list(names)
                for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")
            },
            "noNewPrivileges": True,
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}],
            "oomScoreAdj": -5,
            **copy.deepcopy(PROCESS),
        },
        "hostname": "box",
        "domainname": "example.org",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
            {
                "destination": "/data",
                "source": "data",
                "options": ["rbind", "ro", "idmap"],
                "uidMappings": [{"containerID": 0, "hostID": 5, "size": 2}],
                "gidMappings": [{"containerID": 0, "hostID": 6, "size": 3}],
            },
        ],
        "annotations": {"org.example": "yes"},
        "linux": {
            "namespaces": [
                {"type": kind}
                for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup", "user", "time")
            ],
            "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}],
            "timeOffsets": {"monotonic": {"secs": 1, "nanosecs": 2}, "boottime": {"secs": -3}},
            "devices": [
                {
                    "path": "/dev/fuse",
                    "type": "c",
                    "major": 10,
                    "minor": 229,
                    "fileMode": 438,
                    "uid": 0,
                    "gid": 0,
                },
                {"path": "/dev/fifo", "type": "p"},
            ],
            "maskedPaths": ["/proc/kcore"],
            "readonlyPaths": ["/proc/sys"],
            "rootfsPropagation": "rslave",
            "sysctl": {"net.ipv4.ip_forward": "1", "kernel.shmmax": "1000"},
            "cgroupsPath": "/mine/x",
            "resources": copy.deepcopy(RESOURCES),
            "seccomp": copy.deepcopy(SECCOMP),
            **copy.deepcopy(LINUX),
        },
    }
