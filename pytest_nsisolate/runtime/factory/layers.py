"""Which mounts of a plan are made once and copied, and which are made afresh for every container.

A bind mount shows the same thing to everybody and can be copied with the whole tree. A tmpfs, a /proc, a
devpts or an overlay belongs to one container; so does a bind that lies below one of these.

The template's own tmpfs and overlay mounts keep their content in *state* directories that the factory can
see. A container starts from the template's files as it starts from its memory: its tmpfs is an overlay over
the template's state when there is any, its overlay has that state as its topmost lower layer.
"""

from __future__ import annotations

import os

from ..mounts import options as mount_options
from ..plan import Mount
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..plan import Plan


COPY_UP = "tmpcopyup"


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


def sources(partitions: Iterable[Partition]) -> list[Mount]:
    """Return the binds that make what the fresh mounts need later visible to the factory.

    A bind's source is seen at its own path, with the bind's options; an overlay's lower directories at
    places of their own, because an overlay cannot be made of a directory with other mounts in it.
    """
    needed: dict[str, Mount] = {}
    for mount in (mount for parts in partitions for mount in parts.fresh):
        for lower in lower_directories(mount):
            bind = Mount(destination=lower_in_view(lower), source=lower, options=("bind", "ro"))
            needed[bind.destination] = bind
        if mount_options.parse(mount.options).is_bind:
            needed[mount.source] = mount.replace(destination=mount.source)
    # Outer paths first, or an outer bind would cover an inner one.
    return sorted(needed.values(), key=lambda mount: mount.destination.count("/"))


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


def lower_in_view(path: str) -> str:
    """Return where the factory sees the lower directory *path*."""
    return "/.nsisolate/lower/" + path.replace("%", "%25").replace("/", "%2f")


def _lowers_in_view(mount: Mount) -> list[str]:
    return [lower_in_view(path) for path in lower_directories(mount)]


def overlay(destination: str, lower: list[str], layer: str, options: tuple[str, ...]) -> Mount:
    """Return an overlay of *lower*, whose own layer is in the directory *layer*."""
    directories = (
        f"lowerdir={':'.join(escape(path) for path in lower)}",
        f"upperdir={escape(layer)}/upper",
        f"workdir={escape(layer)}/work",
    )
    kept = tuple(o for o in options if not o.startswith(("lowerdir=", "upperdir=", "workdir=")))
    return Mount(
        destination=destination, source="overlay", type="overlay", options=directories + kept
    )


def template_mount(mount: Mount, state: str) -> Mount:
    """Return what the template gets for a fresh *mount*: the same, with its content in *state*."""
    if mount.type == "overlay":
        return overlay(mount.destination, _lowers_in_view(mount), state, mount.options)
    if mount.type == "tmpfs":
        kept = tuple(o for o in mount.options if o in ("nosuid", "nodev", "noexec"))
        return Mount(
            destination=mount.destination, source=f"{state}/upper", options=("bind", *kept)
        )
    return mount


def container_mount(mount: Mount, state: State | None, layer: str) -> Mount:
    """Return what a container gets for a fresh tmpfs or overlay; *state* is what it starts with, or None."""
    lower = [f"{state.path}/upper"] if state is not None else []
    if mount.type == "overlay":
        lower += _lowers_in_view(mount)
        return overlay(mount.destination, lower, layer, mount.options)
    if lower:
        flags = tuple(o for o in mount.options if o in ("nosuid", "nodev", "noexec"))
        return overlay(mount.destination, lower, layer, (*flags, "userxattr"))
    # What there was to copy up is in the template's state; if that is empty, so is this.
    return mount.replace(options=tuple(o for o in mount.options if o != COPY_UP))


class State(Record):
    """What the template has written to a fresh mount: *path*, less the *mount_points* in it."""

    path: str
    mount_points: frozenset[str] = frozenset()

    def has_content(self) -> bool:
        """Tell whether there is anything but mount points."""
        return any(path not in self.mount_points for path in _below(f"{self.path}/upper"))

    def entries(self) -> frozenset[str]:
        """Return the paths of all that is there."""
        return frozenset(_below(f"{self.path}/upper"))


class Contents:
    """Which of the template's states have content, looked at often.

    The size of a directory in a tmpfs grows with each entry, so as long as those that were seen have the
    sizes that they had, nothing has come to be.
    """

    def __init__(self, states: dict[str, State]) -> None:
        self._filled: set[str] = set()
        self._empty = set(states)
        self._states = states
        self._sizes: dict[str, list[tuple[str, int]]] = {}

    def filled(self) -> frozenset[str]:
        """Return the destinations of the states that have content, or once had."""
        for where in list(self._empty):
            if not self._is_unchanged(where) and self._states[where].has_content():
                self._filled.add(where)
                self._empty.discard(where)
        return frozenset(self._filled)

    def _is_unchanged(self, where: str) -> bool:
        known = self._sizes.get(where)
        if known is not None and all(os.stat(path).st_size == size for path, size in known):
            return True
        state = self._states[where]
        paths = (f"{state.path}/upper", *state.mount_points)
        # Before the content is looked at: what comes later shows as a change.
        self._sizes[where] = [
            (path, os.stat(path).st_size) for path in paths if os.path.isdir(path)
        ]
        return False


def _below(directory: str) -> Iterator[str]:
    """Yield what is in *directory*, deeper into directories as they are asked for."""
    with os.scandir(directory) as entries:
        for entry in entries:
            yield entry.path
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)


def make_layer(layer: str, mount: Mount) -> None:
    """Create the directories for the content of a tmpfs or an overlay below *layer*."""
    mode = 0o755
    for option in mount.options:
        if mount.type == "tmpfs" and option.startswith("mode="):
            mode = int(option.removeprefix("mode="), 8)
    os.mkdir(layer, 0o700)
    os.mkdir(f"{layer}/work", 0o700)
    os.mkdir(f"{layer}/upper")
    os.chmod(f"{layer}/upper", mode)
    if mount.type == "overlay":
        _adopt(_lowers_in_view(mount)[0], f"{layer}/upper", _ADOPTED_LEVELS)


#: How deep directories whose owner does not exist inside are taken over: /usr/local/share, say.
_ADOPTED_LEVELS = 2


def _adopt(lower: str, upper: str, levels: int) -> None:
    """Give *upper* the mode and the owner of the directory *lower*.

    Where the owner is nobody inside (the host's root, to an ordinary user's root), our own root gets the
    directory, and those below it for some levels, or it could install nothing into /usr/local.
    """
    found = os.stat(lower)
    os.chmod(upper, found.st_mode & 0o7777)
    try:
        os.chown(upper, found.st_uid, found.st_gid)
    except OSError:
        if levels and os.geteuid() == 0:
            for name in _plain_directories(lower):
                os.mkdir(f"{upper}/{name}")
                _adopt(f"{lower}/{name}", f"{upper}/{name}", levels - 1)


def _plain_directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
