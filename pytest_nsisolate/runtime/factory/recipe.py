"""How a container's root is put together, worked out once and followed often.

:func:`.view.assemble` can put any root together, and looks at what is there with each step. As long as the
template has left nothing in its fresh mounts, what it finds is the same every time; so it is found here,
once, and a holder has only the calls left to make. Steps that depend on more are left to the general way.
"""

from __future__ import annotations

import errno
import os

from .. import syscalls as sys
from ..errors import KernelCallError
from ..mounts import options as mount_options
from ..mounts.inroot import ABSENT, open_path, proc_path
from ..mounts.mount import open_bind, perform, set_attributes
from .layers import container_mount, lies_below, make_layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..mounts.options import MountOptions
    from ..plan import Mount
    from .view import Tree

    #: Called with an fd of the root, which is the working directory as well.
    Step = Callable[[int], None]

_KNOWN = ("devpts", "mqueue", "overlay", "proc", "tmpfs")
_EMPTY_ATTRIBUTES = (
    sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV | sys.MOUNT_ATTR_NOEXEC
)
_NULL_ATTRIBUTES = sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NOEXEC


class Masks:
    """What covers masked paths: an empty directory and the null device, mounted below *place*."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.directory = f"{place}/directory"
        self.file = f"{place}/file"

    def make(self, base: str) -> None:
        """Mount both, with their attributes, where the view is still at *base*."""
        os.mkdir(base + self.directory, 0o755)
        os.close(os.open(base + self.file, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        sources = ((base + self.directory, self.directory), ("/dev/null", self.file))
        for (source, where), wanted in zip(
            sources, (_EMPTY_ATTRIBUTES, _NULL_ATTRIBUTES), strict=True
        ):
            sys.mount(source, base + where, flags=sys.MS_BIND)
            fd = os.open(base + where, os.O_PATH | os.O_CLOEXEC)
            set_attributes(fd, wanted, 0)
            os.close(fd)


def write_recipe(tree: Tree, layers: str, masks: Masks) -> list[Step] | None:
    """Return the steps from a copy of *tree* to a container's root; None where only the general way will do.

    *layers* is where the upper directories of overlays will be.
    """
    root_fd = os.open(tree.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _Writer(tree, layers, masks, root_fd).steps()
    finally:
        os.close(root_fd)


class _Writer:
    def __init__(self, tree: Tree, layers: str, masks: Masks, root_fd: int) -> None:
        self._tree = tree
        self._layers = layers
        self._masks = masks
        self._root_fd = root_fd
        self._made: set[str] = set()
        self._steps: list[Step] = []

    def steps(self) -> list[Step] | None:
        parts, plan = self._tree.parts, self._tree.plan
        if parts.is_fresh("/dev") or any(mount.destination == "/" for mount in parts.fresh):
            return None
        hidden = [path for path in plan.masked_paths if parts.is_fresh(path)]
        readonly = [path for path in plan.readonly_paths if parts.is_fresh(path)]
        if not all(path.startswith("/proc/") for path in (*hidden, *readonly)):
            return None
        for number, mount in enumerate(parts.fresh):
            self._add_mount(number, mount)
        for path in hidden:
            self._add_mask(path)
        for path in readonly:
            if os.path.exists(path):
                self._steps.append(_make_readonly(path[1:]))
        return self._steps

    def _add_mount(self, number: int, mount: Mount) -> None:
        wanted = container_mount(mount, None, f"{self._layers}/{number}")
        options = mount_options.parse(wanted.options)
        if wanted.type == "overlay":
            self._steps.append(_make_layer(f"{self._layers}/{number}", mount))
        is_plain = not (options.propagation or options.special or options.recursive_clear)
        if not is_plain or not self._can_be_reached(mount):
            self._steps.append(_perform(wanted))
        elif options.is_bind:
            is_directory = os.path.isdir(mount.source)
            self._make_place(mount.destination, directory=is_directory)
            self._steps.append(_bind(mount.source, mount.destination[1:], options))
        elif wanted.type in _KNOWN and not options.recursive_set and _has_its_mode(wanted, options):
            self._make_place(mount.destination, directory=True)
            self._steps.append(_mount(wanted, mount.destination[1:], options))
        else:
            self._steps.append(_perform(wanted))

    def _around(self, mount: Mount) -> Mount | None:
        """Return the innermost fresh mount that *mount* lies on."""
        others = [other for other in self._tree.parts.fresh if other is not mount]
        found = [other for other in others if lies_below(mount.destination, other.destination)]
        return max(found, key=lambda other: len(other.destination), default=None)

    def _can_be_reached(self, mount: Mount) -> bool:
        """Tell whether the way to the mount's destination is known: no symlink is on it."""
        around = self._around(mount)
        if around is not None:
            return around.type == "tmpfs" and self._can_be_reached(around)
        try:
            fd = open_path(self._root_fd, mount.destination)
        except KernelCallError as error:
            if error.errno not in (*ABSENT, errno.ELOOP):
                raise
            return False
        try:
            return os.readlink(proc_path(fd)) == self._tree.path + mount.destination
        finally:
            os.close(fd)

    def _make_place(self, path: str, *, directory: bool) -> None:
        """Add the steps that make a mount point on an empty tmpfs."""
        mount = next(m for m in self._tree.parts.fresh if m.destination == path)
        around = self._around(mount)
        if around is None or path in self._made:
            return
        parent = os.path.dirname(path)
        missing = []
        while parent != around.destination and parent not in self._made:
            missing.append(parent)
            parent = os.path.dirname(parent)
        for place in reversed(missing):
            self._made.add(place)
            self._steps.append(_make_directory(place[1:]))
        self._made.add(path)
        self._steps.append(_make_directory(path[1:]) if directory else _make_file(path[1:]))

    def _add_mask(self, path: str) -> None:
        if not os.path.lexists(path):
            return  # this kernel has none
        source = self._masks.directory if os.path.isdir(path) else self._masks.file
        self._steps.append(_cover(source, path[1:]))


def _has_its_mode(mount: Mount, options: MountOptions) -> bool:
    """Tell whether a tmpfs does not take its mode from the directory that it covers."""
    return mount.type != "tmpfs" or "mode=" in options.data


def _perform(mount: Mount) -> Step:
    return lambda root_fd: perform(mount, root_fd)


def _make_layer(layer: str, mount: Mount) -> Step:
    return lambda _root_fd: make_layer(layer, mount)


def _make_directory(path: str) -> Step:
    return lambda _root_fd: os.mkdir(path, 0o755)


def _make_file(path: str) -> Step:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    return lambda _root_fd: os.close(os.open(path, flags, 0o644))


def _mount(mount: Mount, path: str, options: MountOptions) -> Step:
    source = mount.source or mount.type
    return lambda _root_fd: sys.mount(source, path, mount.type, options.flags, options.data)


def _cover(source: str, path: str) -> Step:
    return lambda _root_fd: sys.mount(source, path, flags=sys.MS_BIND)


def _bind(source: str, path: str, options: MountOptions) -> Step:
    def step(_root_fd: int) -> None:
        _attach(open_bind(source, options), path)

    return step


def _make_readonly(path: str) -> Step:
    flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_RECURSIVE

    def step(_root_fd: int) -> None:
        fd = sys.open_tree(sys.AT_FDCWD, path, flags)
        set_attributes(fd, sys.MOUNT_ATTR_RDONLY, 0, recursive=True)
        _attach(fd, path)

    return step


def _attach(fd: int, path: str) -> None:
    try:
        sys.move_mount(fd, "", sys.AT_FDCWD, path, sys.MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(fd)
