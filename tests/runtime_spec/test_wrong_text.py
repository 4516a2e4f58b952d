"""The text of config.json: what is no JSON, and JSON that is not as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_nsisolate.runtime.errors import SpecError
from pytest_nsisolate.runtime.plan import Plan
from pytest_nsisolate.runtime.spec import config as spec

from .complete import complete_config, put, way_to
from .table import Field, config_fields


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a bundle directory with a rootfs."""
    (tmp_path / "rootfs").mkdir()
    return tmp_path


def load(bundle: Path, text: bytes) -> Plan:
    """Return the plan of a bundle whose config.json is that text."""
    (bundle / "config.json").write_bytes(text)
    return spec.load(str(bundle))


def complete_text() -> str:
    """Return the complete config as text."""
    return json.dumps(complete_config())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "it is empty"),
        (b" \n\t", "it is empty"),
        (b"{", "line 1 column 2"),
        (b'{"a": 1,}', "line 1"),
        (b"{'a': 1}", "line 1 column 2"),
        (b'{"a": 1} {}', "Extra data"),
        (b'{"a": "\0"}', "control character"),
        (b'{"a": "\xff"}', "can't decode byte 0xff"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"hooks": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_what_is_not_json(bundle: Path, text: bytes, says: str) -> None:
    """One sentence with the file's path and what is wrong with it, and where."""
    with pytest.raises(SpecError) as caught:
        load(bundle, text)
    sentence = str(caught.value)
    assert sentence.startswith(f"'{bundle}/config.json' is not JSON: ")
    assert says in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "shown"),
    [(b"null", "null"), (b"[]", "[]"), (b"5", "5"), (b'"x"', "'x'"), (b"true", "true")],
)
def test_json_that_is_no_object(bundle: Path, text: bytes, shown: str) -> None:
    """All of config.json is one object."""
    with pytest.raises(SpecError) as caught:
        load(bundle, text)
    assert str(caught.value) == f"config.json: {shown} is not an object"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('{"ociVersion"', '{"hostname": "other", "ociVersion"', "hostname"),
        ('"args": [', '"cwd": "/", "args": [', "process.cwd"),
        ('{"type": "RLIMIT', '{"soft": 1, "type": "RLIMIT', "process.rlimits[0].soft"),
        ('"A=b"', '{"x": [{"y": 1, "y": 2}]}', "process.env[0].x[0].y"),
        ('{"org.example": "yes"', '{"org.example": "yes", "org.example": "no"',
         "annotations.org.example"),
    ],
)  # fmt: skip
def test_a_name_that_is_there_twice(bundle: Path, old: str, new: str, path: str) -> None:
    """One of the two values would be ignored, so neither is taken."""
    text = complete_text()
    assert old in text
    with pytest.raises(SpecError) as caught:
        load(bundle, text.replace(old, new, 1).encode())
    assert str(caught.value) == f"{path}: is there twice in one object; keep one of them"


@pytest.mark.parametrize("digits", ["9" * 4300, "-" + "9" * 5000, "1" * 200_000])
def test_a_number_with_very_many_digits(bundle: Path, digits: str) -> None:
    """Python reads no such number; what is wrong with it is said all the same."""
    text = complete_text().replace('"limit": 4000', f'"limit": {digits}')
    with pytest.raises(SpecError) as caught:
        load(bundle, text.encode())
    assert caught.value.field == "linux.resources.memory.limit"
    assert caught.value.problem.endswith(" is not between -1 and 9223372036854775807")
    assert len(caught.value.problem) < 150


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "4e3", "4000.0"])
def test_a_number_that_is_not_whole(bundle: Path, number: str) -> None:
    """A float is no byte count, also where it has no fraction."""
    text = complete_text().replace('"limit": 4000', f'"limit": {number}')
    with pytest.raises(SpecError, match="is not a whole number") as caught:
        load(bundle, text.encode())
    assert caught.value.field == "linux.resources.memory.limit"


@pytest.mark.parametrize("field", [f for f in config_fields() if f.kind == "string"], ids=str)
def test_a_deeply_nested_value(bundle: Path, field: Field) -> None:
    """Nesting that JSON allows, and Python cannot print, is refused like any other wrong type."""
    deep = "[" * 900 + "]" * 900
    text = json.dumps(put(complete_config(), way_to(field), "DEEP")).replace('"DEEP"', deep)
    with pytest.raises(SpecError, match="is not a string"):
        load(bundle, text.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings(bundle: Path, encoding: str) -> None:
    """A byte order mark, and the other encodings that JSON once had, are read."""
    config = complete_config() | {"hostname": "grüße"}
    text = json.dumps(config, ensure_ascii=False).encode(encoding)
    assert load(bundle, text).hostname == "grüße"


def test_escapes_that_are_no_text(bundle: Path) -> None:
    """What JSON can write and the kernel cannot take is refused by the property that has it."""
    for escape, says in (("\\u0000", "NUL"), ("\\ud800", "surrogate"), ("\\udc00x", "surrogate")):
        text = complete_text().replace('"box"', f'"b{escape}"')
        with pytest.raises(SpecError, match=says) as caught:
            load(bundle, text.encode())
        assert caught.value.field == "hostname"
        text = complete_text().replace('"org.example"', f'"org{escape}"')
        with pytest.raises(SpecError, match=says) as caught:
            load(bundle, text.encode())
        assert caught.value.field == "annotations"


def test_a_pair_of_surrogates_is_a_character(bundle: Path) -> None:
    """Both halves together are text."""
    text = complete_text().replace('"org.example": "yes"', '"org.example": "\\ud83d\\ude00"')
    assert load(bundle, text.encode()).annotations == (("org.example", "\N{GRINNING FACE}"),)


def test_unknown_properties_are_ignored_everywhere(bundle: Path) -> None:
    """config.md: unknown properties MUST be ignored, in each object that is not a map."""
    config = complete_config()
    maps = [way_to(field) for field in config_fields() if field.kind == "map"]
    added = _add_unknown(config, (), maps)
    assert added > 40
    plain = load(bundle, complete_text().encode())
    assert load(bundle, json.dumps(config).encode()) == plain


def _add_unknown(value: Any, way: tuple[str | int, ...], maps: list[tuple[str | int, ...]]) -> int:
    """Put a property that nobody knows into each object; return how many there were."""
    if isinstance(value, list):
        return sum(_add_unknown(inner, (*way, i), maps) for i, inner in enumerate(value))
    if not isinstance(value, dict):
        return 0
    # The clocks of timeOffsets are the keys of a map, too, in the words of the spec.
    is_map = way in maps or way[-1:] == ("timeOffsets",)
    count = sum(_add_unknown(inner, (*way, key), maps) for key, inner in list(value.items()))
    if not is_map:
        value["fromTheFuture"] = {"a": [1, None]}
    return count + (not is_map)
