"""``linux.intelRdt``, on a directory that looks like resctrl: this machine may have none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pytest_nsisolate.runtime.errors import NsisolateError
from pytest_nsisolate.runtime.execution.records import IntelRdt
from pytest_nsisolate.runtime.preparation import Preparation
from pytest_nsisolate.runtime.resctrl import prepare


def test_without_an_id_the_class_is_the_containers(tmp_path: Path) -> None:
    """The container's own class is made, and removed with it."""
    made = prepare(IntelRdt(), "box", str(tmp_path))
    assert made.directory == f"{tmp_path}/box"
    made.join()
    assert (tmp_path / "box/tasks").read_text() == "0"
    (tmp_path / "box/tasks").unlink()
    made.remove()
    assert not (tmp_path / "box").exists()


def test_the_bandwidth_of_its_own_property_wins(tmp_path: Path) -> None:
    """config-linux.md: a line MB: of l3CacheSchema gives way to memBwSchema; schemata comes last."""
    wanted = IntelRdt(
        clos_id="named",
        l3_cache_schema="L3:0=f\nMB:0=1",
        mem_bw_schema="MB:0=20",
        schemata=("L2:0=3",),
    )
    made = prepare(wanted, "box", str(tmp_path))
    assert (tmp_path / "named/schemata").read_text() == "L2:0=3\n"  # a real one keeps all lines
    assert made.made == (), "a named class stays"


def test_a_class_that_is_there_must_agree(tmp_path: Path) -> None:
    """config-linux.md: an existing class with other schemata is an error, and so is a missing one."""
    (tmp_path / "named").mkdir()
    (tmp_path / "named/schemata").write_text("    L3:0=f;1=f\n")
    assert prepare(IntelRdt(clos_id="named"), "box", str(tmp_path)).directory.endswith("/named")
    prepare(IntelRdt(clos_id="named", l3_cache_schema="L3:0=f;1=f"), "box", str(tmp_path))
    with pytest.raises(NsisolateError, match=r"linux\.intelRdt"):
        prepare(IntelRdt(clos_id="named", l3_cache_schema="L3:0=1"), "box", str(tmp_path))
    with pytest.raises(NsisolateError, match="closID"):
        prepare(IntelRdt(clos_id="missing"), "box", str(tmp_path))


@pytest.mark.parametrize("field", ["enable_monitoring", "enable_cmt", "enable_mbm"])
def test_a_monitoring_group_is_the_containers(tmp_path: Path, field: str) -> None:
    """A group of its own below the class, which its processes join, and which goes with it."""
    (tmp_path / "named/mon_groups").mkdir(parents=True)
    (tmp_path / "named/schemata").touch()
    wanted = IntelRdt(clos_id="named").replace(**{field: True})
    made = prepare(wanted, "box", str(tmp_path))
    made.join()
    for directory in ("named", "named/mon_groups/box"):
        assert (tmp_path / directory / "tasks").read_text() == "0"
    (tmp_path / "named/mon_groups/box/tasks").unlink()
    made.remove()
    assert not (tmp_path / "named/mon_groups/box").exists()
    assert (tmp_path / "named").is_dir(), "a named class stays"


def test_other_schemata_for_a_class_in_use(tmp_path: Path) -> None:
    """``update`` writes to the container's own class, which a state file has kept."""
    preparation = Preparation()
    preparation.class_of_service = prepare(IntelRdt(), "box", str(tmp_path))
    kept = Preparation.of_groups(json.loads(json.dumps(preparation.groups()))).class_of_service
    assert kept is not None
    kept.change(IntelRdt(mem_bw_schema="MB:0=20"))
    assert (tmp_path / "box/schemata").read_text() == "MB:0=20\n"
    assert kept.made == (f"{tmp_path}/box",)


def test_processes_that_run_are_moved_in(tmp_path: Path) -> None:
    """All threads of a process are; one that has just ended is none."""
    made = prepare(IntelRdt(), "box", str(tmp_path))
    (tmp_path / "box/tasks").touch()
    made.take([2**22 - 1, os.getpid()])
    assert (tmp_path / "box/tasks").read_text() in os.listdir("/proc/self/task")
