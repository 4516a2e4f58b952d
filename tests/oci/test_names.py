"""``hostname`` and ``domainname``."""

from __future__ import annotations

import socket

import pytest

from .bundle import Bundle
from .runtime_under_test import is_ours


def test_hostname_is_set_inside_only(bundle: Bundle) -> None:
    """The container has the config's host name, and the host keeps its own."""
    before = socket.gethostname()
    bundle.config["hostname"] = "elsewhere"
    assert bundle.output("hostname") == "elsewhere"
    assert socket.gethostname() == before


def test_domainname_is_set(bundle: Bundle) -> None:
    """The container has the config's NIS domain name."""
    bundle.config["domainname"] = "example.org"
    assert bundle.output("cat /proc/sys/kernel/domainname") == "example.org"


def test_without_hostname_the_new_namespace_has_the_hosts(bundle: Bundle) -> None:
    """A new UTS namespace starts as a copy of the host's."""
    del bundle.config["hostname"]
    assert bundle.output("hostname") == socket.gethostname()


def test_a_hostname_in_the_hosts_namespace_is_refused(bundle: Bundle) -> None:
    """Without a UTS namespace a host name would be the host's, so it is an error."""
    bundle.drop_namespace("uts")
    before = socket.gethostname()
    finished = bundle.run("true")
    assert finished.code != 0
    assert "uts" in finished.err.lower()
    assert socket.gethostname() == before


def test_a_hostname_that_is_too_long_is_refused(bundle: Bundle) -> None:
    """The kernel takes 64 bytes; more is an error that names the field."""
    bundle.config["hostname"] = "x" * 65
    finished = bundle.run("true")
    assert finished.code != 0
    if is_ours():
        assert "hostname" in finished.err


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_the_container_may_set_its_hostname_with_the_capability(bundle: Bundle) -> None:
    """With CAP_SYS_ADMIN the container changes its own host name."""
    bundle.add_capabilities("CAP_SYS_ADMIN")
    assert bundle.output("hostname changed && hostname") == "changed"
