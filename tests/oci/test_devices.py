"""``linux.devices``, the default devices, and the links in ``/dev``."""

from __future__ import annotations

import os

import pytest

from .bundle import Bundle
from .runtime_under_test import known_of_crun

DEFAULTS = {
    "null": "1:3",
    "zero": "1:5",
    "full": "1:7",
    "random": "1:8",
    "urandom": "1:9",
    "tty": "5:0",
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_device_is_there(bundle: Bundle, name: str) -> None:
    """config-linux.md: the default devices are there without being asked for, open to all."""
    found = bundle.output(f"stat -c '%F %t:%T %a' /dev/{name}")
    assert found == f"character special file {DEFAULTS[name]} 666"


def test_default_devices_work(bundle: Bundle) -> None:
    """The default devices do what they are for."""
    script = (
        "echo gone > /dev/null; head -c 3 /dev/zero | od -An -tx1; head -c 4 /dev/urandom | wc -c;"
        "echo x > /dev/full || echo full"
    )
    assert bundle.output(script).split() == ["00", "00", "00", "4", "full"]


def test_a_mount_in_the_place_of_a_default_device(bundle: Bundle) -> None:
    """What is mounted where a default device would be stays there."""
    bundle.bind("/dev/urandom", "/dev/random", "bind")
    assert bundle.output("stat -c %t:%T /dev/random") == DEFAULTS["urandom"]


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ],
)
def test_a_default_link_is_there(bundle: Bundle, name: str, target: str) -> None:
    """runtime-linux.md: the links for the standard streams are there."""
    assert bundle.output(f"readlink /dev/{name}") == target


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_a_slash_after_the_name_is_none_of_it(bundle: Bundle) -> None:
    """A path that ends in a slash is that of a device all the same."""
    known_of_crun("does not find its name")
    bundle.linux["devices"] = [{"path": "/dev/mine/", "type": "c", "major": 1, "minor": 3}]
    assert bundle.output("stat -c %t:%T /dev/mine") == "1:3"


@pytest.mark.parametrize("named", [False, True])
def test_ptmx_is_the_containers(bundle: Bundle, named: bool) -> None:
    """/dev/ptmx is that of the container's own devpts, also where the config names it."""
    if named:
        user = bundle.identity.is_ordinary_user
        known_of_crun("cannot do it for an ordinary user", when=user)
        bundle.linux["devices"] = [{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}]
    assert bundle.output("stat -L -c %t:%T /dev/ptmx") == "5:2"
    assert bundle.output("readlink -f /dev/ptmx") == "/dev/pts/ptmx"


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_a_device_is_made_with_its_mode_and_owner(bundle: Bundle) -> None:
    """A device of the config has its numbers, mode and owner."""
    bundle.linux["devices"] = [
        {
            "path": "/dev/own",
            "type": "c",
            "major": 1,
            "minor": 3,
            "fileMode": 0o640,
            "uid": 7,
            "gid": 8,
        },
        {"path": "/dev/a/fifo", "type": "p", "fileMode": 0o600},
        # As podman has it: with the type of file of st_mode.
        {"path": "/dev/block", "type": "b", "major": 7, "minor": 99, "fileMode": 0o60640},
    ]
    assert bundle.output(
        "stat -c '%F %t:%T %a %u:%g' /dev/own /dev/a/fifo /dev/block"
    ).splitlines() == [
        "character special file 1:3 640 7:8",
        "fifo 0:0 600 0:0",
        "block special file 7:63 640 0:0",
    ]


@pytest.mark.parametrize("identity", ["root-userns", "user"], indirect=True)
def test_in_a_user_namespace_a_device_is_bound_from_the_host(bundle: Bundle) -> None:
    """Where device nodes cannot be made, the host's own of that number is bound."""
    known_of_crun("cannot do it for an ordinary user", when=bundle.identity.is_ordinary_user)
    bundle.linux["devices"] = [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5}]
    assert bundle.output("stat -c %t:%T /dev/zero") == "1:5"


@pytest.mark.parametrize("identity", ["root-userns"], indirect=True)
def test_root_makes_devices_for_a_user_namespace(bundle: Bundle) -> None:
    """Devices that the host has nowhere, with owners as the container sees them, and they work."""
    bundle.linux["devices"] = [
        {"path": "/dev/own/nothing", "type": "c", "major": 1, "minor": 3, "uid": 10, "gid": 11},
        {"path": "/dev/zero", "type": "c", "major": 1, "minor": 7, "fileMode": 0o600},
    ]
    found = bundle.output(
        "echo x > /dev/own/nothing; stat -c '%t:%T %a %u:%g' /dev/own/nothing /dev/zero"
    )
    assert found.splitlines() == ["1:3 666 10:11", "1:7 600 0:0"]
    assert os.listdir(bundle.rootfs / "dev") == []


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_in_a_user_namespace_another_device_of_that_name_is_refused(bundle: Bundle) -> None:
    """A device that the host has under another number is not what was asked for."""
    known_of_crun("binds whatever has the name")
    bundle.linux["devices"] = [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 3}]
    finished = bundle.run("true")
    assert finished.code == 1
    assert "/dev/zero" in finished.err


def test_a_dev_bound_from_the_host_is_left_alone(bundle: Bundle) -> None:
    """Nothing is made in a /dev that is a bind of somebody else's directory."""
    dev = bundle.directory("dev")
    (dev / "null").touch()
    bundle.config["mounts"] = bundle.config["mounts"][:1]
    bundle.bind(dev, "/dev", "rbind")
    bundle.run("true")
    assert os.listdir(dev) == ["null"]


def test_a_readonly_dev_has_its_devices(bundle: Bundle) -> None:
    """A /dev tmpfs with ``ro`` is made read-only after the devices are in it."""
    bundle.config["mounts"][1]["options"] += ["ro"]
    out = bundle.output("echo x > /dev/null && echo works; echo x > /dev/new || echo refused")
    assert out.split() == ["works", "refused"]


def test_the_rootfs_without_a_dev_mount_gets_its_devices(bundle: Bundle) -> None:
    """Without a mount on /dev the devices are made in the rootfs itself, and a second run works."""
    known_of_crun("wants a /dev in the rootfs")
    bundle.config["mounts"] = bundle.config["mounts"][:1]
    for _ in range(2):
        assert bundle.output("echo x > /dev/null && stat -c %t:%T /dev/null") == "1:3"


def test_a_file_in_the_place_of_a_device_is_an_error(bundle: Bundle) -> None:
    """config-linux.md: a file that exists at the path and does not match is an error."""
    known_of_crun("takes what is there")
    bundle.config["mounts"] = bundle.config["mounts"][:1]
    (bundle.rootfs / "dev").mkdir()
    (bundle.rootfs / "dev/null").write_text("not a device")
    finished = bundle.run("true")
    assert finished.code == 1
    assert "/dev/null" in finished.err
