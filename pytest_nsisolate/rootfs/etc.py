"""A generated ``/etc``: who the user is, what the host is called, how names are looked up."""

from __future__ import annotations

import grp
import os
import pwd

from ..runtime.mounts.skeleton import Entry
from ..runtime.plan import Mount
from ..runtime.record import Record
from .layout import read_only

#: Files of the host that programs read and that say nothing about its users.
_COPIED = (
    "/etc/bash.bashrc",
    "/etc/bindresvport.blacklist",
    "/etc/ca-certificates.conf",
    "/etc/debian_version",
    "/etc/environment",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/login.defs",
    "/etc/lsb-release",
    "/etc/magic",
    "/etc/manpath.config",
    "/etc/mime.types",
    "/etc/networks",
    "/etc/os-release",
    "/etc/profile",
    "/etc/protocols",
    "/etc/redhat-release",
    "/etc/rpc",
    "/etc/services",
    "/etc/shells",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
)
_COPIED_AT_MOST = 256 * 1024

#: Directories of the host, shown read-only. /etc/ssl is not among them: it holds private keys.
_BOUND = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/ld.so.conf.d",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/profile.d",
    "/etc/ssl/certs",
    "/etc/terminfo",
)


class Identity(Record):
    """The ids and the names of the user inside."""

    uid: int
    gid: int
    user: str
    group: str
    home: str


def identity_of_caller(home: str) -> Identity:
    """Return the caller's own identity."""
    uid, gid = os.geteuid(), os.getegid()
    return Identity(uid=uid, gid=gid, user=_user_name(uid), group=_group_name(gid), home=home)


def identity_of_root(home: str) -> Identity:
    """Return the identity of root."""
    return Identity(uid=0, gid=0, user="root", group="root", home=home)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "user"


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return "user"


def etc_entries(identity: Identity, hostname: str, *, host_network: bool) -> list[Entry]:
    """Return the files of ``/etc``."""
    generated = {
        "/etc/passwd": _passwd(identity),
        "/etc/group": _group(identity),
        "/etc/hostname": f"{hostname}\n",
        "/etc/hosts": _hosts(hostname, host_network=host_network),
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
        "networks: files\nprotocols: files\nservices: files\nethers: files\nrpc: files\n",
        "/etc/resolv.conf": _read("/etc/resolv.conf") or "" if host_network else "",
    }
    entries = [
        Entry(kind="f", path=path, mode=0o644, content=content)
        for path, content in generated.items()
    ]
    entries += [Entry(kind="l", path="/etc/mtab", content="/proc/self/mounts")]
    for path in _COPIED:
        if os.path.islink(path):
            entries.append(Entry(kind="l", path=path, content=os.readlink(path)))
        else:
            content = _read(path)
            if content is not None:
                entries.append(Entry(kind="f", path=path, mode=0o644, content=content))
    return entries


def etc_mounts() -> list[Mount]:
    """Return the directories of the host's ``/etc`` that are shown."""
    return [read_only(path) for path in _BOUND if os.path.isdir(path) and not os.path.islink(path)]


def _passwd(identity: Identity) -> str:
    lines = {
        0: f"root:x:0:0:root:{identity.home if identity.uid == 0 else '/root'}:/bin/sh",
        65534: "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
    }
    if identity.uid:
        name, uid, gid = identity.user, identity.uid, identity.gid
        lines[uid] = f"{name}:x:{uid}:{gid}:{name}:{identity.home}:/bin/sh"
    return "".join(f"{lines[uid]}\n" for uid in sorted(lines))


def _group(identity: Identity) -> str:
    lines = {0: "root:x:0:", 5: "tty:x:5:", 65534: "nogroup:x:65534:"}
    if identity.gid:
        lines[identity.gid] = f"{identity.group}:x:{identity.gid}:"
    return "".join(f"{lines[gid]}\n" for gid in sorted(lines))


def _hosts(hostname: str, *, host_network: bool) -> str:
    own = f"127.0.1.1 {hostname}\n"
    # On the host's network its names are as good as its addresses: a CI service, say.
    names = _read("/etc/hosts") if host_network else None
    if not names or "localhost" not in names:
        names = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + (names or "")
    return names.rstrip("\n") + "\n" + own


def _read(path: str) -> str | None:
    try:
        # Some are binary, and have bytes that look like the ends of lines.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            content = file.read(_COPIED_AT_MOST + 1)
    except OSError:
        return None
    return content if len(content) <= _COPIED_AT_MOST else None
