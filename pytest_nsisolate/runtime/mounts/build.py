"""What is in a container's root: mounts, devices, the terminal, masks, in their order."""

from __future__ import annotations

import errno
import os

from .. import namespaces
from ..channel import TERMINAL, Channel
from ..errors import KernelCallError, SetupError
from ..preparation import NOTHING
from . import masks_check
from .devices import create_devices, finish_dev, has_own_dev, writable_for_now
from .inroot import open_or_create
from .masks import make_readonly, mask
from .mount import perform
from .options import with_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..plan import Plan, Process
    from ..preparation import Preparation

_FOR_THE_USER_TO_SEE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ELOOP)


def build_root(
    plan: Plan, root_fd: int, channel: Channel, preparation: Preparation = NOTHING
) -> int | None:
    """Fill the root below *root_fd*; return the terminal's slave, if the plan has a terminal.

    The order matters: mounts in the plan's order; devices after them, since /dev is one of them;
    the terminal after /dev/pts; sysctls before /proc/sys is read-only; masks last.
    """
    for i, mount in enumerate(plan.mounts):
        made_fd = preparation.binds.get(i)
        perform(with_label(writable_for_now(mount), plan.mount_label), root_fd, made_fd)
    if has_own_dev(plan):
        create_devices(plan, root_fd, preparation.devices)
    slave = None
    if plan.process is not None:
        slave = _open_terminal(plan.process, root_fd, channel)
        _create_cwd(plan.process.cwd, root_fd)
    finish_dev(plan, root_fd)
    for name, value in plan.sysctl:
        namespaces.write_file(sysctl_path(name), value, f"linux.sysctl.{name}")
    mask(root_fd, plan.masked_paths)
    make_readonly(root_fd, plan.readonly_paths)
    masks_check.check(plan, root_fd)
    return slave


def sysctl_path(name: str) -> str:
    """Return the file of a sysctl. Where slashes separate, a dot is part of a name (sysctl(8))."""
    slashed = name if 0 < name.find("/") < (name + ".").find(".") else name.replace(".", "/")
    return f"/proc/sys/{slashed}"


def _open_terminal(process: Process, root_fd: int, channel: Channel) -> int | None:
    if not process.terminal:
        return None
    from .. import terminal

    master, slave = terminal.open_in_root(root_fd)
    terminal.bind_console(root_fd, slave)
    if process.console_size is not None:
        terminal.set_size(master, process.console_size)
    channel.send(TERMINAL, fd=master)
    os.close(master)
    return slave


def _create_cwd(cwd: str, root_fd: int) -> None:
    try:
        os.close(open_or_create(root_fd, cwd, directory=True))
    except KernelCallError as error:
        # become_in_cwd reports these, if they matter: a directory of the user's may be closed to us.
        if error.errno not in _FOR_THE_USER_TO_SEE:
            raise SetupError("process.cwd", error.call, error.errno or 0) from error
