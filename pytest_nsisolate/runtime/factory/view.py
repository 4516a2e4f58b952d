"""The factory's own view: a root of its own that holds the trees which containers are copied from.

::

    /proc                      this pid namespace's, unmasked
    /.nsisolate/rootfs         skeleton, shared mounts, devices: what a container's root is copied from
    /.nsisolate/template       the template's root
    /.nsisolate/new            where a holder puts its copy together
    /.nsisolate/layers         per holder: a tmpfs with the upper directories of its overlays
    /.nsisolate/state/N        the template's content of the Nth fresh mount
    everything else            host paths that fresh mounts need later, each at its own path
"""

from __future__ import annotations

import os

from .. import syscalls as sys
from ..devices import create_devices
from ..errors import SetupError
from ..inroot import open_or_create, open_path
from ..masks import make_readonly, mask
from ..mounts import attach, perform, set_attributes
from ..plan import Mount
from ..rootfs_pivot import pivot
from ..skeleton import write
from .layers import Partition, container_mount, make_layer, sources, template_mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..plan import Plan
    from ..skeleton import Entry

OWN = "/.nsisolate"
ROOTFS = f"{OWN}/rootfs"
TEMPLATE = f"{OWN}/template"
NEW = f"{OWN}/new"
LAYERS = f"{OWN}/layers"
STATE = f"{OWN}/state"

#: A fresh /proc can only be mounted where an unmasked one is visible; masks need the null device.
_OWN_MOUNTS = (
    Mount(destination="/proc", source="proc", type="proc"),
    Mount(destination="/dev/null", source="/dev/null", options=("bind",)),
)
_LAYERED = ("tmpfs", "overlay")


def build(plan: Plan, parts: Partition, skeleton: Sequence[Entry]) -> None:
    """Build the view and pivot into it. The host is out of reach afterwards."""
    sys.mount("", "/", flags=sys.MS_REC | sys.MS_PRIVATE)
    base = _place_for_base(plan)
    sys.mount("tmpfs", base, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "mode=0755")
    for directory in (ROOTFS, TEMPLATE, NEW, LAYERS, STATE):
        os.makedirs(base + directory)
    write(skeleton, base + ROOTFS)
    base_fd = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for mount in (*_OWN_MOUNTS, *sources(parts)):
        perform(mount, base_fd)
    _fill_rootfs(plan, parts, base_fd)
    pivot(base_fd)
    os.close(base_fd)


def _place_for_base(plan: Plan) -> str:
    """Return a directory that we can cover without hiding anything that is still to be bound."""
    needed = {mount.source.split("/")[1] for mount in plan.mounts if mount.source.startswith("/")}
    for mount in plan.mounts:
        for option in mount.options:
            if option.startswith("lowerdir="):
                needed.add(option.removeprefix("lowerdir=").split("/")[1])
    for name in sorted(os.listdir("/"), key=lambda name: (name != "mnt", name)):
        if name not in needed and name not in ("proc", "dev", "sys") and _is_plain_directory(name):
            return f"/{name}"
    raise SetupError("root", "no directory below / is free to build the root on")


def _is_plain_directory(name: str) -> bool:
    return os.path.isdir(f"/{name}") and not os.path.islink(f"/{name}")


def _fill_rootfs(plan: Plan, parts: Partition, base_fd: int) -> None:
    # A mount of its own, so that it can be copied and made read-only without the rest of the view.
    rootfs_fd = bind_on_itself(base_fd, ROOTFS)
    for mount in parts.shared:
        perform(mount, rootfs_fd)
    create_devices(plan, rootfs_fd)
    mask(rootfs_fd, [path for path in plan.masked_paths if not parts.is_fresh(path)])
    make_readonly(rootfs_fd, [path for path in plan.readonly_paths if not parts.is_fresh(path)])
    # Mount points for the fresh mounts, while the root can be written to.
    for mount in parts.fresh:
        if not any(_covers(other, mount) for other in parts.fresh):
            _make_mount_point(mount, rootfs_fd)
    os.close(rootfs_fd)


def _covers(other: Mount, mount: Mount) -> bool:
    return other is not mount and mount.destination.startswith(other.destination.rstrip("/") + "/")


def _make_mount_point(mount: Mount, root_fd: int) -> None:
    os.close(open_or_create(root_fd, mount.destination, directory=True))


def bind_on_itself(base_fd: int, path: str) -> int:
    """Make *path* below *base_fd* a mount of its own; return an fd of it."""
    fd = open_path(base_fd, path)
    tree_fd = sys.open_tree(fd, "", sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_EMPTY_PATH)
    attach(tree_fd, fd)
    os.close(fd)
    return tree_fd


def build_template_root(plan: Plan, parts: Partition) -> None:
    """Put the template's root together, in the view."""
    for number, mount in enumerate(parts.fresh):
        if mount.type in _LAYERED:
            make_layer(f"{STATE}/{number}", mount)
    wanted = [template_mount(mount, f"{STATE}/{n}") for n, mount in enumerate(parts.fresh)]
    os.close(assemble(plan, parts, TEMPLATE, wanted))


def enter_template_root() -> None:
    """Make a copy of the template's root the root; the one in the view is locked and cannot be it."""
    flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_RECURSIVE
    root_fd = sys.open_tree(sys.AT_FDCWD, TEMPLATE, flags)
    sys.move_mount(root_fd, "", sys.AT_FDCWD, NEW, sys.MOVE_MOUNT_F_EMPTY_PATH)
    pivot(root_fd)
    os.close(root_fd)


def build_container_root(plan: Plan, parts: Partition) -> int:
    """Put a container's root together in a holder's copy of the view; return an fd of it."""
    sys.mount("tmpfs", LAYERS, "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "mode=0755")
    wanted = []
    for number, mount in enumerate(parts.fresh):
        layer = f"{LAYERS}/{number}"
        chosen = mount
        if mount.type in _LAYERED:
            chosen = container_mount(mount, f"{STATE}/{number}", layer)
            if chosen.type == "overlay":
                make_layer(layer, mount)
        wanted.append(chosen)
    return assemble(plan, parts, NEW, wanted)


def assemble(plan: Plan, parts: Partition, where: str, fresh: Sequence[Mount]) -> int:
    """Copy the root tree to *where*, make the *fresh* mounts and their masks; return an fd of it."""
    flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_RECURSIVE
    root_fd = sys.open_tree(sys.AT_FDCWD, ROOTFS, flags)
    sys.move_mount(root_fd, "", sys.AT_FDCWD, where, sys.MOVE_MOUNT_F_EMPTY_PATH)
    for mount in fresh:
        perform(mount, root_fd)
    mask(root_fd, [path for path in plan.masked_paths if parts.is_fresh(path)])
    make_readonly(root_fd, [path for path in plan.readonly_paths if parts.is_fresh(path)])
    if plan.root.readonly:
        set_attributes(root_fd, sys.MOUNT_ATTR_RDONLY, 0)
    return root_fd
