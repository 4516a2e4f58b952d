"""``linux.uidMappings`` and ``gidMappings``."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import TIMEOUT, Bundle
from .identity import ORDINARY_UID
from .runtime_under_test import is_ours, known_of_crun

IN_USER_NAMESPACE = pytest.mark.parametrize("identity", ["root-userns", "user"], indirect=True)
ROOT_USERNS = pytest.mark.parametrize("identity", ["root-userns"], indirect=True)
USER = pytest.mark.parametrize("identity", ["user"], indirect=True)


@IN_USER_NAMESPACE
def test_the_maps_are_the_configs(bundle: Bundle) -> None:
    """``/proc/self/uid_map`` and ``gid_map`` are what config.json says."""
    for kind in ("uid", "gid"):
        (mapping,) = bundle.linux[f"{kind}Mappings"]
        expected = [str(mapping[key]) for key in ("containerID", "hostID", "size")]
        assert bundle.output(f"cat /proc/self/{kind}_map").split() == expected


@IN_USER_NAMESPACE
def test_files_made_inside_belong_to_the_mapped_ids(bundle: Bundle) -> None:
    """A file of the container's root belongs to the host id that root is mapped to."""
    bundle.output("touch /made")
    made = os.stat(bundle.rootfs / "made")
    assert (made.st_uid, made.st_gid) == (bundle.identity.mapped_uid, bundle.identity.mapped_gid)


@IN_USER_NAMESPACE
def test_mount_points_made_by_the_runtime_belong_to_the_mapped_root(bundle: Bundle) -> None:
    """What the runtime creates in the rootfs belongs to the container's root."""
    bundle.mount("/made/for/this", "tmpfs", "tmpfs")
    assert bundle.output("stat -c %u:%g /made/for") == "0:0"


@IN_USER_NAMESPACE
def test_an_id_without_a_map_shows_as_the_overflow_id(bundle: Bundle) -> None:
    """What belongs to an id that is not mapped shows as 65534."""
    assert bundle.output("stat -c %u /proc/sys/kernel/osrelease") == "65534"


@ROOT_USERNS
def test_several_ranges_are_mapped(bundle: Bundle) -> None:
    """More than one line of a map is written, in the config's order."""
    bundle.linux["uidMappings"] = [
        {"containerID": 0, "hostID": 100000, "size": 10},
        {"containerID": 10, "hostID": 300000, "size": 5},
    ]
    found = bundle.output("cat /proc/self/uid_map").split()
    assert found == ["0", "100000", "10", "10", "300000", "5"]


@USER
def test_an_ordinary_user_is_denied_setgroups(bundle: Bundle) -> None:
    """A map that an ordinary user may write goes with setgroups denied (CVE-2014-8989)."""
    assert bundle.output("cat /proc/self/setgroups") == "deny"


@USER
def test_an_ordinary_user_may_be_somebody_else_than_root_inside(bundle: Bundle) -> None:
    """The one id that is mapped may be any id inside."""
    bundle.linux["uidMappings"][0]["containerID"] = 1234
    bundle.linux["gidMappings"][0]["containerID"] = 4321
    bundle.process["user"] = {"uid": 1234, "gid": 4321}
    assert bundle.output("id -u; id -g").split() == ["1234", "4321"]


@USER
def test_an_ordinary_user_cannot_map_ids_that_are_not_his(bundle: Bundle) -> None:
    """A map of somebody else's ids is refused with one clear sentence."""
    bundle.linux["uidMappings"][0]["hostID"] = 12345678
    finished = bundle.run("true")
    assert finished.code != 0
    assert "Traceback" not in finished.err


@USER
def test_ranges_are_mapped_by_newuidmap(bundle: Bundle) -> None:
    """Ranges of /etc/subuid and /etc/subgid are mapped through newuidmap and newgidmap."""
    capabilities.need_root()  # for a private /etc/subuid
    capabilities.need(capabilities.has_program("newuidmap"), "newuidmap (apt-get install uidmap)")
    for kind, first in (("uid", 300000), ("gid", 400000)):
        bundle.linux[f"{kind}Mappings"] = [
            {"containerID": 0, "hostID": ORDINARY_UID, "size": 1},
            {"containerID": 1, "hostID": first, "size": 1000},
        ]
        (bundle.path / f"sub{kind}").write_text(f"{ORDINARY_UID}:{first}:1000\n")
    script = "touch /tmp/made; chown 7:8 /tmp/made; cat /proc/self/uid_map /proc/self/gid_map"
    bundle.process["args"] = ["sh", "-c", script]
    finished = subprocess.run(
        ["unshare", "-m", "sh", "-c", _WITH_OWN_SUBIDS, "sh", str(bundle.path), *bundle.command()],
        env=bundle.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == (
        f"0 {ORDINARY_UID} 1 1 300000 1000 0 {ORDINARY_UID} 1 1 400000 1000".split()
    )
    made = os.stat(bundle.rootfs / "tmp/made")
    assert (made.st_uid, made.st_gid) == (300006, 400007)


_WITH_OWN_SUBIDS = f"""
set -e
dir=$1; shift
for kind in uid gid; do
    test -e /etc/sub$kind
    mount --bind "$dir/sub$kind" /etc/sub$kind
done
exec setpriv --reuid={ORDINARY_UID} --regid={ORDINARY_UID} --clear-groups "$@"
"""


@USER
def test_a_range_without_an_entry_in_subuid_is_refused(bundle: Bundle) -> None:
    """A range that /etc/subuid does not give is refused, and the error names what refused it."""
    for kind in ("uid", "gid"):
        bundle.linux[f"{kind}Mappings"][0]["size"] = 1000
    finished = bundle.run("true")
    assert finished.code != 0
    assert "Traceback" not in finished.err
    if is_ours():
        assert finished.code == 1
        assert "newgidmap" in finished.err
        assert "/etc/subuid" in finished.err


@ROOT_USERNS
def test_the_hosts_root_owns_nothing_inside(bundle: Bundle) -> None:
    """A file of the host's root that is not mapped cannot be written by the container's root."""
    secret = bundle.rootfs / "secret"
    secret.write_text("secret\n")
    secret.chmod(stat.S_IRUSR)
    finished = bundle.run("cat /secret")
    assert finished.code != 0
    assert "Permission denied" in finished.err
    assert Path(secret).read_text() == "secret\n"


@pytest.mark.parametrize("identity", ["root", "user"], indirect=True)
def test_a_user_namespace_without_maps(bundle: Bundle) -> None:
    """Where the config has no maps, the container's user is the caller, and nobody else is mapped."""
    known_of_crun("maps more")
    bundle.namespace("user")
    bundle.linux.pop("uidMappings", None)
    bundle.linux.pop("gidMappings", None)
    uid, gid = bundle.identity.mapped_uid, bundle.identity.mapped_gid
    out = bundle.output("cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g")
    assert out.split() == ["0", str(uid), "1", "0", str(gid), "1", "0", "0"]
