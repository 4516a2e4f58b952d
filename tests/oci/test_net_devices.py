"""``linux.netDevices``: devices of the host that move into the container."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from .. import capabilities
from .bundle import Bundle
from .runtime_under_test import known_of_crun, ours_only
from .test_errors import assert_one_sentence

ROOT = pytest.mark.parametrize("identity", ["root"], indirect=True)
PRIVILEGED = pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)


def ip(*words: str) -> None:
    """Call ip(8)."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def device(identity: object) -> Iterator[str]:  # noqa: ARG001 - it skips before we do anything
    """Yield the name of a device that may be taken: one end of a pair."""
    capabilities.need_root()
    capabilities.need(capabilities.has_program("ip"), "ip (apt-get install iproute2)")
    name = f"ns{uuid.uuid4().hex[:8]}"
    made = capabilities.succeeds("ip", "link", "add", name, "type", "veth", "peer", f"{name}p")
    capabilities.need(made, "veth devices")
    ip("address", "add", "192.0.2.77/24", "dev", name)
    ip("address", "add", "2001:db8::77/64", "dev", name)
    ip("link", "set", name, "mtu", "1400")
    try:
        yield name
    finally:
        subprocess.run(["ip", "link", "del", f"{name}p"], check=False, capture_output=True)


@PRIVILEGED
@pytest.mark.parametrize("name", ["", "inner0"])
def test_a_device_moves_with_its_addresses(bundle: Bundle, device: str, name: str) -> None:
    """The device is in the container, under its new name if it has one, up, with MTU and addresses."""
    known_of_crun("knows no netDevices")
    bundle.linux["netDevices"] = {device: {"name": name} if name else {}}
    shown = bundle.output(f"ip addr show dev {name or device}")
    assert "inet 192.0.2.77/24" in shown
    assert "inet6 2001:db8::77/64" in shown
    assert "mtu 1400" in shown
    assert ",UP" in shown or "<UP" in shown


@ROOT
@ours_only("the sentences")
def test_a_device_that_cannot_move(bundle: Bundle, device: str) -> None:
    """One that is not there, and a name that the container has already, are errors."""
    bundle.linux["netDevices"] = {"nosuchdevice": {}}
    assert_one_sentence(bundle.run("true"), "linux.netDevices", "nosuchdevice")
    bundle.linux["netDevices"] = {device: {"name": "lo"}}
    assert_one_sentence(bundle.run("true"), "linux.netDevices", "EEXIST")


@ROOT
@ours_only("the sentence")
def test_devices_need_a_namespace(bundle: Bundle) -> None:
    """On the host's network there is nowhere to move to."""
    bundle.drop_namespace("network")
    bundle.linux["netDevices"] = {"eth0": {}}
    assert_one_sentence(bundle.run("true"), "linux.netDevices", "network")


@pytest.mark.parametrize("identity", ["user"], indirect=True)
@ours_only("the sentence")
def test_an_ordinary_user_may_take_none(bundle: Bundle) -> None:
    """Taking a device of the host needs privileges there."""
    bundle.linux["netDevices"] = {"lo": {"name": "lo2"}}
    assert_one_sentence(bundle.run("true"), "linux.netDevices", "CAP_NET_ADMIN")
