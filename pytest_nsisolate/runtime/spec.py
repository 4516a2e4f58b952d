"""``config.json`` to :class:`~.plan.Plan`: the runtime-spec 1.3, refused at the edge where it is wrong.

Unknown properties are ignored, wrong values are a :class:`~.errors.SpecError` with the path of the
field,
and what the spec knows but this runtime does not do yet is an :class:`~.errors.UnsupportedError`: nothing
that isolates is ever left out in silence.
"""

from __future__ import annotations

import os

from . import mount_options
from .errors import SpecError, UnsupportedError
from .plan import (
    NAMESPACE_TYPES,
    SPEC_VERSION,
    Device,
    IdMapping,
    Mount,
    Namespace,
    Plan,
    Root,
    TimeOffset,
)
from .spec_checks import validate
from .spec_hooks import read_hooks
from .spec_json import decode
from .spec_process import read_process
from .spec_reader import INT64_MAX, UINT32_MAX, Reader, absolute, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .execution.records import IntelRdt, MemoryPolicy, NetDevice, Personality
    from .resources import Resources
    from .seccomp.records import Seccomp

PROPAGATIONS = tuple(
    prefix + kind for kind in ("private", "shared", "slave", "unbindable") for prefix in ("", "r")
)

#: What the spec has and this runtime cannot do yet, and why it is refused rather than ignored.
_NOT_YET = {
    "": ("vm", "windows", "solaris", "freebsd", "zos"),
    "process": ("commandLine",),
    "linux": (),
}


def load(bundle: str) -> Plan:
    """Read the plan of the bundle directory *bundle*. Raises SpecError and UnsupportedError."""
    path = os.path.join(bundle, "config.json")
    return parse_text(read(bundle, path), bundle, path)


def read(bundle: str, path: str) -> bytes:
    """Return the text of the config at *path*, as it is."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        if os.path.basename(path) != "config.json":
            raise SpecError("", f"there is no config {path!r}") from None
        problem = "there is no such directory"
        if os.path.isdir(bundle):
            problem = "there is no config.json in it"
        raise SpecError("", f"bundle {bundle!r}: {problem}; `nsisolate spec` writes one") from None
    except OSError as error:
        raise SpecError("", f"cannot read {path!r}: {error.strerror}") from None


def parse_text(raw: bytes, bundle: str, path: str) -> Plan:
    """Return the plan that the JSON text *raw* describes; *path* is where it was read."""
    try:
        config = decode(raw)
    except (ValueError, RecursionError) as error:
        raise SpecError("", f"{path!r} is not JSON: {error}") from None
    return parse(config, bundle)


def parse(config: object, bundle: str) -> Plan:
    """Return the plan that *config* (decoded JSON) describes; paths are relative to *bundle*."""
    reader = Reader(config)
    _check_version(reader)
    linux = reader.object("linux")
    _refuse_what_is_missing(reader, linux)
    cgroups_path, resources = _limits(linux)
    plan = Plan(
        root=_root(reader, bundle),
        namespaces=linux.array("namespaces", _namespace),
        process=read_process(reader.object("process")) if reader.has("process") else None,
        hostname=reader.string("hostname") if reader.has("hostname") else None,
        domainname=reader.string("domainname") if reader.has("domainname") else None,
        mounts=reader.array("mounts", lambda value, path: _mount(Reader(value, path), bundle)),
        uid_mappings=linux.array("uidMappings", _id_mapping),
        gid_mappings=linux.array("gidMappings", _id_mapping),
        time_offsets=_time_offsets(linux),
        devices=linux.array("devices", _device),
        masked_paths=linux.array("maskedPaths", absolute),
        readonly_paths=linux.array("readonlyPaths", absolute),
        rootfs_propagation=linux.choice("rootfsPropagation", PROPAGATIONS),
        sysctl=linux.string_map("sysctl"),
        cgroups_path=cgroups_path,
        resources=resources,
        seccomp=_seccomp(linux),
        personality=_personality(linux),
        memory_policy=_memory_policy(linux),
        mount_label=linux.string("mountLabel"),
        intel_rdt=_intel_rdt(linux),
        net_devices=_net_devices(linux),
        annotations=reader.string_map("annotations"),
        hooks=read_hooks(reader.object("hooks")),
    )
    validate(plan)
    return plan


def _check_version(reader: Reader) -> None:
    reader.required("ociVersion")
    version = reader.string("ociVersion")
    parts = version.partition("+")[0].partition("-")[0].split(".")
    if len(parts) != 3 or not all(part.isdecimal() and part.isascii() for part in parts):
        raise reader.wrong(
            "ociVersion", f"{show(version)} is not a version such as {SPEC_VERSION!r}"
        )
    if parts[0] != "1":
        raise reader.wrong("ociVersion", f"{show(version)} is not supported, {SPEC_VERSION} is")


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


def _namespace(value: object, path: str) -> Namespace:
    reader = Reader(value, path)
    reader.required("type")
    kind = reader.choice("type", NAMESPACE_TYPES)
    joined = reader.string("path")
    if joined:
        absolute(joined, reader.field("path"))
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
    # config.md: relative destinations are deprecated, and taken from the root.
    destination = "/" + reader.string("destination").lstrip("/")
    options = reader.strings("options")
    parsed = mount_options.parse(options)
    source = reader.string("source")
    if parsed.is_remount:
        pass  # it changes what is mounted there already
    elif parsed.is_bind:
        reader.required("source")
        source = os.path.join(os.path.abspath(bundle), source)
    elif not reader.string("type"):
        raise reader.wrong("type", "is required for a mount that is not a bind mount")
    uid_mappings = reader.array("uidMappings", _id_mapping)
    gid_mappings = reader.array("gidMappings", _id_mapping)
    if bool(uid_mappings) != bool(gid_mappings):
        key = "gidMappings" if uid_mappings else "uidMappings"
        raise reader.wrong(key, "is required where the other one is given")
    if (uid_mappings or parsed.is_for_binds) and not parsed.is_bind:
        options_path = reader.field("options")
        raise UnsupportedError(f"{options_path}: only bind mounts are id-mapped, and meet symlinks")
    return Mount(
        destination=destination,
        source=source,
        type=reader.string("type"),
        options=options,
        uid_mappings=uid_mappings,
        gid_mappings=gid_mappings,
    )


def _device(value: object, path: str) -> Device:
    reader = Reader(value, path)
    for key in ("type", "path"):
        reader.required(key)
    kind = reader.choice("type", ("c", "b", "u", "p"))
    if kind != "p":
        for key in ("major", "minor"):
            reader.required(key)
    absolute(reader.string("path"), reader.field("path"))
    return Device(
        type=kind,
        path=reader.string("path"),
        major=reader.integer("major", 0, UINT32_MAX, 0),
        minor=reader.integer("minor", 0, UINT32_MAX, 0),
        file_mode=reader.integer("fileMode", 0, 0o7777, 0o666),
        uid=reader.uint32("uid"),
        gid=reader.uint32("gid"),
    )


def _limits(linux: Reader) -> tuple[str, Resources | None]:
    if not linux.has("cgroupsPath") and not linux.has("resources"):
        return "", None
    from .spec_resources import read_cgroups_path, read_resources

    return read_cgroups_path(linux), read_resources(linux.object("resources"))


def _seccomp(linux: Reader) -> Seccomp | None:
    if not linux.raw("seccomp"):
        return None
    from .spec_seccomp import read_seccomp

    return read_seccomp(linux.object("seccomp"))


def _personality(linux: Reader) -> Personality | None:
    if not linux.raw("personality"):
        return None
    from .spec_execution import read_personality

    return read_personality(linux.object("personality"))


def _memory_policy(linux: Reader) -> MemoryPolicy | None:
    if not linux.raw("memoryPolicy"):
        return None
    from .spec_execution import read_memory_policy

    return read_memory_policy(linux.object("memoryPolicy"))


def _intel_rdt(linux: Reader) -> IntelRdt | None:
    if not linux.has("intelRdt"):
        return None
    from .spec_execution import read_intel_rdt

    return read_intel_rdt(linux.object("intelRdt"))


def _net_devices(linux: Reader) -> tuple[NetDevice, ...]:
    if not linux.raw("netDevices"):
        return ()
    from .spec_execution import read_net_devices

    return read_net_devices(linux.object("netDevices"))


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
