"""``process.capabilities`` and ``noNewPrivileges``."""

from __future__ import annotations

import shutil

import pytest

from .. import capabilities as ours
from .bundle import BUSYBOX, Bundle
from .runtime_under_test import known_of_crun

SETS = {
    "CapInh": "inheritable",
    "CapPrm": "permitted",
    "CapEff": "effective",
    "CapBnd": "bounding",
    "CapAmb": "ambient",
}
CHOWN, KILL, SETUID, NET_BIND = 1 << 0, 1 << 5, 1 << 7, 1 << 10
NON_ROOT = pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)


def sets_of(bundle: Bundle) -> dict[str, int]:
    """Run the bundle; return the five sets of its process."""
    out = bundle.output("grep ^Cap /proc/$$/status; true")
    return {SETS[line.split(":")[0]]: int(line.split()[1], 16) for line in out.splitlines()}


@NON_ROOT
def test_each_of_the_five_sets_is_the_configs(bundle: Bundle) -> None:
    """For an ordinary user inside, all five sets survive execve as the config says."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_BIND_SERVICE"],
        "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
        "effective": ["CAP_CHOWN", "CAP_KILL"],
        "inheritable": ["CAP_CHOWN", "CAP_KILL"],
        "ambient": ["CAP_CHOWN"],
    }
    # execve(2) leaves a process without file capabilities with its ambient set alone.
    assert sets_of(bundle) == {
        "bounding": CHOWN | KILL | SETUID | NET_BIND,
        "permitted": CHOWN,
        "effective": CHOWN,
        "inheritable": CHOWN | KILL,
        "ambient": CHOWN,
    }


def test_root_has_the_bounding_set_after_execve(bundle: Bundle) -> None:
    """The container's root gets what the bounding and inheritable sets allow."""
    names = ["CAP_CHOWN", "CAP_KILL"]
    bundle.process["capabilities"] = {
        kind: list(names) for kind in ("bounding", "effective", "permitted")
    }
    found = sets_of(bundle)
    assert found["effective"] == found["permitted"] == found["bounding"] == CHOWN | KILL
    assert found["ambient"] == found["inheritable"] == 0


def test_an_empty_object_takes_everything(bundle: Bundle) -> None:
    """With an empty ``capabilities`` the process has none."""
    bundle.process["capabilities"] = {}
    assert set(sets_of(bundle).values()) == {0}


def test_what_is_not_granted_is_refused(bundle: Bundle) -> None:
    """Without CAP_SYS_ADMIN the container's root mounts nothing."""
    assert bundle.run("mount -t tmpfs tmpfs /tmp").code != 0


@pytest.mark.parametrize("identity", ["root-userns", "user"], indirect=True)
def test_in_a_user_namespace_every_capability_can_be_granted(bundle: Bundle) -> None:
    """A user namespace comes with all capabilities, over itself."""
    bundle.add_capabilities("CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_NET_ADMIN")
    assert bundle.output("mount -t tmpfs tmpfs /tmp && echo mounted") == "mounted"


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_a_capability_that_the_caller_lacks_is_warned_of(bundle: Bundle) -> None:
    """config.md: what cannot be granted is logged as a warning, and the container runs without it."""
    if ours.has_capability(24):
        bundle.process["capabilities"]["permitted"] += ["CAP_FROM_THE_FUTURE"]
        name = "CAP_FROM_THE_FUTURE"
    else:
        bundle.add_capabilities("CAP_SYS_RESOURCE")
        name = "CAP_SYS_RESOURCE"
    known_of_crun("fails")
    finished = bundle.run("echo ran")
    assert finished.out == "ran\n"
    assert name in finished.err
    assert "warning" in finished.err


def test_no_new_privileges_is_set(bundle: Bundle) -> None:
    """``noNewPrivileges`` shows in the process's status."""
    bundle.process["noNewPrivileges"] = True
    assert bundle.output("grep NoNewPrivs: /proc/self/status").split()[1] == "1"


def test_new_privileges_are_possible_by_default(bundle: Bundle) -> None:
    """Without ``noNewPrivileges`` the bit is not set."""
    assert bundle.output("grep NoNewPrivs: /proc/self/status").split()[1] == "0"


@NON_ROOT
@pytest.mark.parametrize("forbidden", [False, True])
def test_set_user_id_programs_work_unless_forbidden(bundle: Bundle, forbidden: bool) -> None:
    """A set-user-ID program makes root of its caller, and with ``noNewPrivileges`` it does not."""
    # busybox keeps set-user-ID powers for the applets that need them, such as su.
    program = bundle.rootfs / "su/su"
    bundle.directory("rootfs/su")
    shutil.copy(BUSYBOX, program)
    bundle.give(program)
    program.chmod(0o4755)
    (bundle.rootfs / "etc/passwd").write_text("root::0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
    (bundle.rootfs / "etc/shells").write_text("/bin/sh\n")
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["noNewPrivileges"] = forbidden
    finished = bundle.run("/su/su root -c 'id -u'")
    assert (finished.out == "0\n") is not forbidden, finished
