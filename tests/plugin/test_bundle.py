"""A test's sandbox, written out as an OCI bundle, has the same mounts under every runtime."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_nsisolate.rootfs.bundle import write_bundle
from pytest_nsisolate.rootfs.kinds import Sandbox
from pytest_nsisolate.rootfs.sandbox import prepare
from pytest_nsisolate.runtime.plan import Plan
from pytest_nsisolate.runtime.spec import config as spec
from pytest_nsisolate.runtime.spec.writer import to_config
from tests.capabilities import has_program, is_root, need

Mounts = dict[str, tuple[str, frozenset[str]]]

#: crun refuses hosts with both cgroup versions; in a mount namespace it can be shown one of them.
UNIFIED = (
    "test ! -d /sys/fs/cgroup/unified || mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup; "
    'exec crun "$@"'
)
CRUN_AS_ROOT = ("unshare", "--mount", "sh", "-c", UNIFIED, "sh")
CRUN_ROOTLESS = (
    *("unshare", "--user", "--map-current-user", "--keep-caps", "--mount"),
    *("sh", "-c", UNIFIED, "sh", "--cgroup-manager=disabled"),
)


def mounts_in(mountinfo: str) -> Mounts:
    """Return type and flags by mount point, without what lies below /sys (it differs by design)."""
    found: Mounts = {}
    for line in mountinfo.splitlines():
        fields = line.split()
        point, kind = fields[4], fields[fields.index("-") + 1]
        if not point.startswith("/sys/"):
            found[point] = (kind, frozenset(fields[5].split(",")) & {"ro", "nosuid", "nodev"})
    return found


def kinds(mounts: Mounts, plan: Plan) -> Mounts:
    """Return the mounts that *plan* names; a copied directory may be a tmpfs or an overlay."""
    found = {}
    for mount in plan.mounts:
        if mount.destination in mounts:
            kind, flags = mounts[mount.destination]
            found[mount.destination] = ("copy" if "tmpcopyup" in mount.options else kind, flags)
    return found


def in_a_test(pytester: pytest.Pytester, arguments: str) -> Mounts:
    """Return the mounts that an isolated test sees."""
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.isolated({arguments})
        def test_mounts(tmp_path):
            with open("/proc/self/mountinfo") as file:
                (tmp_path / "mountinfo").write_text(file.read())
        """
    )
    result = pytester.runpytest_subprocess(f"--basetemp={pytester.path / 'base'}")
    result.assert_outcomes(passed=1)
    return mounts_in((pytester.path / "base" / "test_mounts0" / "mountinfo").read_text())


def in_a_bundle(bundle: Path, command: tuple[str, ...]) -> Mounts:
    """Return the mounts that the bundle's process sees under a runtime."""
    result = subprocess.run(
        [*command, "run", "--bundle", str(bundle), f"nsisolate-{bundle.parent.name}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(bundle.parent)},
    )
    assert result.returncode == 0, result.stderr
    return mounts_in(result.stdout)


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        pytest.param("", {}, id="default"),
        pytest.param("network='none'", {"network": "none"}, id="network"),
        pytest.param("root=True", {"root": True}, id="root"),
    ],
)
def test_same_mounts_everywhere(
    pytester: pytest.Pytester, tmp_path: Path, arguments: str, changes: dict[str, object]
) -> None:
    """An isolated test, our runner and crun show the plan's mounts with the same types and flags."""
    need(has_program("crun"), "crun")
    seen = in_a_test(pytester, arguments)
    shared = (str(pytester.path / "base"),)
    sandbox = Sandbox(project=(str(pytester.path),), shared=shared).replace(**changes)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    args = ("cat", "/proc/self/mountinfo")
    write_bundle(sandbox, str(bundle), args=args, cwd=str(pytester.path))
    ours = in_a_bundle(bundle, (sys.executable, "-m", "pytest_nsisolate"))
    crun = in_a_bundle(bundle, CRUN_AS_ROOT if is_root() else CRUN_ROOTLESS)
    plan = prepare(sandbox, cwd=str(pytester.path)).plan
    assert kinds(ours, plan) == kinds(crun, plan)
    # The two pytest processes import from different places; all else has to be the same.
    common = {point: kind for point, kind in kinds(ours, plan).items() if point in seen}
    assert {"/usr", "/proc", "/sys", "/dev/shm", str(pytester.path)} <= common.keys()
    assert kinds(seen, plan) == common


def test_plan_round_trips(tmp_path: Path) -> None:
    """The plan of a sandbox, written as config.json and read back, is the same plan."""
    sandbox = Sandbox(project=(str(tmp_path),), network="none", root=True)
    plan = prepare(sandbox, cwd=str(tmp_path)).plan
    assert spec.parse(to_config(plan), "/") == plan
