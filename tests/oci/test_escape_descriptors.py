"""CVE-2024-21626: descriptors of the host's that leak into the container, and a cwd that is one of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import BUSYBOX, Bundle, Finished
from .lifecycle import ok, start, state, verb
from .runtime_under_test import is_ours, known_of_crun, ours_only


@pytest.fixture
def outside(bundle: Bundle) -> Path:
    """Make a directory of the host's, with a secret and a program in it."""
    path = bundle.directory("outside")
    (path / "secret").write_text("secret\n")
    shutil.copy(BUSYBOX, path / "sh")
    for name in ("secret", "sh"):
        bundle.give(path / name)
    return path


@pytest.fixture
def leaked(outside: Path) -> Iterator[int]:
    """Open the directory, as whoever calls the runtime may have it open; return the descriptor."""
    opened = os.open(outside, os.O_RDONLY)
    # A number that the runtime does not need itself.
    os.dup2(opened, 90, inheritable=True)
    os.close(opened)
    yield 90
    os.close(90)


def run(bundle: Bundle, leaked: int, *args: str) -> Finished:
    """Run the bundle's container with that descriptor open."""
    bundle.process["args"] = [*args]
    bundle.write_config()
    return verb(bundle, "run", "--bundle", str(bundle.path), bundle.id, pass_fds=(leaked,))


def test_the_container_has_no_descriptor_but_its_streams(bundle: Bundle, leaked: int) -> None:
    """Neither the runtime's own descriptors nor what its caller has open reach the container process."""
    finished = run(bundle, leaked, "sh", "-c", "ls /proc/$$/fd; true")
    assert finished.lines == ["0", "1", "2"]


def test_nor_has_one_that_is_executed(bundle: Bundle, leaked: int) -> None:
    """The same goes for ``exec``."""
    start(bundle)
    finished = verb(
        bundle, "exec", bundle.id, "sh", "-c", "ls /proc/$$/fd; true", pass_fds=(leaked,)
    )
    assert finished.lines == ["0", "1", "2"]


@pytest.mark.parametrize("up", ["", "/../../../../../.."])
def test_the_cwd_of_run_is_no_descriptor(bundle: Bundle, leaked: int, up: str) -> None:
    """A cwd by way of a leaked descriptor is refused before anything is executed there."""
    bundle.process["cwd"] = f"/proc/self/fd/{leaked}{up}"
    finished = run(bundle, leaked, "cat", "secret")
    assert finished.code != 0
    assert finished.out == ""
    assert "process.cwd" in finished.err or not is_ours()
    assert "Traceback" not in finished.err


@pytest.mark.parametrize("number", range(3, 12))
def test_the_cwd_of_run_is_none_of_our_own(bundle: Bundle, number: int) -> None:
    """Nor one by way of a descriptor that the runtime has opened itself."""
    bundle.process["cwd"] = f"/proc/self/fd/{number}"
    finished = bundle.run("pwd; ls")
    assert finished.code != 0
    assert finished.out == ""


@ours_only("the sentence")
def test_a_cwd_by_a_descriptor_that_is_handed_on_is_refused(bundle: Bundle, leaked: int) -> None:
    """Where the caller wants it handed on, it is there, and still no place to be in."""
    bundle.process["cwd"] = f"/proc/self/fd/{leaked}"
    bundle.process["args"] = ["cat", "secret"]
    bundle.write_config()
    command = ("run", "--preserve-fds", "88", "--bundle", str(bundle.path), bundle.id)
    finished = verb(bundle, *command, pass_fds=(leaked,))
    assert finished.code != 0
    assert finished.out == ""
    assert "outside of the container" in finished.err


@pytest.mark.parametrize("number", [90, *range(3, 12)])
def test_the_cwd_of_exec_is_no_descriptor(bundle: Bundle, leaked: int, number: int) -> None:
    """The same goes for the cwd of ``exec``, by the option, or by a symlink that the container has made."""
    start(bundle)
    (bundle.rootfs / "link").symlink_to(f"/proc/self/fd/{number}")
    for cwd in (f"/proc/self/fd/{number}", "/link"):
        # Not pwd, which fails by itself outside of the container's root.
        command = ("exec", "--cwd", cwd, bundle.id, "sh", "-c", "cat secret || ls")
        finished = verb(bundle, *command, pass_fds=(leaked,))
        assert finished.code != 0
        assert finished.out == ""


def test_the_program_of_run_is_no_descriptor(bundle: Bundle, leaked: int) -> None:
    """A program by way of a descriptor would be the host's file, open to be written to later."""
    known_of_crun("executes what is behind descriptors that are closed only by execve")
    finished = run(bundle, leaked, f"/proc/self/fd/{leaked}/sh", "-c", "echo escaped")
    assert finished.code != 0
    assert finished.out == ""


def test_the_program_of_start_is_no_descriptor(bundle: Bundle, leaked: int) -> None:
    """The same goes for create and start: either may be called with something open."""
    bundle.process["args"] = [f"/proc/self/fd/{leaked}/sh", "-c", "echo escaped"]
    bundle.write_config()
    created = verb(bundle, "create", "--bundle", str(bundle.path), bundle.id, pass_fds=(leaked,))
    if created.code == 0:
        started = verb(bundle, "start", bundle.id, pass_fds=(leaked,))
        assert started.code != 0
    assert "escaped" not in created.out


def test_the_program_of_exec_is_no_descriptor(bundle: Bundle, leaked: int) -> None:
    """And for exec, also where a file of the container's leads there."""
    known_of_crun("executes what is behind descriptors that are closed only by execve")
    start(bundle)
    (bundle.rootfs / "bin/link").symlink_to(f"/proc/self/fd/{leaked}/sh")
    for program in (f"/proc/self/fd/{leaked}/sh", "link"):
        command = ("exec", bundle.id, program, "-c", "echo escaped")
        finished = verb(bundle, *command, pass_fds=(leaked,))
        assert finished.code != 0
        assert finished.out == ""


def test_who_waits_for_start_holds_nothing_open(bundle: Bundle, leaked: int) -> None:
    """The process of a created container has let go of what its creator had open."""
    capabilities.need_root()  # to look at a process that nobody else may look at
    bundle.process["args"] = ["sleep", "60"]
    bundle.write_config()
    created = verb(bundle, "create", "--bundle", str(bundle.path), bundle.id, pass_fds=(leaked,))
    assert created.code == 0, created
    place = f"/proc/{state(bundle)['pid']}/fd"
    targets = [os.readlink(f"{place}/{fd}") for fd in os.listdir(place)]
    assert not [target for target in targets if target.startswith(("/proc", "/sys"))]
    assert not [target for target in targets if "outside" in target]
    ok(bundle, "start", bundle.id)
