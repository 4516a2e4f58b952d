"""``process.apparmorProfile`` on a kernel that has AppArmor."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .runtime_under_test import ours_only
from .test_errors import assert_one_sentence

PROFILE = """\
profile {name} flags=(attach_disconnected,mediate_deleted) {{
  file,
  capability,
  network,
  signal,
  deny /tmp/forbidden w,
}}
"""
#: AppArmor is the machine's; an ordinary user may use what root has loaded.
WHO = pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[str]:
    """Yield the name of a profile that is loaded, and denies one file."""
    capabilities.need_root()
    there = os.path.exists("/sys/kernel/security/apparmor/.replace")
    capabilities.need_of_machine(there, "AppArmor")
    capabilities.need_of_machine(capabilities.has_program("apparmor_parser"), "apparmor_parser")
    name = f"nsisolate-test-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "profile"
    file.write_text(PROFILE.format(name=name))
    subprocess.run(["apparmor_parser", "--add", "--skip-cache", str(file)], check=True)
    yield name
    subprocess.run(["apparmor_parser", "--remove", str(file)], check=True)


@WHO
def test_the_process_is_confined(bundle: Bundle, profile: str) -> None:
    """The program runs under the profile, which keeps it from what it denies and nothing else."""
    bundle.process["apparmorProfile"] = profile
    script = (
        "cat /proc/self/attr/current; echo x >/tmp/allowed && echo written; "
        "echo x 2>/dev/null >/tmp/forbidden || echo refused"
    )
    assert bundle.output(script).splitlines() == [f"{profile} (enforce)", "written", "refused"]


@WHO
@ours_only("its own sentence")
def test_a_profile_that_is_not_loaded(bundle: Bundle, profile: str) -> None:
    """The field and the profile are named; the program does not run without it."""
    bundle.process["apparmorProfile"] = f"{profile}-not"
    assert_one_sentence(bundle.run("echo ran"), "process.apparmorProfile", f"{profile}-not")
