"""The factory's own view: a root of its own that holds the trees which containers are copied from.

::

    /proc                      this pid namespace's, unmasked
    /.nsisolate/rootfs         skeleton, shared mounts, devices: what a container's root is copied from
    /.nsisolate/base           the same for the template, if that has another
    /.nsisolate/template       the template's root
    /.nsisolate/new            where a holder puts its copy together
    /.nsisolate/layers         per holder: a tmpfs with the upper directories of its overlays
    /.nsisolate/masks          what covers masked paths
    /.nsisolate/lower/PATH     the lower directories of overlays
    /.nsisolate/state/N        the template's content of the Nth fresh mount
    everything else            host paths that fresh mounts need later, each at its own path
"""

from __future__ import annotations

import os

from .. import syscalls as sys
from ..errors import SetupError
from ..mounts.devices import DEFAULT_DEVICES, create_devices
from ..mounts.inroot import open_or_create, open_path
from ..mounts.masks import make_readonly, mask
from ..mounts.mount import attach, perform, set_attributes
from ..mounts.pivot import pivot
from ..mounts.skeleton import make_directories, write
from ..mounts.tmpcopyup import copy_directory
from ..plan import Mount
from ..record import Record
from .layers import (
    COPY_UP,
    Partition,
    State,
    container_mount,
    lies_below,
    lower_directories,
    make_layer,
    partition,
    sources,
    template_mount,
)
from .recipe import Masks, write_recipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..mounts.skeleton import Entry
    from ..plan import Plan
    from .recipe import Step

OWN = "/.nsisolate"
ROOTFS = f"{OWN}/rootfs"
TEMPLATE_ROOTFS = f"{OWN}/base"
TEMPLATE = f"{OWN}/template"
NEW = f"{OWN}/new"
LAYERS = f"{OWN}/layers"
STATE = f"{OWN}/state"
MASKS = Masks(f"{OWN}/masks")

#: A fresh /proc can only be mounted where an unmasked one is visible.
_PROC = Mount(destination="/proc", source="proc", type="proc")
_LAYERED = ("tmpfs", "overlay")


class Tree(Record):
    """What a root is copied from: a plan's shared mounts on its skeleton, below *path* in the view."""

    plan: Plan
    parts: Partition
    skeleton: Sequence[Entry]
    path: str


def tree_of(plan: Plan, skeleton: Sequence[Entry], path: str) -> Tree:
    """Return the tree of a plan."""
    return Tree(plan=plan, parts=partition(plan), skeleton=skeleton, path=path)


def build(trees: Sequence[Tree]) -> None:
    """Build the view with its *trees* and pivot into it. The host is out of reach afterwards."""
    sys.mount("", "/", flags=sys.MS_REC | sys.MS_PRIVATE)
    base = _place_for_base(trees)
    sys.mount("tmpfs", base, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "mode=0755")
    for directory in (TEMPLATE, NEW, LAYERS, STATE, MASKS.place, *(tree.path for tree in trees)):
        make_directories(base + directory)
    MASKS.make(base)
    base_fd = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for mount in (_PROC, *_devices(trees), *sources([tree.parts for tree in trees])):
        perform(mount, base_fd)
    for tree in trees:
        write(tree.skeleton, base + tree.path)
        _fill(tree, base_fd)
    pivot(base_fd)
    os.close(base_fd)


def _devices(trees: Sequence[Tree]) -> list[Mount]:
    """Return the binds of the devices that are needed later: one for masks, all for a fresh /dev."""
    paths = ["/dev/null"]
    if any(tree.parts.is_fresh("/dev") for tree in trees):
        paths = [device.path for device in DEFAULT_DEVICES]
    return [Mount(destination=path, source=path, options=("bind",)) for path in paths]


def _place_for_base(trees: Sequence[Tree]) -> str:
    """Return a directory that we can cover without hiding anything that is still to be bound."""
    mounts = [mount for tree in trees for mount in tree.plan.mounts]
    paths = [mount.source for mount in mounts if mount.source.startswith("/")]
    paths += [lower for mount in mounts for lower in lower_directories(mount)]
    needed = {path.split("/")[1] for path in paths}
    for name in sorted(os.listdir("/"), key=lambda name: (name != "mnt", name)):
        if name not in needed and name not in ("proc", "dev", "sys") and _is_plain_directory(name):
            return f"/{name}"
    raise SetupError("root", "no directory below / is free to build the root on")


def _is_plain_directory(name: str) -> bool:
    return os.path.isdir(f"/{name}") and not os.path.islink(f"/{name}")


def _fill(tree: Tree, base_fd: int) -> None:
    plan, parts = tree.plan, tree.parts
    # A mount of its own, so that it can be copied and made read-only without the rest of the view.
    root_fd = _bind_on_itself(base_fd, tree.path)
    for mount in parts.shared:
        perform(mount, root_fd)
    if not parts.is_fresh("/dev"):
        create_devices(plan, root_fd)
    mask(root_fd, [path for path in plan.masked_paths if not parts.is_fresh(path)])
    make_readonly(root_fd, [path for path in plan.readonly_paths if not parts.is_fresh(path)])
    # Mount points for the fresh mounts, while the root can be written to.
    for mount in parts.fresh:
        if not any(_covers(other, mount) for other in parts.fresh):
            os.close(open_or_create(root_fd, mount.destination, directory=True))
    os.close(root_fd)


def _covers(other: Mount, mount: Mount) -> bool:
    return other is not mount and lies_below(mount.destination, other.destination)


def _bind_on_itself(base_fd: int, path: str) -> int:
    fd = open_path(base_fd, path)
    tree_fd = sys.open_tree(fd, "", sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_EMPTY_PATH)
    attach(tree_fd, fd)
    os.close(fd)
    return tree_fd


def build_template_root(template: Tree) -> dict[str, State]:
    """Put the template's root together, in the view.

    Return, by destination, what will hold the content of its fresh mounts.
    """
    states: dict[str, State] = {}
    wanted = []
    for number, mount in enumerate(template.parts.fresh):
        chosen = mount
        if mount.type in _LAYERED:
            place = f"{STATE}/{number}"
            make_layer(place, mount)
            chosen = template_mount(mount, place)
            states[mount.destination] = State(path=place)
        if COPY_UP in mount.options:
            _copy_up(template.path + mount.destination, f"{place}/upper")
        wanted.append(chosen)
    before = {where: state.entries() for where, state in states.items()}
    os.close(assemble(template, TEMPLATE, wanted))
    return {
        where: state.replace(mount_points=state.entries() - before[where])
        for where, state in states.items()
    }


def _copy_up(source: str, target: str) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    from_fd, to_fd = os.open(source, flags), os.open(target, flags)
    copy_directory(from_fd, to_fd)
    os.close(from_fd)
    os.close(to_fd)


def enter_template_root() -> None:
    """Make a copy of the template's root the root; the one in the view is locked and cannot be it."""
    pivot_fd = _copy_tree(TEMPLATE, NEW)
    pivot(pivot_fd)
    os.close(pivot_fd)


def recipe_of(tree: Tree) -> list[Step] | None:
    """Work out how containers' roots are put together as long as no state has content."""
    return write_recipe(tree, LAYERS, MASKS)


def build_container_root(tree: Tree, states: dict[str, State], recipe: list[Step] | None) -> int:
    """Put a container's root together in a holder's copy of the view; return an fd of it.

    *states* are those that have content.
    """
    sys.mount("tmpfs", LAYERS, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "mode=0755")
    if recipe is not None and not states:
        return _follow(recipe, tree)
    wanted = []
    for number, mount in enumerate(tree.parts.fresh):
        layer = f"{LAYERS}/{number}"
        chosen = mount
        if mount.type in _LAYERED:
            chosen = container_mount(mount, states.get(mount.destination), layer)
            if chosen.type == "overlay":
                make_layer(layer, mount)
        wanted.append(chosen)
    return assemble(tree, NEW, wanted)


def _follow(recipe: list[Step], tree: Tree) -> int:
    root_fd = _copy_tree(tree.path, NEW)
    os.fchdir(root_fd)
    for step in recipe:
        step(root_fd)
    if tree.plan.root.readonly:
        set_attributes(root_fd, sys.MOUNT_ATTR_RDONLY, 0)
    return root_fd


def assemble(tree: Tree, where: str, fresh: Sequence[Mount]) -> int:
    """Copy the root tree to *where*, make the *fresh* mounts and their masks; return an fd of it."""
    plan, parts = tree.plan, tree.parts
    root_fd = _copy_tree(tree.path, where)
    for mount in fresh:
        perform(mount, root_fd)
        if mount.destination == "/":
            os.close(root_fd)
            root_fd = os.open(where, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if parts.is_fresh("/dev"):
        create_devices(plan, root_fd)
    mask(root_fd, [path for path in plan.masked_paths if parts.is_fresh(path)])
    make_readonly(root_fd, [path for path in plan.readonly_paths if parts.is_fresh(path)])
    if plan.root.readonly:
        set_attributes(root_fd, sys.MOUNT_ATTR_RDONLY, 0)
    return root_fd


def _copy_tree(source: str, where: str) -> int:
    flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_RECURSIVE
    fd = sys.open_tree(sys.AT_FDCWD, source, flags)
    sys.move_mount(fd, "", sys.AT_FDCWD, where, sys.MOVE_MOUNT_F_EMPTY_PATH)
    return fd
