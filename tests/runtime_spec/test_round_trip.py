"""config.json → Plan → config.json: nothing of the spec's properties is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_nsisolate.runtime.execution import settings
from pytest_nsisolate.runtime.spec import config as spec
from pytest_nsisolate.runtime.spec.writer import to_config

from .complete import Keys, complete_config, put, ways, written
from .table import Field, config_fields

#: An array that has to be empty is as good as none.
WITHOUT_A_VALUE = ("linux.personality.flags", "linux.personality.flags[]")
SUPPORTED = [
    field
    for field in config_fields()
    if "refused" not in field.flags and field.path not in WITHOUT_A_VALUE
]


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a bundle directory with a rootfs, on a kernel that has all labels."""
    monkeypatch.setattr(settings, "has_apparmor", lambda: True)
    monkeypatch.setattr(settings, "has_selinux", lambda: True)
    (tmp_path / "rootfs").mkdir()
    return str(tmp_path)


def labelled() -> dict[str, Any]:
    """Return the complete config with its labels."""
    config = complete_config()
    put(config, ("process", "apparmorProfile"), "profile")
    put(config, ("process", "selinuxLabel"), "u:r:t:s0")
    return put(config, ("linux", "mountLabel"), "u:o:t:s0")


def there_and_back(config: dict[str, Any], bundle: str) -> dict[str, Any]:
    """Return the config that the plan of *config* is written as."""
    back: dict[str, Any] = json.loads(json.dumps(to_config(spec.parse(config, bundle))))
    return back


def test_the_plan_is_the_same(bundle: str) -> None:
    """What was written reads back as the plan that it was written from."""
    config = labelled()
    assert spec.parse(there_and_back(config, bundle), bundle) == spec.parse(config, bundle)


@pytest.mark.parametrize("field", SUPPORTED, ids=str)
def test_each_property_is_written_back(bundle: str, field: Field) -> None:
    """Each value of each property is in the written config, at the same place."""
    config = labelled()
    back = there_and_back(config, bundle)
    found = ways(config, field.steps)
    assert found, "the complete config lacks it"
    for keys in found:
        expected, value = _value(config, keys), _value(back, keys)
        if field.kind in {"object", "map", "array"}:
            assert type(value) is type(expected), written(keys)
        elif field.path in {"root.path", "mounts[].source"}:
            assert value.removeprefix(f"{bundle}/") == expected
        else:
            assert value == expected, written(keys)


def _value(config: Any, keys: Keys) -> Any:
    for key in keys:
        config = config[key]
    return config
