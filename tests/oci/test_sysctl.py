"""``linux.sysctl`` and ``linux.timeOffsets``."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .runtime_under_test import is_ours, known_of_crun


def test_a_network_sysctl_is_set_inside_only(bundle: Bundle) -> None:
    """A sysctl of the network namespace has the config's value inside and keeps its own outside."""
    name = "net/ipv4/ip_default_ttl"
    before = Path(f"/proc/sys/{name}").read_text()
    bundle.linux["sysctl"] = {"net.ipv4.ip_default_ttl": "99"}
    assert bundle.output(f"cat /proc/sys/{name}") == "99"
    assert Path(f"/proc/sys/{name}").read_text() == before


def test_an_ipc_sysctl_is_set_inside_only(bundle: Bundle) -> None:
    """A sysctl of the ipc namespace has the config's value inside and keeps its own outside."""
    before = Path("/proc/sys/kernel/shmmni").read_text()
    bundle.linux["sysctl"] = {"kernel.shmmni": "1234"}
    assert bundle.output("cat /proc/sys/kernel/shmmni") == "1234"
    assert Path("/proc/sys/kernel/shmmni").read_text() == before


def test_a_sysctl_with_slashes(bundle: Bundle) -> None:
    """As with sysctl(8), where slashes separate, a dot is part of a name."""
    bundle.linux["sysctl"] = {"net/ipv4/conf/lo/forwarding": "1"}
    assert bundle.output("cat /proc/sys/net/ipv4/conf/lo/forwarding") == "1"


def test_sysctls_are_set_before_proc_sys_is_readonly(bundle: Bundle) -> None:
    """A read-only /proc/sys does not keep the runtime from setting sysctls."""
    bundle.linux["sysctl"] = {"net.ipv4.ip_default_ttl": "98"}
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    assert bundle.output("cat /proc/sys/net/ipv4/ip_default_ttl") == "98"


@pytest.mark.parametrize(
    "name",
    ["kernel.panic", "vm.swappiness", "net/../kernel/panic", "fs.file-max"],
)
def test_a_sysctl_of_the_host_is_refused(bundle: Bundle, name: str) -> None:
    """A sysctl that is in no namespace would change the host, so it is an error."""
    bundle.linux["sysctl"] = {name: "1"}
    finished = bundle.run("true")
    assert finished.code != 0
    if is_ours():
        assert f"linux.sysctl.{name}" in finished.err


@pytest.mark.parametrize(
    ("name", "namespace"), [("net.ipv4.ip_default_ttl", "network"), ("kernel.shmmni", "ipc")]
)
def test_a_sysctl_of_a_shared_namespace_is_refused(
    bundle: Bundle, name: str, namespace: str
) -> None:
    """A sysctl whose namespace is the host's would change the host, so it is an error."""
    bundle.drop_namespace(namespace)
    bundle.linux["sysctl"] = {name: "1234"}
    finished = bundle.run("true")
    assert finished.code != 0
    if is_ours():
        assert namespace in finished.err


@pytest.mark.parametrize(
    ("name", "kind"), [("net.ipv4.ip_default_ttl", "network"), ("kernel.shmmni", "ipc")]
)
def test_a_sysctl_of_a_joined_namespace_of_the_host_is_refused(
    bundle: Bundle, name: str, kind: str
) -> None:
    """That the host's namespace is named by its path makes it no other."""
    known_of_crun("sets it")
    bundle.drop_namespace(kind)
    path = f"/proc/self/ns/{kind.removesuffix('work')}"
    bundle.linux["namespaces"].append({"type": kind, "path": path})
    bundle.linux["sysctl"] = {name: "1234"}
    before = Path("/proc/sys", *name.split(".")).read_text()
    finished = bundle.run("true")
    assert finished.code != 0
    assert f"linux.sysctl.{name}" in finished.err
    assert Path("/proc/sys", *name.split(".")).read_text() == before


def need_time_namespaces() -> None:
    """Require time namespaces."""
    capabilities.need(Path("/proc/self/ns/time").exists(), "time namespaces (Linux 5.6)")


def test_time_offsets_move_the_clocks(bundle: Bundle) -> None:
    """Boottime and monotonic are moved by the offsets, inside only."""
    need_time_namespaces()
    known_of_crun("knows no offsets")
    bundle.namespace("time")
    bundle.linux["timeOffsets"] = {
        "boottime": {"secs": 1_000_000, "nanosecs": 5},
        "monotonic": {"secs": 2_000_000},
    }
    uptime = float(bundle.output("cat /proc/uptime").split()[0])
    assert uptime - time.clock_gettime(time.CLOCK_BOOTTIME) == pytest.approx(1_000_000, abs=60)
    offsets = bundle.output("cat /proc/self/timens_offsets").split()
    assert offsets == ["monotonic", "2000000", "0", "boottime", "1000000", "5"]


def test_a_time_namespace_without_offsets_is_new(bundle: Bundle) -> None:
    """A time namespace needs no offsets."""
    need_time_namespaces()
    known_of_crun("does not enter it as root", when=not bundle.identity.user_namespace)
    bundle.namespace("time")
    assert bundle.output("readlink /proc/self/ns/time") != str(
        Path("/proc/self/ns/time").readlink()
    )


def test_offsets_without_a_time_namespace_are_refused(bundle: Bundle) -> None:
    """Offsets need a new time namespace, and the error says which entry is missing."""
    known_of_crun("ignores them")
    bundle.linux["timeOffsets"] = {"monotonic": {"secs": 1}}
    finished = bundle.run("true")
    assert finished.code == 1
    assert "linux.timeOffsets" in finished.err
    assert "time" in finished.err
