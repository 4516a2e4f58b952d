"""``process.terminal``: the container's pseudoterminal, seen from inside."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

from . import syscalls as sys
from .errors import KernelCallError, SetupError
from .mounts.inroot import open_or_create, proc_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plan import ConsoleSize

_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441


def open_in_root(root_fd: int) -> tuple[int, int]:
    """Open a new pty of the container's own devpts; return master and slave.

    The slave is opened through the master (TIOCGPTPEER), not by a name that the rootfs could have
    replaced.
    """
    try:
        resolve = sys.RESOLVE_IN_ROOT | sys.RESOLVE_NO_MAGICLINKS
        master = sys.openat2(root_fd, "dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY, resolve)
    except KernelCallError as error:
        raise SetupError(
            "terminal",
            "open /dev/pts/ptmx",
            error.errno or 0,
            "process.terminal needs a devpts mount on /dev/pts with newinstance,ptmxmode=0666",
        ) from error
    if os.fstat(master).st_rdev != os.makedev(5, 2):
        raise SetupError("terminal", "/dev/pts/ptmx is not a pty multiplexer")
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    return master, slave


def bind_console(root_fd: int, slave: int) -> None:
    """Make the pty's slave /dev/console as well (config-linux.md, "Default Devices")."""
    try:
        flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC
        tree_fd = sys.open_tree(sys.AT_FDCWD, proc_path(slave), flags)
        try:
            target_fd = open_or_create(root_fd, "/dev/console", directory=False)
            move = sys.MOVE_MOUNT_F_EMPTY_PATH | sys.MOVE_MOUNT_T_EMPTY_PATH
            sys.move_mount(tree_fd, "", target_fd, "", move)
            os.close(target_fd)
        finally:
            os.close(tree_fd)
    except KernelCallError as error:
        raise SetupError("terminal", f"/dev/console: {error.call}", error.errno or 0) from error


def set_size(fd: int, size: ConsoleSize) -> None:
    """Set the window size in characters: TIOCSWINSZ."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size.height, size.width, 0, 0))


def become_controlling(slave: int, uid: int) -> None:
    """Make *slave* the controlling terminal and the standard streams of this session leader."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.fchown(slave, uid, -1)
    for stream in (0, 1, 2):
        os.dup2(slave, stream, inheritable=True)
    if slave > 2:
        os.close(slave)


def keep_newlines(slave: int) -> None:
    """Let a newline that is written be one for whoever reads the master, without a carriage return before it.

    For a reader that is no terminal, as with runc. A terminal wants both, and gets them in here, where the
    program can choose.
    """
    settings = termios.tcgetattr(slave)
    settings[1] &= ~termios.ONLCR
    termios.tcsetattr(slave, termios.TCSANOW, settings)
