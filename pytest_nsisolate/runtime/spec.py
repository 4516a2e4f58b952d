"""``config.json`` to :class:`~.plan.Plan`: the runtime-spec 1.3, refused at the edge where it is wrong.

Unknown properties are ignored, wrong values are a :class:`~.errors.SpecError` with the path of the field,
and what the spec knows but this runtime does not do yet is an :class:`~.errors.UnsupportedError`: nothing
that isolates is ever left out in silence.
"""

from __future__ import annotations

import os

from . import capabilities, mount_options
from .errors import SpecError, UnsupportedError
from .plan import (
    NAMESPACE_TYPES,
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
from .spec_reader import INT64_MAX, UINT64_MAX, Reader, a_string, uint32

SPEC_VERSION = "1.3.0"

RLIMITS = (
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
)
PROPAGATIONS = tuple(
    prefix + kind for kind in ("private", "shared", "slave", "unbindable") for prefix in ("", "r")
)

#: What the spec has and this runtime cannot do yet, and why it is refused rather than ignored.
_NOT_YET = {
    "": ("hooks", "vm", "windows", "solaris", "freebsd", "zos"),
    "process": (
        "apparmorProfile",
        "selinuxLabel",
        "ioPriority",
        "scheduler",
        "execCPUAffinity",
        "commandLine",
    ),
    "linux": (
        "resources",
        "cgroupsPath",
        "seccomp",
        "mountLabel",
        "intelRdt",
        "personality",
        "netDevices",
        "memoryPolicy",
    ),
}


def load(bundle: str) -> Plan:
    """Read the plan of the bundle directory *bundle*. Raises SpecError and UnsupportedError."""
    path = os.path.join(bundle, "config.json")
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        problem = "there is no config.json in it" if os.path.isdir(bundle) else "there is no such directory"
        raise SpecError("", f"bundle {bundle!r}: {problem}; `nsisolate spec` writes one") from None
    except OSError as error:
        raise SpecError("", f"cannot read {path!r}: {error.strerror}") from None
    import json

    try:
        config = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SpecError("", f"{path!r} is not JSON: {error}") from None
    return parse(config, bundle)


def parse(config: object, bundle: str) -> Plan:
    """Return the plan that *config* (decoded JSON) describes; paths are relative to *bundle*."""
    reader = Reader(config)
    _check_version(reader)
    linux = reader.object("linux")
    _refuse_what_is_missing(reader, linux)
    plan = Plan(
        root=_root(reader, bundle),
        namespaces=linux.array("namespaces", _namespace),
        process=_process(reader.object("process")) if reader.has("process") else None,
        hostname=reader.string("hostname") if reader.has("hostname") else None,
        domainname=reader.string("domainname") if reader.has("domainname") else None,
        mounts=reader.array("mounts", lambda value, path: _mount(Reader(value, path), bundle)),
        uid_mappings=linux.array("uidMappings", _id_mapping),
        gid_mappings=linux.array("gidMappings", _id_mapping),
        time_offsets=_time_offsets(linux),
        devices=linux.array("devices", _device),
        masked_paths=linux.array("maskedPaths", _absolute),
        readonly_paths=linux.array("readonlyPaths", _absolute),
        rootfs_propagation=linux.choice("rootfsPropagation", PROPAGATIONS),
        sysctl=linux.string_map("sysctl"),
        annotations=reader.string_map("annotations"),
    )
    validate(plan)
    return plan


def _check_version(reader: Reader) -> None:
    reader.required("ociVersion")
    version = reader.string("ociVersion")
    parts = version.split("-")[0].split(".")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise reader.wrong("ociVersion", f"{version!r} is not a version such as {SPEC_VERSION!r}")
    if int(parts[0]) != 1:
        raise reader.wrong("ociVersion", f"{version!r} is not supported, {SPEC_VERSION} is")


def _refuse_what_is_missing(reader: Reader, linux: Reader) -> None:
    for section in (reader, reader.object("process"), linux):
        for key in _NOT_YET[section.path]:
            if section.raw(key) not in (None, {}, [], ""):
                raise UnsupportedError(
                    f"{section.field(key)}: not supported yet; remove it to run without it"
                )


def _root(reader: Reader, bundle: str) -> Root:
    reader.required("root")
    root = reader.object("root")
    root.required("path")
    path = os.path.join(os.path.abspath(bundle), root.string("path"))
    if not os.path.isdir(path):
        raise root.wrong("path", f"there is no directory {path!r}")
    return Root(path=os.path.realpath(path), readonly=root.boolean("readonly"))


def _absolute(value: object, path: str) -> str:
    text = a_string(value, path)
    if not text.startswith("/"):
        raise SpecError(path, f"{text!r} is not an absolute path")
    return text


def _namespace(value: object, path: str) -> Namespace:
    reader = Reader(value, path)
    reader.required("type")
    kind = reader.choice("type", NAMESPACE_TYPES)
    joined = reader.string("path")
    if joined:
        _absolute(joined, reader.field("path"))
    return Namespace(type=kind, path=joined)


def _id_mapping(value: object, path: str) -> IdMapping:
    reader = Reader(value, path)
    for key in ("containerID", "hostID", "size"):
        reader.required(key)
    mapping = IdMapping(
        container_id=reader.uint32("containerID"),
        host_id=reader.uint32("hostID"),
        size=reader.uint32("size"),
    )
    if not mapping.size:
        raise reader.wrong("size", "0 maps nothing")
    return mapping


def _mount(reader: Reader, bundle: str) -> Mount:
    reader.required("destination")
    destination = reader.string("destination")
    if not destination.startswith("/"):
        destination = "/" + destination  # config.md: relative ones are deprecated, and from the root
    options = reader.strings("options")
    try:
        parsed = mount_options.parse(options)
    except ValueError as error:
        raise UnsupportedError(f"{reader.field('options')}: {error}") from None
    source = reader.string("source")
    if parsed.is_bind:
        reader.required("source")
        source = os.path.join(os.path.abspath(bundle), source)
    elif not reader.string("type") and not parsed.flags & mount_options.sys.MS_REMOUNT:
        raise reader.wrong("type", "is required for a mount that is not a bind mount")
    for key in ("uidMappings", "gidMappings"):
        if reader.raw(key):
            raise UnsupportedError(f"{reader.field(key)}: id-mapped mounts are not supported yet")
    return Mount(
        destination=destination,
        source=source,
        type=reader.string("type"),
        options=options,
    )


def _device(value: object, path: str) -> Device:
    reader = Reader(value, path)
    for key in ("type", "path"):
        reader.required(key)
    kind = reader.choice("type", ("c", "b", "u", "p"))
    if kind != "p":
        for key in ("major", "minor"):
            reader.required(key)
    _absolute(reader.string("path"), reader.field("path"))
    return Device(
        type=kind,
        path=reader.string("path"),
        major=reader.integer("major", 0, 2**32 - 1, 0),
        minor=reader.integer("minor", 0, 2**32 - 1, 0),
        file_mode=reader.integer("fileMode", 0, 0o7777, 0o666),
        uid=reader.uint32("uid"),
        gid=reader.uint32("gid"),
    )


def _time_offsets(linux: Reader) -> tuple[TimeOffset, ...]:
    offsets = linux.object("timeOffsets")
    found = []
    for clock in ("monotonic", "boottime"):
        if offsets.has(clock):
            reader = offsets.object(clock)
            found.append(
                TimeOffset(
                    clock=clock,
                    secs=reader.integer("secs", -INT64_MAX, INT64_MAX, 0),
                    nanosecs=reader.integer("nanosecs", 0, 999_999_999, 0),
                )
            )
    return tuple(found)


def _process(reader: Reader) -> Process:
    reader.required("args")
    args = reader.strings("args")
    if not args:
        raise reader.wrong("args", "is empty; its first entry is the program to run")
    reader.required("cwd")
    cwd = reader.string("cwd")
    if not cwd.startswith("/"):
        raise reader.wrong("cwd", f"{cwd!r} is not an absolute path")
    return Process(
        args=args,
        cwd=cwd,
        env=reader.array("env", _env_entry),
        user=_user(reader.object("user")),
        terminal=reader.boolean("terminal"),
        console_size=_console_size(reader),
        capabilities=_capabilities(reader),
        no_new_privileges=reader.boolean("noNewPrivileges"),
        rlimits=_rlimits(reader),
        oom_score_adj=(
            reader.integer("oomScoreAdj", -1000, 1000, 0) if reader.has("oomScoreAdj") else None
        ),
    )


def _env_entry(value: object, path: str) -> str:
    entry = a_string(value, path)
    if entry.find("=") < 1:
        raise SpecError(path, f"{entry!r} is not NAME=value")
    return entry


def _user(reader: Reader) -> User:
    return User(
        uid=reader.uint32("uid"),
        gid=reader.uint32("gid"),
        umask=reader.integer("umask", 0, 0o777, 0) if reader.has("umask") else None,
        additional_gids=reader.array("additionalGids", uint32),
    )


def _console_size(reader: Reader) -> ConsoleSize | None:
    if not reader.boolean("terminal") or not reader.has("consoleSize"):
        return None  # config.md: ignored if terminal is false
    size = reader.object("consoleSize")
    for key in ("height", "width"):
        size.required(key)
    return ConsoleSize(
        height=size.integer("height", 0, 65535, 0), width=size.integer("width", 0, 65535, 0)
    )


def _capabilities(reader: Reader) -> Capabilities | None:
    if not reader.has("capabilities"):
        return None
    sets = reader.object("capabilities")
    return Capabilities(
        **{
            name: sets.array(name, _capability)
            for name in ("bounding", "effective", "inheritable", "permitted", "ambient")
        }
    )


def _capability(value: object, path: str) -> str:
    name = a_string(value, path)
    if name not in capabilities.NUMBERS:
        raise SpecError(path, f"{name!r} is not a capability such as 'CAP_CHOWN'")
    return name


def _rlimits(reader: Reader) -> tuple[Rlimit, ...]:
    limits = reader.array("rlimits", _rlimit)
    seen: set[str] = set()
    for i, limit in enumerate(limits):
        if limit.type in seen:
            raise SpecError(f"process.rlimits[{i}].type", f"{limit.type} is there twice")
        seen.add(limit.type)
    return limits


def _rlimit(value: object, path: str) -> Rlimit:
    reader = Reader(value, path)
    for key in ("type", "soft", "hard"):
        reader.required(key)
    limit = Rlimit(
        type=reader.choice("type", RLIMITS),
        soft=reader.integer("soft", 0, UINT64_MAX, 0),
        hard=reader.integer("hard", 0, UINT64_MAX, 0),
    )
    if limit.soft > limit.hard:
        raise reader.wrong("soft", f"{limit.soft} is above the hard limit of {limit.hard}")
    return limit


def validate(plan: Plan) -> None:
    """Refuse what each field allows on its own and the fields together do not."""
    for check in (
        _namespaces_once,
        _needs_mount_namespace,
        _maps_need_user_namespace,
        _names_need_uts_namespace,
        _offsets_need_time_namespace,
        _sysctls_are_namespaced,
    ):
        check(plan)


def _namespaces_once(plan: Plan) -> None:
    seen: set[str] = set()
    for i, namespace in enumerate(plan.namespaces):
        if namespace.type in seen:
            raise SpecError(f"linux.namespaces[{i}].type", f"{namespace.type!r} is there twice")
        seen.add(namespace.type)


def _needs_mount_namespace(plan: Plan) -> None:
    if not plan.has("mount"):
        raise UnsupportedError(
            'linux.namespaces: a container needs a mount namespace: add {"type": "mount"}'
        )


def _maps_need_user_namespace(plan: Plan) -> None:
    for key, mappings in (("uidMappings", plan.uid_mappings), ("gidMappings", plan.gid_mappings)):
        if mappings and not plan.creates("user"):
            raise SpecError(
                f"linux.{key}", 'needs a new user namespace: add {"type": "user"} to linux.namespaces'
            )
        if not mappings and plan.creates("user"):
            raise SpecError(
                f"linux.{key}", "is required with a new user namespace, or no id is mapped in it"
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
            "linux.timeOffsets", 'needs a new time namespace: add {"type": "time"} to linux.namespaces'
        )


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


def _sysctls_are_namespaced(plan: Plan) -> None:
    for name, _value in plan.sysctl:
        dotted = name.replace("/", ".")
        if ".." in dotted:
            raise SpecError(f"linux.sysctl.{name}", "is not the name of a sysctl")
        if dotted in _IPC_SYSCTLS or dotted.startswith("fs.mqueue."):
            needed = "ipc"
        elif dotted.startswith("net."):
            needed = "network"
        elif dotted in ("kernel.domainname", "kernel.hostname"):
            needed = "uts"
        else:
            raise SpecError(f"linux.sysctl.{name}", "is not in a namespace; it would change the host")
        if not plan.has(needed):
            raise SpecError(
                f"linux.sysctl.{name}",
                f'would change the host: add {{"type": "{needed}"}} to linux.namespaces',
            )
