"""Groups and ids: setgroups(2) and newuidmap(1) misused, and capabilities that a file could give away."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from .. import capabilities
from .attacker import add_python, set_attack
from .bundle import TIMEOUT, Bundle
from .identity import ORDINARY_UID
from .lifecycle import start, verb
from .runtime_under_test import known_of_crun, ours_only

BY_ROOT = pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
AS_USER = pytest.mark.parametrize("identity", ["user"], indirect=True)
#: Supplementary groups that the runtime is called with: disk is one, for which root's own need no caller.
GROUPS = [6, 4242]


def run_with_groups(bundle: Bundle, uid: int | None = None) -> str:
    """Run the container by a caller with more groups; return what the container printed."""
    who = {} if uid is None else {"user": uid, "group": uid}
    done = subprocess.run(
        bundle.command(),
        cwd="/",
        env=bundle.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        extra_groups=GROUPS,
        **who,  # type: ignore[call-overload]
    )
    return str(done.stdout)


@BY_ROOT
@pytest.mark.parametrize("answer", ["deny", "allow", "", None])
def test_the_callers_groups_are_dropped(bundle: Bundle, answer: str | None) -> None:
    """Whatever file a rootfs has in the place of /proc/self/setgroups, root's groups do not stay."""
    if answer is not None:
        bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "proc"]
        (bundle.rootfs / "proc/self").mkdir(parents=True)
        (bundle.rootfs / "proc/self/setgroups").write_text(answer)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["args"] = ["id", "-G"]
    assert run_with_groups(bundle) == "1000\n"


@AS_USER
def test_a_group_that_takes_rights_away_cannot_be_dropped(bundle: Bundle) -> None:
    """CVE-2014-8989: a file that the caller's group may not read stays unreadable inside."""
    capabilities.need_root()
    secret = bundle.path / "secret"
    secret.write_text("secret\n")
    os.chown(secret, 0, GROUPS[1])
    secret.chmod(0o604)
    bundle.bind(secret, "/secret", "bind", "ro")
    add_python(bundle)
    set_attack(
        bundle,
        "import os\n"
        "for groups in ([], [0]):\n"
        "    try: os.setgroups(groups); print('dropped')\n"
        "    except PermissionError: pass\n"
        "try: print(open('/secret').read())\n"
        "except PermissionError: print('unreadable')\n",
    )
    assert run_with_groups(bundle, ORDINARY_UID) == "unreadable\n"


@AS_USER
@ours_only("crun makes a mapping of its own from what it may not map")
@pytest.mark.parametrize(
    ("host_id", "size"), [(0, 1), (0, 65536), (1, 1), (ORDINARY_UID + 1, 1), (2**31, 65536)]
)
def test_ids_of_others_cannot_be_mapped(bundle: Bundle, host_id: int, size: int) -> None:
    """An ordinary user maps what /etc/subuid gives to him, and his own id; all else is an error."""
    own = bundle.linux["uidMappings"][0]["hostID"]
    bundle.linux["uidMappings"] = [
        {"containerID": 0, "hostID": own, "size": 1},
        {"containerID": 1, "hostID": host_id, "size": size},
    ]
    finished = bundle.run("cat /proc/self/uid_map")
    assert finished.code != 0
    assert finished.out == ""
    assert "Traceback" not in finished.err


@AS_USER
@ours_only("crun looks at other places")
def test_a_helper_of_the_bundles_is_not_executed(bundle: Bundle) -> None:
    """What is called newuidmap in the bundle or its rootfs is not what maps the ids."""
    mark = bundle.path / "executed"
    for directory in (bundle.path, bundle.rootfs, bundle.rootfs / "bin"):
        for name in ("newuidmap", "newgidmap"):
            program = directory / name
            program.write_text(f"#!/bin/sh\necho $0 $* >> {mark}\n")
            program.chmod(0o755)
    bundle.path.chmod(0o777)
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 1000}]
    bundle.write_config()
    finished = verb(bundle, "run", bundle.id)
    assert finished.code != 0
    assert not mark.exists()


def capability_sets(status: str) -> dict[str, int]:
    """Return the sets of /proc/PID/status."""
    lines = [line.split() for line in status.splitlines() if line.startswith("Cap")]
    return {name.rstrip(":"): int(value, 16) for name, value in lines}


def test_nothing_is_inheritable_by_itself(bundle: Bundle) -> None:
    """CVE-2022-24769: with none in the config, no capability is inheritable, nor ambient."""
    sets = capability_sets(bundle.output("cat /proc/self/status"))
    assert sets["CapInh"] == 0
    assert sets["CapAmb"] == 0


@BY_ROOT
def test_nor_is_what_the_caller_has(bundle: Bundle) -> None:
    """The caller's own inheritable capabilities do not stay either."""
    capabilities.need(capabilities.has_program("setpriv"), "setpriv (util-linux)")
    bundle.process["args"] = ["cat", "/proc/self/status"]
    bundle.write_config()
    prefix = ("setpriv", "--inh-caps", "+chown,+setuid")
    finished = verb(bundle, "run", "--bundle", str(bundle.path), bundle.id, prefix=prefix)
    assert capability_sets(finished.out)["CapInh"] == 0


def test_what_exec_adds_is_not_inheritable(bundle: Bundle) -> None:
    """CVE-2022-29162: ``exec --cap`` gives a capability to the process, and not for files to hand on."""
    known_of_crun("makes what exec adds inheritable")
    start(bundle)
    command = ("exec", "--cap", "CAP_NET_RAW", bundle.id, "cat", "/proc/self/status")
    sets = capability_sets(verb(bundle, *command).out)
    assert sets["CapEff"] & 1 << 13
    assert sets["CapInh"] == 0


def test_the_default_config_has_none(bundle: Bundle) -> None:
    """What ``spec`` writes asks for none."""
    directory = bundle.directory("made")
    finished = verb(bundle, "spec", "--bundle", str(directory))
    assert finished.code == 0, finished
    sets = json.loads((directory / "config.json").read_text())["process"]["capabilities"]
    assert not sets.get("inheritable")
