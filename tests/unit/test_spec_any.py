"""Whatever is in config.json it is a plan or refused; a plan survives being written and read."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_nsisolate.runtime.errors import SpecError, UnsupportedError
from pytest_nsisolate.runtime.plan import Plan, Root
from pytest_nsisolate.runtime.spec import config as spec
from pytest_nsisolate.runtime.spec.decoding import decode
from pytest_nsisolate.runtime.spec.default import default_plan
from pytest_nsisolate.runtime.spec.writer import to_config

from .plans import plans
from .plans import whole_config as whole


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """Return a bundle directory with a rootfs."""
    (tmp_path / "rootfs").mkdir()
    return str(tmp_path)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


def refused_or_plan(config: object, bundle: str) -> None:
    """Parse; nothing but a plan, a SpecError or an UnsupportedError may come of it."""
    try:
        assert isinstance(spec.parse(config, bundle), Plan)
    except (SpecError, UnsupportedError) as error:
        str(error).encode()


@given(JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_a_plan_or_refused(bundle: str, config: object) -> None:
    """Arbitrary JSON never makes another exception."""
    refused_or_plan(config, bundle)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value in a JSON structure."""
    found = [path] if path else []
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, inner in entries:
        found += places(inner, (*path, key))
    return found


@given(st.sampled_from(places(whole())), JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
def test_any_value_in_any_place_is_a_plan_or_refused(
    bundle: str, place: tuple[str | int, ...], value: object
) -> None:
    """Arbitrary JSON in the place of any one value never makes another exception."""
    config: Any = copy.deepcopy(whole())
    target = config
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    refused_or_plan(config, bundle)


@given(plans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_plan_survives_being_written_and_read(bundle: str, plan: Plan) -> None:
    """Plan → config.json → Plan is the same plan."""
    plan = plan.replace(root=Root(path=f"{bundle}/rootfs", readonly=plan.root.readonly))
    config = json.loads(json.dumps(to_config(plan)))
    assert spec.parse(config, bundle) == plan


@pytest.mark.parametrize("rootless", [False, True])
def test_the_default_plan_survives_too(bundle: str, rootless: bool) -> None:
    """What ``spec`` writes reads back as the default plan."""
    plan = default_plan(rootless=rootless)
    read = spec.parse(json.loads(json.dumps(to_config(plan))), bundle)
    assert read == plan.replace(root=Root(path=f"{bundle}/rootfs", readonly=True))


def test_every_supported_property_survives(bundle: str) -> None:
    """The config that uses everything is the same plan after a round trip."""
    plan = spec.parse(whole(), bundle)
    assert spec.parse(json.loads(json.dumps(to_config(plan))), bundle) == plan


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_decoding_is_that_of_the_json_package(raw: bytes) -> None:
    """The quick decoder gives what ``json.loads`` gives, and refuses what it refuses."""
    try:
        expected = json.loads(raw)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - json's own sentence
            decode(raw)
    else:
        assert repr(decode(raw)) == repr(expected)


@pytest.mark.parametrize("raw", [b'\xef\xbb\xbf{"a": 1}', '{"a": 1}'.encode("utf-16")])
def test_other_encodings_are_read(raw: bytes) -> None:
    """A byte order mark, and UTF-16, are as good as with ``json.loads``."""
    assert decode(raw) == {"a": 1}
