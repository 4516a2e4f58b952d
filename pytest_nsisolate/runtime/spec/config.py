"""``config.json`` to :class:`~.plan.Plan`: the runtime-spec 1.3, refused at the edge where it is wrong.

Unknown properties are ignored, wrong values are a :class:`~.errors.SpecError` with the path of the
field, and what the spec knows but this runtime or this kernel cannot do is an
:class:`~.errors.UnsupportedError`: nothing that isolates is ever left out in silence.
"""

from __future__ import annotations

import os

from ..errors import SpecError, UnsupportedError
from ..mounts import options as mount_options
from ..plan import (
    NAMESPACE_TYPES,
    SPEC_VERSION,
    Device,
    Mount,
    Namespace,
    Plan,
    Root,
    TimeOffset,
)
from .checks import validate
from .decoding import TwiceError, decode
from .hooks import read_hooks
from .mappings import read_id_mappings
from .process import read_process
from .reader import INT64_MAX, Reader, absolute, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..execution.records import IntelRdt, MemoryPolicy, NetDevice, Personality
    from ..resources import Resources
    from ..seccomp.records import Seccomp

PROPAGATIONS = tuple(
    prefix + kind for kind in ("private", "shared", "slave", "unbindable") for prefix in ("", "r")
)

#: The kernel's device numbers have 12 and 20 bits.
_MAJOR_MAX, _MINOR_MAX = 2**12 - 1, 2**20 - 1
_FILE_TYPES = {"c": 0o020000, "u": 0o020000, "b": 0o060000, "p": 0o010000}  # of inode(7)

#: What is another platform's, by the object that it is in.
_OTHER_PLATFORMS = {
    "": ("vm", "windows", "solaris", "freebsd", "zos"),
    "process": ("commandLine",),
    "process.user": ("username",),
}
_CLOCKS = ("monotonic", "boottime")


def load(bundle: str) -> Plan:
    """Read the plan of the bundle directory *bundle*. Raises SpecError and UnsupportedError."""
    path = os.path.join(bundle, "config.json")
    return parse(decode_text(read(bundle, path), path), bundle)


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


def parse_stored(raw: bytes, bundle: str) -> Plan:
    """Return the plan that a container was made by, from its own copy of config.json.

    What is asked of the host then is not asked again: its root may be gone by now.
    """
    return parse(decode_text(raw, "config.json"), bundle, is_to_be_made=False)


def decode_text(raw: bytes, path: str) -> object:
    """Return the JSON of *raw*, which was read at *path*, as it is."""
    try:
        return decode(raw)
    except TwiceError as error:
        raise SpecError(error.path, "is there twice in one object; keep one of them") from None
    except ValueError as error:
        raise SpecError("", f"{path!r} is not JSON: {error}") from None


def parse(config: object, bundle: str, *, is_to_be_made: bool = True) -> Plan:
    """Return the plan that *config* (decoded JSON) describes; paths are relative to *bundle*.

    Of a container that *is_to_be_made* the root has to be there, and no sysctl may be the host's.
    """
    reader = Reader(config)
    version = _version(reader)
    _refuse_other_platforms(reader)
    linux = reader.object("linux")
    cgroups_path, resources = _limits(linux)
    plan = Plan(
        root=_root(reader, bundle, must_exist=is_to_be_made),
        namespaces=linux.array("namespaces", _namespace),
        process=read_process(reader.object("process")) if reader.has("process") else None,
        hostname=reader.string("hostname") or None,
        domainname=reader.string("domainname") or None,
        mounts=reader.array("mounts", lambda value, path: _mount(Reader(value, path), bundle)),
        uid_mappings=read_id_mappings(linux, "uidMappings"),
        gid_mappings=read_id_mappings(linux, "gidMappings"),
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
        oci_version=version,
    )
    validate(plan, is_to_be_made=is_to_be_made)
    return plan


def _version(reader: Reader) -> str:
    version = reader.required_string("ociVersion")
    parts = version.partition("+")[0].partition("-")[0].split(".")
    if len(parts) != 3 or not all(_is_number(part) for part in parts):
        raise reader.wrong(
            "ociVersion", f"{show(version)} is not a version such as {SPEC_VERSION!r}"
        )
    if parts[0] != "1":
        raise reader.wrong("ociVersion", f"{show(version)} is not supported, {SPEC_VERSION} is")
    return version


def _is_number(part: str) -> bool:
    """Tell whether *part* is a number of a version (semver.org): no leading zeros."""
    return part.isdecimal() and part.isascii() and (part == "0" or part[0] != "0")


def _refuse_other_platforms(reader: Reader) -> None:
    process = reader.object("process")
    for section in (reader, process, process.object("user")):
        for key in _OTHER_PLATFORMS[section.path]:
            if section.raw(key) not in (None, {}, ""):
                raise UnsupportedError(
                    f"{section.field(key)}: is for another platform than Linux; remove it to run without it"
                )


def _root(reader: Reader, bundle: str, *, must_exist: bool) -> Root:
    reader.required("root")
    root = reader.object("root")
    path = os.path.join(os.path.abspath(bundle), root.required_string("path"))
    if must_exist and not os.path.isdir(path):
        raise root.wrong("path", f"there is no directory {path!r}")
    return Root(path=os.path.realpath(path), readonly=root.boolean("readonly"))


def _namespace(value: object, path: str) -> Namespace:
    reader = Reader(value, path)
    kind = reader.required_choice("type", NAMESPACE_TYPES)
    joined = reader.string("path")
    if joined:
        absolute(joined, reader.field("path"))
    return Namespace(type=kind, path=joined)


def _mount(reader: Reader, bundle: str) -> Mount:
    # config.md: relative destinations are deprecated, and taken from the root.
    destination = "/" + reader.required_string("destination").lstrip("/")
    options = reader.strings("options")
    parsed = mount_options.parse(options)
    source = reader.string("source")
    if parsed.is_remount:
        pass  # it changes what is mounted there already
    elif parsed.is_bind:
        source = os.path.join(os.path.abspath(bundle), reader.required_string("source"))
    elif not reader.string("type"):
        raise reader.wrong("type", "is required for a mount that is not a bind mount")
    uid_mappings = read_id_mappings(reader, "uidMappings")
    gid_mappings = read_id_mappings(reader, "gidMappings")
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
    kind = reader.required_choice("type", ("c", "b", "u", "p"))
    if kind != "p":
        reader.required("major", "minor")
    return Device(
        type=kind,
        path=absolute(reader.required_string("path"), reader.field("path")).rstrip("/") or "/",
        major=reader.integer("major", 0, _MAJOR_MAX, 0),
        minor=reader.integer("minor", 0, _MINOR_MAX, 0),
        file_mode=_file_mode(reader, kind),
        uid=reader.id("uid"),
        gid=reader.id("gid"),
    )


def _file_mode(reader: Reader, kind: str) -> int:
    # podman gives the whole st_mode of inode(7): the type of file too, which `type` says already.
    mode = reader.integer("fileMode", 0, 0o177777, 0o666)
    file_type = mode & ~0o7777
    if file_type not in {0, _FILE_TYPES[kind]}:
        problem = f"{mode:#o} is the mode of another type of file than {kind!r}"
        raise SpecError(reader.field("fileMode"), problem)
    return mode & 0o7777


def _limits(linux: Reader) -> tuple[str, Resources | None]:
    if not linux.has("cgroupsPath") and not linux.has("resources"):
        return "", None
    from .resources import read_cgroups_path, read_resources

    return read_cgroups_path(linux), read_resources(linux.object("resources"))


def _seccomp(linux: Reader) -> Seccomp | None:
    # As with runc, an empty profile is none.
    if linux.raw("seccomp") in (None, {}):
        return None
    from .seccomp import read_seccomp

    return read_seccomp(linux.object("seccomp"))


def _personality(linux: Reader) -> Personality | None:
    if not linux.has("personality"):
        return None
    from .execution import read_personality

    return read_personality(linux.object("personality"))


def _memory_policy(linux: Reader) -> MemoryPolicy | None:
    if not linux.has("memoryPolicy"):
        return None
    from .execution import read_memory_policy

    return read_memory_policy(linux.object("memoryPolicy"))


def _intel_rdt(linux: Reader) -> IntelRdt | None:
    if not linux.has("intelRdt"):
        return None
    from .execution import read_intel_rdt

    return read_intel_rdt(linux.object("intelRdt"))


def _net_devices(linux: Reader) -> tuple[NetDevice, ...]:
    if not linux.has("netDevices"):
        return ()
    from .execution import read_net_devices

    return read_net_devices(linux.object("netDevices"))


def _time_offsets(linux: Reader) -> tuple[TimeOffset, ...]:
    offsets = linux.object("timeOffsets")
    found = []
    for clock in offsets.names():
        if clock not in _CLOCKS:
            raise offsets.wrong(
                clock, f"is no clock of a time namespace: {' and '.join(_CLOCKS)} are"
            )
    for clock in _CLOCKS:
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
