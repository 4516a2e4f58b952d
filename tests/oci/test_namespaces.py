"""``linux.namespaces``: new ones, those of the host, and joined ones."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .identity import Identity, demotion, identity_named
from .runtime_under_test import known_of_crun

PROC_NAMES = {"network": "net", "mount": "mnt"}
ROOT = identity_named("root")
AS_ROOT = pytest.mark.parametrize("identity", ["root"], indirect=True)


def of_host(kind: str) -> str:
    """Return the identity of one of our own namespaces."""
    return os.readlink(f"/proc/self/ns/{PROC_NAMES.get(kind, kind)}")


def inside(bundle: Bundle, kind: str) -> str:
    """Return the identity of one of the container's namespaces."""
    return bundle.output(f"readlink /proc/self/ns/{PROC_NAMES.get(kind, kind)}")


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "mount", "cgroup"])
def test_a_listed_namespace_is_new(bundle: Bundle, kind: str) -> None:
    """Each namespace in the list is another one than the host's."""
    bundle.namespace(kind)
    found = inside(bundle, kind)
    assert found.startswith(PROC_NAMES.get(kind, kind))
    assert found != of_host(kind)


@pytest.mark.parametrize("identity", ["root-userns", "user"], indirect=True)
def test_a_user_namespace_is_new(bundle: Bundle) -> None:
    """A user namespace in the list is another one than the host's."""
    assert inside(bundle, "user") != of_host("user")


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup"])
def test_a_namespace_that_is_not_listed_is_the_hosts(bundle: Bundle, kind: str) -> None:
    """What the list leaves out is shared with the host."""
    bundle.drop_namespace(kind)
    if kind == "uts":
        del bundle.config["hostname"]
    assert inside(bundle, kind) == of_host(kind)


def lsns(pid: int) -> str:
    """Return what lsns(8) lists for a process."""
    command = ["lsns", "-n", "-o", "TYPE,NS", "-p", str(pid)]
    for _ in range(20):
        # It fails if any process of the machine ends while it looks.
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
    return done.stdout


@AS_ROOT
def test_a_user_namespace_that_is_not_listed_is_the_hosts(bundle: Bundle) -> None:
    """Root needs no user namespace, and gets none unasked."""
    assert inside(bundle, "user") == of_host("user")


@AS_ROOT
def test_without_a_pid_namespace_the_container_sees_the_hosts_processes(bundle: Bundle) -> None:
    """Without a new pid namespace, the container process is a process like any other."""
    bundle.drop_namespace("pid")
    assert int(bundle.output("echo $$")) > 1


def test_lsns_shows_the_new_namespaces_from_outside(bundle: Bundle) -> None:
    """``lsns -p`` on the host names every namespace of the config, and none of them is the host's."""
    capabilities.need(capabilities.has_program("lsns"), "lsns (apt-get install util-linux)")
    bundle.namespace("cgroup")
    running = bundle.start("echo ready; cat")
    assert running.line() == "ready"
    found = dict(line.split() for line in lsns(running.container_pid()).splitlines())
    for namespace in bundle.linux["namespaces"]:
        name = PROC_NAMES.get(namespace["type"], namespace["type"])
        assert f"{name}:[{found[name]}]" != of_host(namespace["type"])
    assert running.finish().code == 0


@contextmanager
def other_namespaces(*options: str, identity: Identity = ROOT) -> Iterator[int]:
    """Yield the pid of a process in namespaces of its own, made by unshare(1)."""
    command = ["unshare", *options, "sh", "-c", "echo; read line"]
    options_of_popen = demotion(identity) | {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "cwd": "/",
    }
    with subprocess.Popen(command, **options_of_popen) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.communicate(b"\n")


@AS_ROOT
@pytest.mark.parametrize(
    ("kind", "option"), [("network", "-n"), ("ipc", "-i"), ("uts", "-u"), ("cgroup", "-C")]
)
def test_a_namespace_with_a_path_is_joined(bundle: Bundle, kind: str, option: str) -> None:
    """A namespace that has a path is entered, not made."""
    with other_namespaces(option) as pid:
        path = f"/proc/{pid}/ns/{PROC_NAMES.get(kind, kind)}"
        bundle.namespace(kind, path)
        assert inside(bundle, kind) == os.readlink(path)


@AS_ROOT
def test_a_pid_namespace_with_a_path_is_joined(bundle: Bundle) -> None:
    """In a joined pid namespace the container process sees those who are already in it."""
    with other_namespaces("-p", "--fork", "--mount-proc") as pid:
        (first,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        path = f"/proc/{first}/ns/pid"
        bundle.namespace("pid", path)
        expected = os.readlink(path)
        assert inside(bundle, "pid") == expected
        assert "read line" in bundle.output("ps -o args")


@AS_ROOT
def test_a_mount_namespace_with_a_path_is_joined(bundle: Bundle) -> None:
    """A joined mount namespace is entered, and its own root stays as it was."""
    known_of_crun("puts its default links into the bundle's own /dev there")
    with other_namespaces("-m") as pid:
        bundle.namespace("mount", f"/proc/{pid}/ns/mnt")
        bundle.config["mounts"] = bundle.config["mounts"][:1]
        assert inside(bundle, "mount") == os.readlink(f"/proc/{pid}/ns/mnt")
        assert os.listdir(f"/proc/{pid}/root/usr") == os.listdir("/usr")


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_an_ordinary_user_joins_a_user_namespace_of_his_own(bundle: Bundle) -> None:
    """With a user namespace by path no map is written, and its network can be joined with it."""
    with other_namespaces("-Urn", identity=bundle.identity) as pid:
        bundle.namespace("user", f"/proc/{pid}/ns/user")
        bundle.namespace("network", f"/proc/{pid}/ns/net")
        del bundle.linux["uidMappings"], bundle.linux["gidMappings"]
        assert inside(bundle, "user") == os.readlink(f"/proc/{pid}/ns/user")
        assert inside(bundle, "network") == os.readlink(f"/proc/{pid}/ns/net")


@AS_ROOT
def test_root_joins_a_user_namespace(bundle: Bundle) -> None:
    """Root joins a user namespace by path and is in its map's terms from then on."""
    with other_namespaces("-Urn") as pid:
        bundle.namespace("user", f"/proc/{pid}/ns/user")
        bundle.namespace("network", f"/proc/{pid}/ns/net")
        assert inside(bundle, "user") == os.readlink(f"/proc/{pid}/ns/user")


@AS_ROOT
def test_a_namespace_of_another_type_is_refused(bundle: Bundle) -> None:
    """A path that names a namespace of another type than the entry says is an error."""
    with other_namespaces("-n") as pid:
        bundle.namespace("ipc", f"/proc/{pid}/ns/net")
        finished = bundle.run("true")
        assert finished.code != 0


def test_a_namespace_path_that_does_not_exist_is_an_error(bundle: Bundle) -> None:
    """A namespace whose path is not there stops the container, and the path is named."""
    bundle.namespace("ipc", "/nonexistent/ns")
    finished = bundle.run("true")
    assert finished.code != 0
    assert "/nonexistent/ns" in finished.err


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_without_a_mount_namespace_the_hosts_is_used(bundle: Bundle) -> None:
    """The container is in the caller's mount namespace; its mounts end with it."""
    known_of_crun("leaves the mounts behind")
    bundle.drop_namespace("mount")
    own = os.readlink("/proc/self/ns/mnt")
    running = bundle.start("readlink /proc/self/ns/mnt; ls /; read x")
    assert running.line() == own
    mounted = Path("/proc/self/mountinfo").read_text()
    assert f" {bundle.rootfs}/proc " in mounted
    finished = running.finish("\n")
    assert finished.code == 0
    assert set(finished.out.split()) >= {"bin", "dev", "proc"}
    assert str(bundle.rootfs) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_without_a_mount_namespace_it_takes_root(bundle: Bundle) -> None:
    """An ordinary user is told what to add."""
    known_of_crun("has its own sentence")
    bundle.drop_namespace("mount")
    finished = bundle.run("true")
    assert finished.code == 1
    assert 'add {"type": "mount"} to linux.namespaces' in finished.err
