"""Our tables of the spec's properties, and what is made from them, against the spec's own schema."""

from __future__ import annotations

import pytest

from .complete import complete_config
from .schema import Property, properties, schema_version, validation_errors
from .table import Field, belongs_to, choices_of, config_fields, features_fields
from .wrong_values import Wrong, wrong_values

TABLES = {"config-schema.json": config_fields(), "features-schema.json": features_fields()}
#: The schema's highest mode is 512, which is 0o1000 and leaves out 0o7000 and the type of file.
WIDER_THAN_THE_SCHEMA = ("linux.devices[].fileMode",)


@pytest.mark.parametrize("name", TABLES)
def test_the_table_has_what_the_schema_has(name: str) -> None:
    """Each property of the schema is in the table, and none but those of other versions besides."""
    found = {p.path for p in properties(name)}
    assert len(found) > 40
    assert found == {f.path for f in TABLES[name] if belongs_to(f, schema_version())}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_agrees_with_the_schema(name: str) -> None:
    """Types, words, ranges and what is required: the table may only be narrower."""
    fields = {field.path: field for field in TABLES[name]}
    problems = [
        f"{p.path}: {problem}"
        for p in properties(name)
        for problem in _differences(fields[p.path], p)
    ]
    assert not problems, "\n".join(problems)


def _differences(field: Field, said: Property) -> list[str]:
    kinds = {said.kind, "enum" if said.kind == "string" and field.choices else said.kind}
    # A set of words that is still empty, and strings that are another platform's.
    if field.path == "linux.personality.flags[]" or (
        field.kind == "another" and said.kind == "string"
    ):
        kinds.add(field.kind)
    found = [] if field.kind in kinds else [f"is {said.kind} and not {field.kind}"]
    choices = choices_of(field, schema_version())
    if said.choices and set(said.choices) != choices:
        found.append(f"{set(said.choices) ^ choices} are in one list only")
    if said.required and "required" not in field.flags:
        found.append("is required")
    if field.path not in WIDER_THAN_THE_SCHEMA and (
        (said.low is not None and field.low < said.low)
        or (said.high is not None and field.high > said.high)
    ):
        found.append(f"is between {said.low} and {said.high}")
    return found


def test_the_complete_config_is_right_by_the_schema() -> None:
    """What the wrong values are put into has nothing in it that the schema refuses."""
    assert validation_errors("config-schema.json", complete_config()) == []


def test_wrong_values_are_wrong_by_the_schema() -> None:
    """What we refuse for its type, for being absent or for being another word, the schema refuses too."""
    said = {p.path: p for p in properties("config-schema.json")}
    chosen: dict[tuple[str, str], Wrong] = {}
    for wrong in wrong_values():
        of_schema = said.get(wrong.field.path)
        if of_schema and _is_for_the_schema(wrong, of_schema):
            chosen.setdefault((wrong.field.path, wrong.error), wrong)
    assert len(chosen) > 250
    accepted = [
        str(wrong)
        for wrong in chosen.values()
        if not validation_errors("config-schema.json", wrong.config())
    ]
    assert not accepted


def _is_for_the_schema(wrong: Wrong, said: Property) -> bool:
    match wrong.error:
        case "type":
            return True
        case "missing":
            return said.required
        case "choice":
            return bool(said.choices)
        case "range":
            outside = said.low is not None and wrong.value < said.low
            return outside or (said.high is not None and wrong.value > said.high)
        case _:
            return False
