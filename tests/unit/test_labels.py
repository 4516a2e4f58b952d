"""AppArmor and SELinux labels, on files that look like the kernel's: this machine may have neither."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_nsisolate.runtime.errors import SetupError, UnsupportedError
from pytest_nsisolate.runtime.execution import settings
from pytest_nsisolate.runtime.execution.settings import Settings, check_labels
from pytest_nsisolate.runtime.plan import Plan, Process, Root


def plan_with(**fields: str) -> Plan:
    """Return a plan whose process has labels."""
    return Plan(root=Root(path="/"), process=Process(args=("true",)).replace(**fields))


def apply(plan: Plan, proc: Path) -> None:
    """Apply the labels of a plan, below a directory that stands for /proc."""
    assert plan.process is not None
    applied = Settings(plan, plan.process)
    fd = os.open(proc, os.O_RDONLY)
    try:
        applied.open_labels(fd)
    finally:
        os.close(fd)
    applied.apply()


@pytest.mark.parametrize(
    ("fields", "directory", "written"),
    [
        ({"apparmor_profile": "docker-default"}, "apparmor", "exec docker-default"),
        ({"selinux_label": "u:r:t:s0:c1,c2"}, "selinux", "u:r:t:s0:c1,c2"),
        ({"apparmor_profile": "docker-default"}, "", "exec docker-default"),
        ({"selinux_label": "u:r:t:s0:c1,c2"}, "", "u:r:t:s0:c1,c2"),
    ],
)
def test_a_label_is_written_for_the_next_execve(
    tmp_path: Path, fields: dict[str, str], directory: str, written: str
) -> None:
    """proc(5): to the module's own file where there is one, otherwise to the one that they share."""
    file = tmp_path / "self/attr" / directory / "exec"
    file.parent.mkdir(parents=True)
    file.touch()
    apply(plan_with(**fields), tmp_path)
    assert file.read_text() == written


def test_a_kernel_without_the_files(tmp_path: Path) -> None:
    """Nowhere to write to is an error."""
    with pytest.raises(SetupError, match=r"process\.selinuxLabel: .*/proc/self/attr/exec"):
        apply(plan_with(selinux_label="u:r:t"), tmp_path)


@pytest.mark.parametrize(
    ("plan", "field", "module"),
    [
        (plan_with(apparmor_profile="x"), "process.apparmorProfile", "has_apparmor"),
        (plan_with(selinux_label="x"), "process.selinuxLabel", "has_selinux"),
        (Plan(root=Root(path="/"), mount_label="x"), "linux.mountLabel", "has_selinux"),
    ],
)
def test_labels_need_the_module(
    monkeypatch: pytest.MonkeyPatch, plan: Plan, field: str, module: str
) -> None:
    """A label that the kernel cannot give is refused by its field; one that it can is taken."""
    monkeypatch.setattr(settings, module, lambda: False)
    with pytest.raises(UnsupportedError, match=f"^{field}: this kernel has no"):
        check_labels(plan)
    monkeypatch.setattr(settings, module, lambda: True)
    check_labels(plan)
