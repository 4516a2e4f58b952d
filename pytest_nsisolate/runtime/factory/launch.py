"""The launcher of a factory: a bare interpreter that the host starts by ``posix_spawn``.

It runs outside of all namespaces, because somebody has to write the id maps, and ends when the factory does.
"""

from __future__ import annotations

import _signal
import os
import sys

from ..channel import READY, Channel
from ..children import expect_children
from ..descriptors import close_from
from ..errors import NsisolateError
from ..launcher import launch
from ..mounts.skeleton import Entry
from ..spec.config import parse
from ..spec.decoding import decode
from ..syscalls import set_process_name
from .factory import Order, TemplateProgram, outer_plan, second_stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def main() -> NoReturn:
    """Launch a factory; the arguments are descriptors: host, template, order."""
    host_fd, template_fd, order_fd = (int(arg) for arg in sys.argv[1:4])
    set_process_name("nsisolate: launcher")
    expect_children()
    _keep_open(host_fd, template_fd, order_fd)
    channel = Channel.from_fd(host_fd)
    try:
        order = read_order(order_fd, host_fd, template_fd)
        launched = launch(outer_plan(order.plan), second_stage(order))
        channel.send(READY)
        launched.go()
    except (NsisolateError, OSError) as error:
        channel.send_error(error)
        os._exit(1)
    # The host's end of this must be the factory's alone, so that the factory sees it close.
    for fd in (0, 1, 2, host_fd, template_fd, order.host_pidfd):
        os.close(fd)
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    # The factory and its keeper are children of children; as the subreaper we get them all.
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    _remove_cgroups(order.cgroups)
    os._exit(0)


def _remove_cgroups(parents: tuple[str, ...]) -> None:
    """Remove the cgroups that the host has made for tests, which it cannot do once it is killed."""
    if parents:
        from ..cgroups.series import sweep

        sweep(parents)


def _keep_open(*fds: int) -> None:
    """Keep standard streams and *fds* open, these for us alone.

    What else pytest was started with (a lock of the shell's, say) would lead tests out of the sandbox.
    """
    for fd in fds:
        os.set_inheritable(fd, False)
    close_from(3, fds)


def read_order(order_fd: int, host_fd: int, template_fd: int) -> Order:
    """Read the order: JSON until end of file."""
    with open(order_fd, "rb") as stream:
        text = stream.read()
    if not text:
        os._exit(0)  # nothing is to be built after all
    order: Any = decode(text)
    template = order["template"]
    other = template.get("config")
    return Order(
        plan=parse(order["config"], "/"),
        skeleton=_skeleton(order["skeleton"]),
        template=TemplateProgram(
            args=tuple(template["args"]),
            env=tuple((name, value) for name, value in template["env"]),
            cwd=template["cwd"],
            plan=parse(other, "/") if other else None,
            skeleton=_skeleton(template.get("skeleton", [])),
        ),
        host_fd=host_fd,
        host_pidfd=os.pidfd_open(order["host_pid"]),
        template_fd=template_fd,
        cgroups=tuple(order["cgroups"]),
    )


def _skeleton(entries: list[dict[str, Any]]) -> tuple[Entry, ...]:
    return tuple(Entry(**entry) for entry in entries)
