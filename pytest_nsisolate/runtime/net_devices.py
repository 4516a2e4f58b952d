"""``linux.netDevices``: moving the host's network devices into the container (rtnetlink(7)).

A device that changes namespaces is down there and has lost its addresses; the kernel keeps its MAC
address and MTU. So the addresses are read before and set again after, and the device is set up.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct

from . import syscalls as sys
from .errors import KernelCallError, SetupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .execution.records import NetDevice
    from .plan import Plan

_STEP = "linux.netDevices"

_HINT = "moving a device needs CAP_NET_ADMIN on the host"
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_GETADDR = 16, 18, 20, 22
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_CREATE = 0x1, 0x4, 0x400
_NLM_F_DUMP = 0x300
_IFLA_IFNAME, _IFLA_NET_NS_FD = 3, 28
_IFA_FLAGS = 8
_IFA_F_PERMANENT = 0x80
_IFF_UP = 1
_NETLINK_ROUTE = 0
#: rt_scope: addresses of the device alone (link local) come by themselves.
_RT_SCOPE_UNIVERSE = 0
#: IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST
_KEPT_ATTRIBUTES = (1, 2, 3, 4)

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")


class _Netlink:
    """A route socket in the network namespace in which it is made."""

    def __init__(self) -> None:
        self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, _NETLINK_ROUTE)
        self._socket.bind((0, 0))

    def close(self) -> None:
        self._socket.close()

    def request(self, kind: int, flags: int, body: bytes, call: str) -> list[bytes]:
        """Send a request; return the bodies of the answers."""
        size = _HEADER.size + len(body)
        self._socket.sendall(_HEADER.pack(size, kind, flags | _NLM_F_REQUEST, 1, 0) + body)
        answers: list[bytes] = []
        while True:
            for answer, content in _messages(self._socket.recv(65536)):
                if answer == _NLMSG_ERROR:
                    (number,) = struct.unpack_from("=i", content)
                    if number:
                        raise KernelCallError(-number, call)
                    return answers
                if answer == _NLMSG_DONE:
                    return answers
                answers.append(content)


def _messages(raw: bytes) -> Iterator[tuple[int, bytes]]:
    while len(raw) >= _HEADER.size:
        size, kind, _flags, _sequence, _pid = _HEADER.unpack_from(raw)
        yield kind, raw[_HEADER.size : size]
        raw = raw[(size + 3) & ~3 :]


def _attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


def _attributes(raw: bytes) -> dict[int, bytes]:
    found = {}
    while len(raw) >= 4:
        size, kind = struct.unpack_from("=HH", raw)
        found[kind & 0x3FFF] = raw[4:size]
        raw = raw[(size + 3) & ~3 :] if size >= 4 else b""
    return found


def move(plan: Plan, pid: int) -> None:
    """Move the plan's devices from our network namespace to that of *pid*, and set them up there."""
    host_fd, target_fd = _open("/proc/self/ns/net"), _open(f"/proc/{pid}/ns/net")
    try:
        if os.path.sameopenfile(host_fd, target_fd):
            raise SetupError(_STEP, "the container's network namespace is the host's")
        moved = [(device, _give_away(device, target_fd)) for device in plan.net_devices]
        sys.setns(target_fd, sys.CLONE_NEWNET)
        try:
            for device, addresses in moved:
                _set_up(device, addresses)
        finally:
            sys.setns(host_fd, sys.CLONE_NEWNET)
    except KernelCallError as error:
        hint = (
            "moving a device needs CAP_NET_ADMIN on the host" if error.errno == errno.EPERM else ""
        )
        raise SetupError(_STEP, error.call, error.errno or 0, hint) from error
    finally:
        os.close(host_fd)
        os.close(target_fd)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SetupError(_STEP, f"open {path}", error.errno or 0, _HINT) from error


def _index(name: str) -> int:
    try:
        return _socket.if_nametoindex(name)
    except OSError:
        raise SetupError(_STEP, f"there is no network device {name!r}", errno.ENODEV) from None


def _give_away(device: NetDevice, target_fd: int) -> list[bytes]:
    """Move one device under its new name; return its addresses, as they are to be set again."""
    index = _index(device.host_name)
    netlink = _Netlink()
    try:
        call = f"read the addresses of {device.host_name}"
        answers = netlink.request(_RTM_GETADDR, _NLM_F_DUMP, _ADDRESS.pack(0, 0, 0, 0, 0), call)
        addresses = [a for a in answers if _is_to_be_kept(a, index)]
        name = device.name or device.host_name
        # Down first: some devices cannot be renamed while they are up.
        down = _LINK.pack(0, 0, index, 0, _IFF_UP)
        netlink.request(_RTM_NEWLINK, _NLM_F_ACK, down, f"set {device.host_name} down")
        body = _LINK.pack(0, 0, index, 0, 0)
        body += _attribute(_IFLA_NET_NS_FD, struct.pack("=I", target_fd))
        body += _attribute(_IFLA_IFNAME, name.encode() + b"\0")
        call = f"move {device.host_name} into the container as {name}"
        netlink.request(_RTM_NEWLINK, _NLM_F_ACK, body, call)
        return addresses
    finally:
        netlink.close()


def _is_to_be_kept(answer: bytes, index: int) -> bool:
    _family, _prefix, flags, scope, of_index = _ADDRESS.unpack_from(answer)
    long_flags = _attributes(answer[_ADDRESS.size :]).get(_IFA_FLAGS)
    if long_flags is not None:
        (flags,) = struct.unpack("=I", long_flags)
    # Not those that a router or DHCP lent to the host.
    return of_index == index and scope == _RT_SCOPE_UNIVERSE and bool(flags & _IFA_F_PERMANENT)


def _set_up(device: NetDevice, addresses: list[bytes]) -> None:
    name = device.name or device.host_name
    index = _index(name)
    netlink = _Netlink()
    try:
        for address in addresses:
            family, prefix, _flags, scope, _index_before = _ADDRESS.unpack_from(address)
            body = _ADDRESS.pack(family, prefix, 0, scope, index)
            for kind, value in _attributes(address[_ADDRESS.size :]).items():
                if kind == 3:  # the label begins with the device's name
                    value = value.replace(device.host_name.encode(), name.encode(), 1)  # noqa: PLW2901
                if kind in _KEPT_ATTRIBUTES:
                    body += _attribute(kind, value)
            flags = _NLM_F_ACK | _NLM_F_CREATE
            netlink.request(_RTM_NEWADDR, flags, body, f"give {name} its address")
        up = _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP)
        netlink.request(_RTM_NEWLINK, _NLM_F_ACK, up, f"set {name} up")
    finally:
        netlink.close()
