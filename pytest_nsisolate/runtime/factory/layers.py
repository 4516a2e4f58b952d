"""Which mounts of a plan are made once and copied, and which are made afresh for every container.

A bind mount shows the same thing to everybody and can be copied with the whole tree. A tmpfs, a /proc, a
devpts or an overlay belongs to one container; so does a bind that lies below one of these.

The template's own tmpfs and overlay mounts keep their content in *state* directories that the factory can
see. A container starts from the template's files as it starts from its memory: its tmpfs is an overlay over
the template's state when there is any, its overlay has that state as its topmost lower layer.
"""

from __future__ import annotations

import os

from .. import mount_options
from ..plan import Mount
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..plan import Plan


class Partition(Record):
    """The mounts of a plan, in order: *shared* ones are made once, *fresh* ones per container."""

    shared: tuple[Mount, ...]
    fresh: tuple[Mount, ...]

    def is_fresh(self, path: str) -> bool:
        """Tell whether *path* lies on a fresh mount."""
        return any(lies_below(path, mount.destination) for mount in self.fresh)


def partition(plan: Plan) -> Partition:
    """Sort the plan's mounts."""
    shared: list[Mount] = []
    fresh: list[Mount] = []
    for mount in plan.mounts:
        is_bind = mount_options.parse(mount.options).is_bind
        covered = any(lies_below(mount.destination, other.destination) for other in fresh)
        (shared if is_bind and not covered else fresh).append(mount)
    return Partition(shared=tuple(shared), fresh=tuple(fresh))


def lies_below(path: str, ancestor: str) -> bool:
    """Tell whether *path* is *ancestor* or below it."""
    return path == ancestor or path.startswith(ancestor.rstrip("/") + "/")


def sources(partition: Partition) -> list[Mount]:
    """Return the host paths that the fresh mounts need later, as binds to the same path.

    An overlay's lower directories are only read; a bind keeps the options that it has.
    """
    needed = []
    for mount in partition.fresh:
        if mount.type == "overlay":
            for lower in lower_directories(mount):
                needed.append(Mount(destination=lower, source=lower, options=("rbind", "rro")))
        elif mount_options.parse(mount.options).is_bind:
            needed.append(mount.replace(destination=mount.source))
    # Outer paths first, or an outer bind would cover an inner one.
    return sorted(needed, key=lambda mount: mount.destination.count("/"))


def escape(path: str) -> str:
    """Return *path* as it has to be written in an overlay's options."""
    for special in ("\\", ",", ":"):
        path = path.replace(special, "\\" + special)
    return path


def unescape(path: str) -> str:
    """Undo :func:`escape`."""
    for special in (":", ",", "\\"):
        path = path.replace("\\" + special, special)
    return path


def lower_directories(mount: Mount) -> list[str]:
    """Return an overlay's lower directories, topmost first."""
    for option in mount.options:
        if option.startswith("lowerdir="):
            value = option.removeprefix("lowerdir=").replace("\\:", "\0")
            return [unescape(path.replace("\0", "\\:")) for path in value.split(":")]
    return []


def overlay(destination: str, lower: list[str], layer: str, options: tuple[str, ...]) -> Mount:
    """Return an overlay of *lower*, whose own layer is in the directory *layer*."""
    directories = (
        f"lowerdir={':'.join(escape(path) for path in lower)}",
        f"upperdir={escape(layer)}/upper",
        f"workdir={escape(layer)}/work",
    )
    kept = tuple(o for o in options if not o.startswith(("lowerdir=", "upperdir=", "workdir=")))
    return Mount(destination=destination, source="overlay", type="overlay", options=directories + kept)


def template_mount(mount: Mount, state: str) -> Mount:
    """Return what the template gets for a fresh *mount*: the same, with its content in *state*."""
    if mount.type == "overlay":
        return overlay(mount.destination, lower_directories(mount), state, mount.options)
    if mount.type == "tmpfs":
        flags = tuple(o for o in mount.options if o in ("nosuid", "nodev", "noexec"))
        return Mount(destination=mount.destination, source=f"{state}/upper", options=("bind", *flags))
    return mount


def container_mount(mount: Mount, state: str, layer: str) -> Mount:
    """Return what a container gets for a fresh *mount*, given what the template left in *state*."""
    upper = f"{state}/upper"
    if mount.type not in ("overlay", "tmpfs") or not _has_content(upper):
        if mount.type == "overlay":
            return overlay(mount.destination, lower_directories(mount), layer, mount.options)
        return mount
    if mount.type == "overlay":
        lower = [upper, *lower_directories(mount)]
        return overlay(mount.destination, lower, layer, mount.options)
    flags = tuple(o for o in mount.options if o in ("nosuid", "nodev", "noexec"))
    return overlay(mount.destination, [upper], layer, (*flags, "userxattr"))


def _has_content(directory: str) -> bool:
    with os.scandir(directory) as entries:
        return next(entries, None) is not None


def make_layer(layer: str, mount: Mount) -> None:
    """Create the directories for the content of a tmpfs or an overlay below *layer*."""
    mode = 0o755
    for option in mount.options:
        if mount.type == "tmpfs" and option.startswith("mode="):
            mode = int(option.removeprefix("mode="), 8)
    os.makedirs(f"{layer}/work")
    os.mkdir(f"{layer}/upper")
    os.chmod(f"{layer}/upper", mode)
    if mount.type == "overlay":
        found = os.stat(lower_directories(mount)[0])
        os.chmod(f"{layer}/upper", found.st_mode & 0o7777)
        try:
            os.chown(f"{layer}/upper", found.st_uid, found.st_gid)
        except OSError:
            pass  # an owner that is not mapped here; the caller's own is then as near as it gets
