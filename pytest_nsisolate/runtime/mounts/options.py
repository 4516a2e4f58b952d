"""What the mount options of the runtime-spec mean (config.md, "Linux mount options")."""

from __future__ import annotations

from .. import syscalls as sys
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..plan import Mount

_ATIME = sys.MOUNT_ATTR__ATIME
#: The attributes about access times.
ACCESS_TIMES = _ATIME | sys.MOUNT_ATTR_NODIRATIME

#: option: (flags to set, flags to clear)
_FLAGS: dict[str, tuple[int, int]] = {
    "defaults": (0, 0),
    "bind": (sys.MS_BIND, 0),
    "rbind": (sys.MS_BIND | sys.MS_REC, 0),
    "ro": (sys.MS_RDONLY, 0),
    "rw": (0, sys.MS_RDONLY),
    "suid": (0, sys.MS_NOSUID),
    "nosuid": (sys.MS_NOSUID, 0),
    "dev": (0, sys.MS_NODEV),
    "nodev": (sys.MS_NODEV, 0),
    "exec": (0, sys.MS_NOEXEC),
    "noexec": (sys.MS_NOEXEC, 0),
    "sync": (sys.MS_SYNCHRONOUS, 0),
    "async": (0, sys.MS_SYNCHRONOUS),
    "dirsync": (sys.MS_DIRSYNC, 0),
    "remount": (sys.MS_REMOUNT, 0),
    "mand": (sys.MS_MANDLOCK, 0),
    "nomand": (0, sys.MS_MANDLOCK),
    "silent": (sys.MS_SILENT, 0),
    "loud": (0, sys.MS_SILENT),
    "iversion": (sys.MS_I_VERSION, 0),
    "noiversion": (0, sys.MS_I_VERSION),
    "lazytime": (sys.MS_LAZYTIME, 0),
    "nolazytime": (0, sys.MS_LAZYTIME),
    "atime": (0, sys.MS_NOATIME),
    "noatime": (sys.MS_NOATIME, 0),
    "diratime": (0, sys.MS_NODIRATIME),
    "nodiratime": (sys.MS_NODIRATIME, 0),
    "relatime": (sys.MS_RELATIME, 0),
    "norelatime": (0, sys.MS_RELATIME),
    "strictatime": (sys.MS_STRICTATIME, 0),
    "nostrictatime": (0, sys.MS_STRICTATIME),
    "symfollow": (0, sys.MS_NOSYMFOLLOW),
    "nosymfollow": (sys.MS_NOSYMFOLLOW, 0),
}

_PROPAGATION: dict[str, int] = {
    "private": sys.MS_PRIVATE,
    "rprivate": sys.MS_PRIVATE | sys.MS_REC,
    "shared": sys.MS_SHARED,
    "rshared": sys.MS_SHARED | sys.MS_REC,
    "slave": sys.MS_SLAVE,
    "rslave": sys.MS_SLAVE | sys.MS_REC,
    "unbindable": sys.MS_UNBINDABLE,
    "runbindable": sys.MS_UNBINDABLE | sys.MS_REC,
}

#: recursive option: (attributes to set, attributes to clear), for mount_setattr
_RECURSIVE: dict[str, tuple[int, int]] = {
    "rro": (sys.MOUNT_ATTR_RDONLY, 0),
    "rrw": (0, sys.MOUNT_ATTR_RDONLY),
    "rnosuid": (sys.MOUNT_ATTR_NOSUID, 0),
    "rsuid": (0, sys.MOUNT_ATTR_NOSUID),
    "rnodev": (sys.MOUNT_ATTR_NODEV, 0),
    "rdev": (0, sys.MOUNT_ATTR_NODEV),
    "rnoexec": (sys.MOUNT_ATTR_NOEXEC, 0),
    "rexec": (0, sys.MOUNT_ATTR_NOEXEC),
    "rnodiratime": (sys.MOUNT_ATTR_NODIRATIME, 0),
    "rdiratime": (0, sys.MOUNT_ATTR_NODIRATIME),
    "rrelatime": (sys.MOUNT_ATTR_RELATIME, _ATIME),
    "rnorelatime": (sys.MOUNT_ATTR_STRICTATIME, _ATIME),
    "rnoatime": (sys.MOUNT_ATTR_NOATIME, _ATIME),
    "ratime": (sys.MOUNT_ATTR_RELATIME, _ATIME),
    "rstrictatime": (sys.MOUNT_ATTR_STRICTATIME, _ATIME),
    "rnostrictatime": (sys.MOUNT_ATTR_RELATIME, _ATIME),
    "rnosymfollow": (sys.MOUNT_ATTR_NOSYMFOLLOW, 0),
    "rsymfollow": (0, sys.MOUNT_ATTR_NOSYMFOLLOW),
}

#: Options with a meaning of their own, and not the file system's.
_SPECIAL = ("tmpcopyup", "idmap", "ridmap", "copy-symlink", "src-nofollow", "dest-nofollow")

#: Every option with a meaning in the spec, for ``features``.
KNOWN_OPTIONS = tuple(sorted((*_FLAGS, *_PROPAGATION, *_RECURSIVE, *_SPECIAL)))


class MountOptions(Record):
    """Mount options, sorted by where they go.

    *flags* and *cleared* are MS_ bits; *propagation* a list of MS_ values, applied in order after the
    mount; *recursive_set* and *recursive_clear* MOUNT_ATTR_ bits for the whole tree; *special* those
    that are the runtime's own business; *data* what is left for the file system, comma-separated.
    """

    flags: int = 0
    cleared: int = 0
    propagation: tuple[int, ...] = ()
    recursive_set: int = 0
    recursive_clear: int = 0
    special: tuple[str, ...] = ()
    data: str = ""

    @property
    def tmpcopyup(self) -> bool:
        """Tell whether a tmpfs begins with what it covers."""
        return "tmpcopyup" in self.special

    @property
    def is_id_mapped(self) -> bool:
        """Tell whether the ids of the mount's files are mapped."""
        return "idmap" in self.special or "ridmap" in self.special

    @property
    def is_for_binds(self) -> bool:
        """Tell whether there is an option that only a bind mount can have."""
        return any(option != "tmpcopyup" for option in self.special)

    @property
    def is_bind(self) -> bool:
        """Tell whether this is a bind mount, whatever the mount's type says."""
        return bool(self.flags & sys.MS_BIND)

    @property
    def is_remount(self) -> bool:
        """Tell whether this changes a mount that is there already."""
        return bool(self.flags & sys.MS_REMOUNT)


def parse(options: tuple[str, ...]) -> MountOptions:
    """Sort *options*; later ones win over earlier ones, as with mount(8)."""
    flags = cleared = recursive_set = recursive_clear = 0
    propagation: list[int] = []
    data: list[str] = []
    special: list[str] = []
    for option in options:
        if option in _FLAGS:
            set_bits, clear_bits = _FLAGS[option]
            flags = (flags | set_bits) & ~clear_bits
            cleared = (cleared | clear_bits) & ~set_bits
        elif option in _PROPAGATION:
            propagation.append(_PROPAGATION[option])
        elif option in _RECURSIVE:
            set_bits, clear_bits = _RECURSIVE[option]
            recursive_set = (recursive_set & ~clear_bits) | set_bits
            recursive_clear = (recursive_clear & ~set_bits) | clear_bits
        elif option in _SPECIAL:
            special.append(option)
        else:
            data.append(option)
    return MountOptions(
        flags=flags,
        cleared=cleared,
        propagation=tuple(propagation),
        recursive_set=recursive_set,
        recursive_clear=recursive_clear,
        special=tuple(special),
        data=",".join(data),
    )


#: MS_ bit to MOUNT_ATTR_ bit, for those that a bind mount can have.
_ATTRIBUTES = (
    (sys.MS_RDONLY, sys.MOUNT_ATTR_RDONLY),
    (sys.MS_NOSUID, sys.MOUNT_ATTR_NOSUID),
    (sys.MS_NODEV, sys.MOUNT_ATTR_NODEV),
    (sys.MS_NOEXEC, sys.MOUNT_ATTR_NOEXEC),
    (sys.MS_NODIRATIME, sys.MOUNT_ATTR_NODIRATIME),
    (sys.MS_NOSYMFOLLOW, sys.MOUNT_ATTR_NOSYMFOLLOW),
)

PER_MOUNT_FLAGS = sum(ms for ms, _attr in _ATTRIBUTES) | (
    sys.MS_NOATIME | sys.MS_RELATIME | sys.MS_STRICTATIME
)


def attributes(options: MountOptions) -> tuple[int, int]:
    """Return the MOUNT_ATTR_ bits to set and to clear for the per-mount flags of a bind mount."""
    attr_set = sum(attr for ms, attr in _ATTRIBUTES if options.flags & ms)
    attr_clear = sum(attr for ms, attr in _ATTRIBUTES if options.cleared & ms)
    for ms, attr in (
        (sys.MS_RELATIME, sys.MOUNT_ATTR_RELATIME),
        (sys.MS_NOATIME, sys.MOUNT_ATTR_NOATIME),
        (sys.MS_STRICTATIME, sys.MOUNT_ATTR_STRICTATIME),
    ):
        if options.flags & ms:
            attr_set |= attr
            attr_clear |= _ATIME
    if options.cleared & (sys.MS_NOATIME | sys.MS_STRICTATIME) and not attr_clear & _ATIME:
        attr_clear |= _ATIME  # which leaves the kernel's default, relatime
    return attr_set, attr_clear


#: Those that take no SELinux context as an option, because each file has its own.
_WITHOUT_CONTEXT = ("proc", "sysfs", "cgroup", "cgroup2", "mqueue")


def with_label(mount: Mount, label: str) -> Mount:
    """Return *mount* with linux.mountLabel as its context, if its file system takes one."""
    options = parse(mount.options) if label else None
    if options is None or options.is_bind or options.is_remount:
        return mount
    if mount.type in _WITHOUT_CONTEXT or "context=" in options.data:
        return mount
    # In quotes: a label may have commas in it.
    return mount.replace(options=(*mount.options, f'context="{label}"'))
