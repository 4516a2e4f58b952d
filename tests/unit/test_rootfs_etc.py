"""The generated /etc names the user and hides the host's others."""

from __future__ import annotations

import os

import pytest

from pytest_nsisolate.rootfs.etc import (
    Identity,
    etc_entries,
    etc_mounts,
    identity_of_caller,
    identity_of_root,
)


def contents(identity: Identity, *, host_network: bool = False) -> dict[str, str]:
    """Return the files by path."""
    entries = etc_entries(identity, "box", host_network=host_network)
    return {entry.path: entry.content for entry in entries}


@pytest.mark.parametrize("uid", [0, 1000, 65534])
def test_passwd_and_group(uid: int) -> None:
    """Root, nobody and the user are there, each id once."""
    identity = Identity(uid=uid, gid=uid, user="somebody", group="some", home="/home/somebody")
    files = contents(identity)
    lines = [line.split(":") for line in files["/etc/passwd"].splitlines()]
    ids = [int(fields[2]) for fields in lines]
    assert sorted(ids) == sorted({0, uid, 65534})
    own = next(fields for fields in lines if int(fields[2]) == uid)
    assert own[5] == "/home/somebody"
    gids = [int(line.split(":")[2]) for line in files["/etc/group"].splitlines()]
    assert len(set(gids)) == len(gids)
    assert uid in gids


def test_caller_and_root() -> None:
    """The caller's identity has the caller's ids, root's has 0."""
    caller = identity_of_caller("/home/x")
    assert (caller.uid, caller.gid, caller.home) == (os.geteuid(), os.getegid(), "/home/x")
    assert identity_of_root("/root").uid == 0


def test_hosts() -> None:
    """The names localhost and the host's own are known, with the host's network and without."""
    for host_network in (False, True):
        hosts = contents(identity_of_root("/root"), host_network=host_network)["/etc/hosts"]
        assert "localhost" in hosts
        assert "127.0.1.1 box\n" in hosts
    assert contents(identity_of_root("/root"))["/etc/resolv.conf"] == ""


def test_no_secrets() -> None:
    """Neither shadow files nor private keys are shown."""
    shown = [*contents(identity_of_root("/root")), *(mount.source for mount in etc_mounts())]
    for secret in (
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/ssl/private/x",
        "/etc/ssh/x",
        "/etc/sudoers",
    ):
        assert not any(secret == path or secret.startswith(f"{path}/") for path in shown)
