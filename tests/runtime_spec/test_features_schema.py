"""The output of ``features`` against the schema; whether it is true, tests/oci/test_features.py asks."""

from __future__ import annotations

from typing import Any

from pytest_nsisolate.cli.features import features

from .schema import validation_errors


def test_it_is_valid() -> None:
    """The spec's own schema has nothing against it."""
    assert validation_errors("features-schema.json", features()) == []


def test_something_else_would_not_be() -> None:
    """The schema is looked at: a structure that is wrong in several ways is refused for each."""
    wrong: dict[str, Any] = features()
    wrong |= {"hooks": "prestart", "linux": wrong["linux"] | {"namespaces": ["nosuch"]}}
    del wrong["ociVersionMax"]
    assert len(validation_errors("features-schema.json", wrong)) == 3
