"""What a plan's rarer fields cost those who do not use them: nothing; and the CPUs of ``exec``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_nsisolate.runtime.errors import SetupError
from pytest_nsisolate.runtime.execution.settings import bits, set_cpu_affinity

ROOMS = ("cgroups", "seccomp", "execution", "resctrl", "net_devices", "id_mapped_mounts")


def test_a_plain_plan_imports_none_of_it(tmp_path: Path) -> None:
    """Cgroups, seccomp and the others are imported by the plans that need them."""
    (tmp_path / "rootfs").mkdir()
    config = {
        "ociVersion": "1.0.0",
        "root": {"path": "rootfs"},
        "process": {"args": ["true"], "cwd": "/"},
        "linux": {"namespaces": [{"type": "mount"}]},
    }
    script = (
        "import sys\n"
        "from pytest_nsisolate.cli import run\n"
        "from pytest_nsisolate.runtime import preparation\n"
        "from pytest_nsisolate.runtime.spec import config as spec\n"
        f"plan = spec.parse({config!r}, {str(tmp_path)!r})\n"
        "preparation.prepare(plan, 'id', {})\n"
        f"rooms = ['pytest_nsisolate.runtime.' + name for name in {ROOMS!r}]\n"
        "print([name for name in rooms if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("numbers", "mask"), [("", 0), ("0", 1), ("1-3", 0b1110), ("0,2-3,64", 0b1101 | 1 << 64)]
)
def test_lists_of_numbers(numbers: str, mask: int) -> None:
    """A list such as ``0-3,7`` as a mask."""
    assert bits(numbers) == mask


def test_the_cpus_of_exec() -> None:
    """``execCPUAffinity`` binds the calling process; CPUs that are not there are an error."""
    before = os.sched_getaffinity(0)
    try:
        set_cpu_affinity(str(min(before)))
        assert os.sched_getaffinity(0) == {min(before)}
        with pytest.raises(SetupError, match=r"process\.execCPUAffinity"):
            set_cpu_affinity("1000")
    finally:
        os.sched_setaffinity(0, before)
