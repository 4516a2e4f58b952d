"""Mount propagation: of single mounts, and ``linux.rootfsPropagation``."""

from __future__ import annotations

import pytest

from .bundle import Bundle
from .runtime_under_test import known_of_crun
from .test_bind_mounts import mounted_tmpfs


def propagation_of(bundle: Bundle, destination: str) -> str:
    """Run the bundle; return the optional fields of a mount (proc_pid_mountinfo(5)), numbers left out."""
    for line in bundle.output("cat /proc/self/mountinfo").splitlines():
        fields = line.split()
        if fields[4] == destination:
            optional = fields[6 : fields.index("-")]
            return " ".join(field.partition(":")[0] for field in optional)
    raise AssertionError(f"{destination} is not mounted")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("private", ""),
        ("rprivate", ""),
        ("shared", "shared"),
        ("rshared", "shared"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
    ],
)
def test_a_bind_mount_has_its_propagation(bundle: Bundle, option: str, expected: str) -> None:
    """The propagation options of a bind mount show in the mount table."""
    known_of_crun("makes every mount a slave again after its pivot_root", when=expected != "")
    bundle.bind(bundle.directory("data"), "/data", "rbind", option)
    assert propagation_of(bundle, "/data") == expected


@pytest.mark.parametrize(("option", "expected"), [("shared", "shared"), ("private", "")])
def test_a_tmpfs_has_its_propagation(bundle: Bundle, option: str, expected: str) -> None:
    """The propagation options work for other mounts than binds too."""
    known_of_crun("makes every mount a slave again after its pivot_root", when=expected != "")
    bundle.mount("/t", "tmpfs", "tmpfs", [option])
    assert propagation_of(bundle, "/t") == expected


def test_the_root_is_private_by_default(bundle: Bundle) -> None:
    """Without rootfsPropagation nothing is exchanged with the host."""
    assert propagation_of(bundle, "/") == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("private", ""),
        ("rprivate", ""),
        ("shared", "shared"),
        ("rshared", "shared"),
        ("unbindable", "unbindable"),
    ],
)
def test_the_root_has_its_propagation(bundle: Bundle, value: str, expected: str) -> None:
    """RootfsPropagation shows on the root mount."""
    bundle.linux["rootfsPropagation"] = value
    assert propagation_of(bundle, "/").replace("master", "").strip() == expected


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_a_slave_root_is_a_slave_of_a_shared_host_mount(bundle: Bundle) -> None:
    """With ``rslave`` what the host mounts below a shared source comes into the container."""
    with mounted_tmpfs(bundle.directory("shared"), "--make-shared") as shared:
        (shared / "later").mkdir()
        bundle.linux["rootfsPropagation"] = "rslave"
        bundle.bind(shared, "/shared", "rbind", "rslave")
        running = bundle.start("echo ready; read line; cat /shared/later/file; read line")
        assert running.line() == "ready"
        with mounted_tmpfs(shared / "later"):
            (shared / "later/file").write_text("came in\n")
            assert running.popen.stdin is not None
            running.popen.stdin.write(b"go\n")
            running.popen.stdin.flush()
            assert running.line() == "came in"
            assert running.finish("end\n").code == 0


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_a_mount_inside_never_reaches_the_host(bundle: Bundle) -> None:
    """What the container mounts below a shared host mount stays inside, by default."""
    with mounted_tmpfs(bundle.directory("shared"), "--make-shared") as shared:
        (shared / "below").mkdir()
        bundle.bind(shared, "/shared", "rbind")
        bundle.mount("/shared/below", "tmpfs", "tmpfs")
        bundle.output("echo x > /shared/below/file")
        assert list((shared / "below").iterdir()) == []


def test_an_unknown_propagation_is_refused(bundle: Bundle) -> None:
    """A rootfsPropagation that is none is an error."""
    known_of_crun("ignores it")
    bundle.linux["rootfsPropagation"] = "sideways"
    finished = bundle.run("true")
    assert finished.code != 0
    assert "sideways" in finished.err or "propagation" in finished.err.lower()
