"""``nsisolate doctor``, and pytest at its start, in surroundings that keep something from us."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.capabilities import can_unshare, need, need_root

from .project import Project

_FILTER = Path(__file__).parent.parent / "docker_filter.py"
_NEW = ("unshare", "--user", "--map-root-user", "--mount")


def _sh(script: str) -> tuple[str, ...]:
    return ("sh", "-ec", f'{script}; exec "$@"', "sh")


class Place(NamedTuple):
    """How to get there, which check fails first, and what is said about cause and remedy."""

    command: tuple[str, ...]
    check: str
    cause: str
    remedy: str


PLACES = {
    "no-user-namespaces": Place(
        (*_NEW, *_sh("echo 0 > /proc/sys/user/max_user_namespaces")),
        "user namespace",
        "user.max_user_namespaces is 0 here: the limit on namespaces, not the disk",
        "sysctl -w user.max_user_namespaces=15000",
    ),
    "no-mount-namespaces": Place(
        (*_NEW, *_sh("echo 0 > /proc/sys/user/max_mnt_namespaces")),
        "mount namespace",
        "user.max_mnt_namespaces is 0 here",
        "sysctl -w user.max_mnt_namespaces=15000",
    ),
    "masked-proc": Place(
        (*_NEW, "--pid", "--fork", "--mount-proc", *_sh("mount -t tmpfs tmpfs /proc/irq")),
        "mount /proc",
        "there are mounts on /proc/irq",
        "",
    ),
    "chroot": Place(
        (
            *(*_NEW, *_sh("mount -t tmpfs tmpfs /mnt; mkdir /mnt/root; mount --rbind / /mnt/root")),
            *("chroot", "/mnt/root"),
        ),
        "user namespace",
        "the kernel makes no user namespaces in a chroot",
        "pivot_root",
    ),
    "filter-like-dockers": Place(
        (sys.executable, str(_FILTER)),
        "user namespace",
        "seccomp filter",
        "--security-opt seccomp=unconfined",
    ),
    "unmapped": Place(
        ("unshare", "--user"),
        "user namespace",
        "our own id has no map in the user namespace that we are in",
        "unshare --user --map-current-user",
    ),
}


def doctor(*prefix: str, args: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the doctor somewhere."""
    command = [*prefix, sys.executable, "-m", "pytest_nsisolate", "doctor", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def checks(*prefix: str) -> dict[str, dict[str, Any]]:
    """Return what the doctor says as JSON, by the check's name."""
    found = json.loads(doctor(*prefix, args=("--json",)).stdout)
    return {check["name"]: check for check in found["checks"]}


@pytest.mark.parametrize("name", PLACES)
def test_place(project: Project, name: str) -> None:
    """The doctor names what is refused, the cause and the command; pytest stops with the same text."""
    place = PLACES[name]
    need(can_unshare("--user", "--map-root-user", "--mount"), "unshare(1) and user namespaces")
    done = doctor(*place.command)
    assert done.returncode == 1
    assert done.stdout.startswith("isolated tests cannot run here\n")
    found = checks(*place.command)[place.check]
    assert found["works"] is False
    assert place.cause in found["cause"]
    assert any(place.remedy in command for command in found["commands"])
    for text in (found["call"], found["cause"], *found["commands"]):
        assert text in done.stdout
    project.write(
        "test_it.py", "import pytest\n\n@pytest.mark.isolated\ndef test_it():\n    pass\n"
    )
    path = str(project.path)
    stopped = project.run_in(*place.command, args=("-p", "no:cacheprovider", path))
    assert stopped.ret == pytest.ExitCode.USAGE_ERROR
    error = stopped.stderr.str()
    for text in (f"{place.check}: {found['call']}", found["cause"], *found["commands"]):
        assert text in error
    assert "Traceback" not in error + stopped.stdout.str() + done.stdout + done.stderr


def test_where_all_is_well() -> None:
    """Where isolated tests run, the doctor says so and ends with 0; nothing that tests need is missing."""
    done = doctor()
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("isolated tests can run here\n")
    found = checks()
    assert all(c["works"] for c in found.values() if c["neededFor"] == "isolated tests")
    assert all(
        {"cause", "commands", "call", "errno"} <= c.keys() for c in found.values() if not c["works"]
    )


def test_readonly_cgroups() -> None:
    """Where the cgroups are read-only, as in a container of Docker's, limits lack, and tests run."""
    need_root()
    from .test_limits import READONLY_CGROUPS

    done = doctor(*READONLY_CGROUPS)
    assert done.returncode == 0, done.stdout
    found = checks(*READONLY_CGROUPS)["limit of memory"]
    assert found["works"] is False
    assert found["cause"] == "the cgroups are read-only here"
    assert found["neededFor"] == "memory="


def test_what_depends_on_a_refused_one_is_not_tried() -> None:
    """What cannot work for want of something else is said to be untried, not refused."""
    need(can_unshare("--user", "--map-root-user", "--mount"), "unshare(1) and user namespaces")
    found = checks(*PLACES["no-user-namespaces"].command)
    assert found["mount a tmpfs"]["works"] is None
    assert found["mount a tmpfs"]["needs"] == "mount namespace"


def test_wrong_option() -> None:
    """An unknown option is one sentence."""
    done = doctor(args=("--frob",))
    assert done.returncode == 1
    assert done.stderr == "nsisolate: unknown option '--frob'; --help lists them\n"


def test_the_limit_on_namespaces_in_mid_run(project: Project) -> None:
    """Where there are namespaces for the start only, a test's error has the call, and the sysctl."""
    need(can_unshare("--user", "--map-root-user", "--mount"), "unshare(1) and user namespaces")
    few = (*_NEW, *_sh("echo 2 > /proc/sys/user/max_user_namespaces"))
    found = checks(*few)["nested user namespaces"]
    assert found["commands"] == ["sysctl -w user.max_user_namespaces=15000"]
    project.write("test_it.py", "def test_it():\n    pass\n")
    result = project.run_in(*few, args=("--nsisolate-all", "-p", "no:cacheprovider"))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*namespaces: unshare(*CLONE_NEWUSER*): ENOSPC: *"])
    result.stdout.fnmatch_lines(["*(not the disk): raise sysctl user.max_user_namespaces*"])
