"""Each property of config.json with each kind of wrong value: one sentence, with the property's path."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_nsisolate.runtime.errors import SpecError, UnsupportedError
from pytest_nsisolate.runtime.plan import Plan
from pytest_nsisolate.runtime.spec import config as spec

from .complete import complete_config, put, take, way_to
from .table import Field, config_fields
from .wrong_values import Wrong, wrong_values

SUPPORTED = [field for field in config_fields() if "refused" not in field.flags]


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """Return a bundle directory with a rootfs."""
    (tmp_path / "rootfs").mkdir()
    return str(tmp_path)


def test_the_complete_config_is_right(bundle: str) -> None:
    """What the wrong values are put into is right itself, and has all that can be had."""
    assert isinstance(spec.parse(complete_config(), bundle), Plan)


@pytest.mark.parametrize("field", SUPPORTED, ids=str)
def test_wrong_values_are_refused(bundle: str, field: Field) -> None:
    """Each is refused by one sentence: the path, the value, and what would be right."""
    chosen = [wrong for wrong in wrong_values() if wrong.field == field]
    assert len(chosen) >= 5
    problems = [f"{wrong}: {problem}" for wrong in chosen if (problem := _problem(wrong, bundle))]
    assert not problems, "\n".join(problems)


def _problem(wrong: Wrong, bundle: str) -> str:
    """Return what is wrong with how the value is refused, or an empty string."""
    try:
        spec.parse(wrong.config(), bundle)
    except SpecError as error:
        sentence = str(error)
    except UnsupportedError as error:
        return f"said to be right, but not supported: {error}"
    else:
        return "accepted"
    sentence.encode()
    if not sentence.startswith(f"{wrong.path}: "):
        return f"another field is named: {sentence}"
    if "\n" in sentence or sentence.endswith("."):
        return f"not a sentence of one line: {sentence}"
    missing = [part for part in wrong.says if part not in sentence]
    return f"{missing} is not said: {sentence}" if missing else ""


@pytest.mark.parametrize(
    "field",
    [f for f in SUPPORTED if not f.is_item and not f.flags & {"required", "refused"}],
    ids=str,
)
def test_null_is_as_good_as_nothing(bundle: str, field: Field) -> None:
    """A property that is null is one that is not there, for all that may be absent."""
    keys = way_to(field)
    there = put(complete_config(), keys, None)
    results = [_result(there, bundle), _result(take(there, keys), bundle)]
    assert results[0] == results[1]


def _result(config: dict[str, object], bundle: str) -> object:
    try:
        return spec.parse(config, bundle)
    except (SpecError, UnsupportedError) as error:
        return str(error)
