"""What the spec has and this platform or this kernel has not: refused by name, never left out in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_nsisolate.runtime.cgroups import limits
from pytest_nsisolate.runtime.errors import UnsupportedError
from pytest_nsisolate.runtime.execution import settings
from pytest_nsisolate.runtime.resources import Resources
from pytest_nsisolate.runtime.spec import config as spec
from pytest_nsisolate.runtime.spec.reader import Reader
from pytest_nsisolate.runtime.spec.resources import read_resources

from .complete import complete_config, put, way_to
from .table import Field, config_fields

OTHER_PLATFORMS = [field for field in config_fields() if "refused" in field.flags]


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """Return a bundle directory with a rootfs."""
    (tmp_path / "rootfs").mkdir()
    return str(tmp_path)


def test_the_list_has_all_of_them() -> None:
    """The platforms of spec.md, and what Windows has in the fields that all share."""
    assert {field.path for field in OTHER_PLATFORMS} == {
        "vm", "windows", "solaris", "zos", "freebsd", "process.commandLine", "process.user.username",
    }  # fmt: skip


@pytest.mark.parametrize("field", OTHER_PLATFORMS, ids=str)
@pytest.mark.parametrize("value", [{"a": 1}, "x", 5, True, False, 0, ["x"], []])
def test_another_platforms_property(bundle: str, field: Field, value: object) -> None:
    """Whatever its value, one sentence names it and what to do."""
    with pytest.raises(UnsupportedError) as caught:
        spec.parse(put(complete_config(), way_to(field), value), bundle)
    assert str(caught.value) == (
        f"{field.path}: is for another platform than Linux; remove it to run without it"
    )


@pytest.mark.parametrize(
    ("section", "keys", "module"),
    [
        ("process.apparmorProfile", ("process", "apparmorProfile"), "has_apparmor"),
        ("process.selinuxLabel", ("process", "selinuxLabel"), "has_selinux"),
        ("linux.mountLabel", ("linux", "mountLabel"), "has_selinux"),
    ],
)
def test_a_label_without_its_module(
    bundle: str, monkeypatch: pytest.MonkeyPatch, section: str, keys: tuple[str, str], module: str
) -> None:
    """A kernel without AppArmor or SELinux gives no label, and says so."""
    monkeypatch.setattr(settings, module, lambda: False)
    with pytest.raises(UnsupportedError, match=f"^{section}: this kernel has no .* or it is off$"):
        spec.parse(put(complete_config(), keys, "label"), bundle)


#: Each part of linux.resources, and the controllers that could enforce it on cgroup v1 and v2.
PARTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("memory", {"memory": {"limit": 1}}, "memory", "memory"),
    ("cpu", {"cpu": {"shares": 1}}, "cpu", "cpu"),
    ("cpu.cpus", {"cpu": {"cpus": "0"}}, "cpuset", "cpuset"),
    ("cpu.cpus", {"cpu": {"mems": "0"}}, "cpuset", "cpuset"),
    ("pids", {"pids": {"limit": 1}}, "pids", "pids"),
    ("blockIO", {"blockIO": {"weight": 10}}, "blkio", "io"),
    ("hugepageLimits", {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}, "hugetlb", "hugetlb"),
    ("network.classID", {"network": {"classID": 1}}, "net_cls", ""),
    (
        "network.priorities",
        {"network": {"priorities": [{"name": "lo", "priority": 1}]}},
        "net_prio",
        "",
    ),
    ("rdma", {"rdma": {"x": {"hcaHandles": 1}}}, "rdma", "rdma"),
]
V1 = {v1 for _field, _part, v1, _v2 in PARTS}
V2 = {v2 for _field, _part, _v1, v2 in PARTS} - {""}


@pytest.mark.parametrize(("field", "part", "v1", "v2"), PARTS)
def test_a_limit_without_its_controller(field: str, part: dict[str, Any], v1: str, v2: str) -> None:
    """On either version, all controllers but the one that is needed are of no use."""
    resources = read_resources(Reader(part, "linux.resources"))
    assert isinstance(resources, Resources)
    for v1_there, v2_there in ((V1 - {v1}, ()), ((), V2 - {v2}), (V1 - {v1}, V2 - {v2})):
        with pytest.raises(UnsupportedError) as caught:
            limits.writes(resources, v1_there, v2_there)
        sentence = str(caught.value)
        assert sentence.startswith(f"linux.resources.{field}: ")
        assert repr(v1) in sentence or repr(v2) in sentence
        assert "\n" not in sentence
    assert limits.writes(resources, {v1}, ())
    assert not v2 or limits.writes(resources, (), {v2})


@pytest.mark.parametrize("name", ["memory.high", "io.max", "hugetlb.1GB.max", "misc.max"])
def test_a_file_without_its_controller(name: str) -> None:
    """config-linux.md: a controller that is not there MUST be an error."""
    resources = read_resources(Reader({"unified": {name: "1"}}, "linux.resources"))
    assert resources is not None
    there = {"memory", "io", "hugetlb", "misc"} - {name.partition(".")[0]}
    with pytest.raises(UnsupportedError, match=rf"^linux\.resources\.unified\.{name}: "):
        limits.writes(resources, V1, there)
