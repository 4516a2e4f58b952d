"""Values that are right by the spec, and that the kernel refuses: the sentence has the field all the same."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from .bundle import Bundle
from .runtime_under_test import ours_only
from .test_errors import assert_one_sentence

pytestmark = ours_only("the sentences")
USER = pytest.mark.parametrize("identity", ["user"], indirect=True)

Change = Callable[[Bundle], object]


def offset(bundle: Bundle) -> None:
    """Ask for a clock that the kernel's numbers have no room for."""
    bundle.namespace("time")
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 2**62}}


def pipe(bundle: Bundle) -> None:
    """Name a pipe, which nobody writes to, as a namespace."""
    path = bundle.path / "pipe"
    os.mkfifo(path)
    bundle.give(path)
    bundle.namespace("network", str(path))


def device(bundle: Bundle, path: str) -> None:
    """Ask for a device."""
    bundle.linux["devices"] = [{"type": "c", "path": path, "major": 1, "minor": 3}]


REFUSED: list[tuple[Change, str, str]] = [
    (lambda b: b.mount("/t", "nosuchfs", "x"), "mounts", "nosuchfs"),
    (lambda b: b.mount("/t", "tmpfs", "x", ["nosuch=1"]), "mounts", "nosuch=1"),
    (lambda b: b.bind("/nonexistent", "/x"), "mounts", "/nonexistent"),
    (lambda b: device(b, "/bin/busybox"), "linux.devices", "something else"),
    (
        lambda b: b.process.update(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2**60}]),
        "process.rlimits",
        "RLIMIT_NOFILE",
    ),
    (
        lambda b: b.linux.update(sysctl={"kernel.shmmax": "x"}),
        "linux.sysctl.kernel.shmmax",
        "'x'",
    ),
    (lambda b: b.linux.update(sysctl={"net.nosuch": "1"}), "linux.sysctl.net.nosuch", "ENOENT"),
    (lambda b: b.namespace("network", "/nonexistent"), "linux.namespaces", "/nonexistent"),
    (lambda b: b.namespace("network", "/proc/self/ns/ipc"), "linux.namespaces", "CLONE_NEWNET"),
    (pipe, "linux.namespaces", "CLONE_NEWNET"),
    (lambda b: b.process["user"].update(uid=99_999_999), "process.user", "99999999"),
    (lambda b: b.process["user"].update(gid=99_999_999), "process.user", "99999999"),
    (
        lambda b: b.process["user"].update(additionalGids=[99_999_999]),
        "process.user",
        "99999999",
    ),
    (offset, "linux.timeOffsets", "ERANGE"),
    (lambda b: b.process.update(cwd="/bin/busybox"), "process.cwd", "ENOTDIR"),
    (
        lambda b: b.process.update(
            scheduler={"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}
        ),
        "process.scheduler",
        "EINVAL",
    ),
    (
        lambda b: b.linux.update(memoryPolicy={"mode": "MPOL_BIND", "nodes": "1000"}),
        "linux.memoryPolicy",
        "EINVAL",
    ),
    (
        lambda b: b.config.update(hooks={"createRuntime": [{"path": "/nonexistent"}]}),
        "hooks",
        "createRuntime",
    ),
]


@USER
@pytest.mark.parametrize(("change", "field", "says"), REFUSED, ids=[f for _c, f, _s in REFUSED])
def test_a_refusal_names_the_field(bundle: Bundle, change: Change, field: str, says: str) -> None:
    """One sentence that begins with the field, and has the value or the kernel's answer in it."""
    change(bundle)
    finished = bundle.run("true")
    assert_one_sentence(finished, says)
    assert finished.err.startswith(f"nsisolate: {field}: "), finished.err
