"""Mount propagation: of single mounts, and ``linux.rootfsPropagation``."""

from __future__ import annotations

import subprocess
from pathlib import Path

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


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_a_mount_on_the_host_stays_outside(bundle: Bundle) -> None:
    """What the host mounts below a shared host mount does not come in, by default."""
    with mounted_tmpfs(bundle.directory("shared"), "--make-shared") as shared:
        (shared / "below").mkdir()
        bundle.bind(shared, "/shared", "rbind")
        running = bundle.start("echo ready; read line; ls /shared/below; read line")
        assert running.line() == "ready"
        with mounted_tmpfs(shared / "below"):
            (shared / "below/file").write_text("the host's\n")
            assert running.finish("go\nend\n").out == ""


@pytest.mark.parametrize("identity", ["root"], indirect=True)
@pytest.mark.parametrize("value", ["shared", "rshared"])
def test_a_shared_root_shares_what_is_shared(bundle: Bundle, value: str) -> None:
    """With a shared root, mounts below a shared mount of the host's go both ways, and no other does."""
    known_of_crun("makes every mount a slave again after its pivot_root")
    bundle.linux["rootfsPropagation"] = value
    (bundle.rootfs / "part").mkdir()
    with (
        mounted_tmpfs(bundle.directory("shared"), "--make-shared") as shared,
        mounted_tmpfs(bundle.rootfs / "part", "--make-shared"),
    ):
        for name in ("inside", "outside"):
            (shared / name).mkdir()
        bundle.bind(shared, "/shared", "rbind", "rshared")
        bundle.mount("/shared/inside", "tmpfs", "tmpfs")
        bundle.mount("/part", "tmpfs", "tmpfs")
        before = mounts_below(bundle.path)
        running = bundle.start(
            "echo > /shared/inside/file; echo ready; read l; ls /shared/outside; read l"
        )
        assert running.line() == "ready"
        assert mounts_below(bundle.path) - before == {str(shared / "inside")}
        try:
            assert (shared / "inside/file").exists()
            with mounted_tmpfs(shared / "outside"):
                (shared / "outside/came-in").touch()
                assert running.finish("go\nend\n").out == "came-in\n"
        finally:
            subprocess.run(["umount", shared / "inside"], check=True)


def mounts_below(path: Path) -> set[str]:
    """Return where something is mounted below *path* in our own mount namespace."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {place for line in lines if (place := line.split()[4]).startswith(f"{path}/")}


def test_an_unknown_propagation_is_refused(bundle: Bundle) -> None:
    """A rootfsPropagation that is none is an error."""
    known_of_crun("ignores it")
    bundle.linux["rootfsPropagation"] = "sideways"
    finished = bundle.run("true")
    assert finished.code != 0
    assert "sideways" in finished.err or "propagation" in finished.err.lower()
