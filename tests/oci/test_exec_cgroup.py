"""``exec``: the cgroup, labels and the pidfd of the further process."""

from __future__ import annotations

import array
import os
import signal
import socket
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle, Finished, wait_until_gone
from .confined import V2, WHO_HAS_CGROUPS, cgroup_of
from .lifecycle import ok, start, state, verb
from .runtime_under_test import is_crun, known_of_crun, ours_only
from .test_errors import assert_one_sentence
from .test_lifecycle_callers import console_socket

CONTROLLER = "" if V2 else "pids"
ROOT = pytest.mark.parametrize("identity", ["root"], indirect=True)
#: An ordinary user may make no cgroup there.
AT_THE_TOP = pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)


def execute(bundle: Bundle, *options: str) -> Finished:
    """Let a further process say in which cgroups it is."""
    return verb(bundle, "exec", *options, bundle.id, "cat", "/proc/self/cgroup")


def own_cgroup(bundle: Bundle, controller: str = CONTROLLER) -> Path:
    """Return the cgroup of the container's init."""
    return cgroup_of(state(bundle)["pid"], controller)


def below(bundle: Bundle, name: str, controller: str = CONTROLLER) -> str:
    """Make a cgroup below the container's, for as long as that lasts; return its path in the hierarchy."""
    directory = own_cgroup(bundle, controller) / name
    directory.mkdir()
    top = Path("/sys/fs/cgroup") / controller
    return f":/{directory.relative_to(top)}"


@AT_THE_TOP
def test_it_is_in_the_containers_cgroup(bundle: Bundle) -> None:
    """Without an option, and with ``/``, the process is where the container is."""
    bundle.linux["cgroupsPath"] = f"/{bundle.id}"
    start(bundle)
    pid = state(bundle)["pid"]
    init = Path(f"/proc/{pid}/cgroup").read_text()
    assert init.count(f":/{bundle.id}\n") >= 1
    assert execute(bundle).out == init
    if not is_crun():
        assert execute(bundle, "--cgroup", "/").out == init


@AT_THE_TOP
@pytest.mark.parametrize("name", ["inner", "/inner", "inner/"])
def test_a_cgroup_below_the_containers(bundle: Bundle, name: str) -> None:
    """``--cgroup`` names one that exists, on v1 in each hierarchy."""
    bundle.linux["cgroupsPath"] = f"/{bundle.id}"
    start(bundle)
    init = Path(f"/proc/{state(bundle)['pid']}/cgroup").read_text()
    mine = [line for line in init.splitlines() if line.endswith(f":/{bundle.id}")]
    for hierarchy in mine:
        controllers = hierarchy.split(":")[1].removeprefix("name=")
        if not V2:
            controllers = controllers or "unified"
        outer = Path("/sys/fs/cgroup") / ("" if V2 else controllers) / bundle.id
        (outer / "inner").mkdir()
        if controllers == "cpuset":
            for file in ("cpuset.cpus", "cpuset.mems"):  # an empty one takes no processes
                (outer / "inner" / file).write_text((outer / file).read_text())
    finished = execute(bundle, "--cgroup", name)
    assert finished.code == 0, finished
    assert [line for line in finished.out.splitlines() if "inner" in line] == [
        f"{line}/inner" for line in mine
    ]


@ROOT
@pytest.mark.skipif(V2, reason="needs cgroup v1")
def test_a_cgroup_of_one_controller(bundle: Bundle) -> None:
    """On v1 each controller may have a path of its own; the others stay where they are."""
    bundle.linux["cgroupsPath"] = f"/{bundle.id}"
    start(bundle)
    one, two = below(bundle, "one", "pids"), below(bundle, "two", "memory")
    out = execute(bundle, "--cgroup", "pids:one", "--cgroup", "memory:two").out
    assert f":pids{one}\n" in out
    assert f":memory{two}\n" in out
    assert out.count("/one\n") + out.count("/two\n") == 2
    assert f":freezer:/{bundle.id}\n" in out


@WHO_HAS_CGROUPS
def test_a_cgroup_that_is_not_there(bundle: Bundle) -> None:
    """A path that leads out, or to nowhere, and a controller that nobody has are errors."""
    capabilities.need(not is_crun(), "runc's words")
    start(bundle)
    for path, said in (
        ("..", ".. is not a sub cgroup path"),
        ("nonexistent", "/nonexistent/cgroup.procs: no such file or directory"),
        ("nosuch:/", "unknown controller "),
    ):
        finished = execute(bundle, "--cgroup", path)
        assert finished.code == 255
        assert said in finished.err
    assert execute(bundle, "--cgroup", "a", "--cgroup", "b").code == 255


@WHO_HAS_CGROUPS
@pytest.mark.skipif(not V2, reason="needs cgroup v2")
def test_an_init_that_has_moved_down(bundle: Bundle) -> None:
    """Where the container's cgroup takes no processes any more, that of its init does."""
    start(bundle)
    own = own_cgroup(bundle)
    moved = own / "moved"
    moved.mkdir()
    (moved / "cgroup.procs").write_text(str(state(bundle)["pid"]))
    assert execute(bundle).out.rstrip().endswith(own.name)
    there = (own / "cgroup.controllers").read_text().split()
    known = [name for name in ("memory", "io", "hugetlb") if name in there]
    capabilities.need(bool(known), "a controller that a cgroup with processes cannot hand down")
    (own / "cgroup.subtree_control").write_text(f"+{known[0]}")
    assert execute(bundle).out.rstrip().endswith(f"{own.name}/moved")
    known_of_crun("goes to the init's cgroup, though another one was asked for")
    finished = execute(bundle, "--cgroup", "/")
    assert finished.code == 255
    assert "/cgroup.procs: device or resource busy" in finished.err
    assert execute(bundle, "--cgroup", "moved").code == 0


@ours_only("its own sentences")
@pytest.mark.parametrize("option", ["--apparmor", "--process-label"])
def test_labels_need_the_kernel(bundle: Bundle, option: str) -> None:
    """A label for a kernel that has none is an error, and its field is named."""
    has = {
        "--apparmor": Path("/sys/module/apparmor/parameters/enabled"),
        "--process-label": Path("/sys/fs/selinux/enforce"),
    }
    if has[option].exists():
        pytest.skip("the kernel has it")
    start(bundle)
    field = {"--apparmor": "process.apparmorProfile", "--process-label": "process.selinuxLabel"}
    assert_one_sentence(execute(bundle, option, "x"), field[option], code=255)


@ROOT
def test_an_apparmor_profile(bundle: Bundle) -> None:
    """``--apparmor`` confines the process, where the kernel has AppArmor."""
    if not Path("/sys/module/apparmor/parameters/enabled").exists():
        pytest.skip("the kernel has no AppArmor")
    start(bundle)
    done = verb(
        bundle, "exec", "--apparmor", "unconfined", bundle.id, "cat", "/proc/self/attr/current"
    )
    assert done.out.startswith("unconfined")


@ours_only("runc 1.1 has no such option")
@pytest.mark.parametrize("verb_name", ["create", "run", "exec"])
def test_a_pidfd_goes_to_its_socket(bundle: Bundle, verb_name: str) -> None:
    """``--pidfd-socket`` gets a pidfd of the process, by which it can be signalled and waited for."""
    listening, path = console_socket(bundle)
    options = ("--pidfd-socket", str(path))
    with listening:
        if verb_name == "exec":
            start(bundle)
            ok(bundle, "exec", "--detach", *options, bundle.id, "sleep", "100")
        else:
            bundle.process["args"] = ["sleep", "100"]
            bundle.write_config()
            ok(bundle, verb_name, *(["-d"] if verb_name == "run" else []), *options, bundle.id)
        connection, _ = listening.accept()
        with connection:
            _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
    fds = array.array("i")
    fds.frombytes(ancillary[0][2])
    try:
        signal.pidfd_send_signal(fds[0], signal.SIGKILL)
        assert wait_until_gone(fds[0])
    finally:
        os.close(fds[0])
    assert state(bundle)["status"] == ("running" if verb_name == "exec" else "stopped")
