"""The runtime-spec's JSON schema, where fetch.py has put it: its properties, and its say on a document."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from .. import capabilities
from .fetching import FILES, VERSION_FILE, default_directory

_BASE = "https://schema.invalid/"
_PLATFORMS = ("vm", "windows", "solaris", "freebsd", "zos")


@dataclass(frozen=True, kw_only=True)
class Property:
    """What the schema says of a property; *path* is as in the tables. None and empty: it says nothing."""

    path: str
    kind: str
    required: bool = False
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None


def need_schema() -> Path:
    """Return the schema's directory; skip, or fail where everything must work, without one."""
    directory = default_directory()
    there = all((directory / name).is_file() for name in FILES)
    capabilities.need(there, "the runtime-spec's schema (python tests/runtime_spec/fetch.py)")
    return directory


def schema_version() -> str:
    """Return the version of the schema that is there."""
    return (need_schema() / VERSION_FILE).read_text().strip()


def validation_errors(name: str, document: object) -> list[str]:
    """Return what the schema in the file *name* has against *document*."""
    validator = _validator(need_schema(), name)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


@functools.cache
def _validator(directory: Path, name: str) -> Any:
    registry: Any = Registry()
    for file in FILES:
        content = json.loads((directory / file).read_text())
        resource = Resource.from_contents(content, default_specification=DRAFT4)
        registry = registry.with_resource(f"{_BASE}{file}", resource)
    return jsonschema.Draft4Validator({"$ref": f"{_BASE}{name}"}, registry=registry.crawl())


def properties(name: str) -> list[Property]:
    """Return the properties that the schema in the file *name* has; another platform's as one."""
    return list(_walk({"$ref": f"{name}#"}, name, Property(path="", kind="object")))


def _walk(node: dict[str, Any], file: str, found: Property) -> Iterator[Property]:
    """Yield the property that *node* of *file* is about, and all below."""
    merged, file = _merged(node, file)
    if found.path in _PLATFORMS:
        yield replace(found, kind="another")
        return
    kind = merged.get("type", found.kind)
    if not merged.get("properties") and (_map_values(merged) is not None):
        kind = "map"
    if merged.get("enum") or kind == "enum":
        kind = "enum"
    if found.path:
        yield replace(
            found,
            kind=kind,
            choices=tuple(merged.get("enum", ())),
            low=merged.get("minimum"),
            high=merged.get("maximum"),
        )
    for key, (inner, inner_file) in merged.get("properties", {}).items():
        path = f"{found.path}.{key}".lstrip(".")
        required = key in merged.get("required", ())
        yield from _walk(inner, inner_file, Property(path=path, kind="", required=required))
    for suffix, inner in (("[]", merged.get("items")), (".*", _map_values(merged))):
        if inner is not None:
            yield from _walk(inner, file, Property(path=f"{found.path}{suffix}", kind=""))


def _map_values(node: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a map's values, or None for what is no map."""
    values: Any = node.get("additionalProperties") or next(
        iter(node.get("patternProperties", {}).values()), None
    )
    return values if isinstance(values, dict) else None


def _merged(node: dict[str, Any], file: str) -> tuple[dict[str, Any], str]:
    """Return *node* with what it refers to and consists of; properties come with their file."""
    merged: dict[str, Any] = {"properties": {}, "required": []}
    parts = [node, *node.get("allOf", ()), *node.get("anyOf", ())]
    used = file
    for part in parts:
        if "$ref" in part:
            target, target_file = _resolve(part["$ref"], file)
            inner, used = _merged(target, target_file)
            merged["properties"] |= inner.pop("properties")
            merged["required"] += inner.pop("required")
            merged |= inner
        merged["properties"] |= {k: (v, file) for k, v in part.get("properties", {}).items()}
        merged["required"] += part.get("required", ())
        plain = ("type", "enum", "minimum", "maximum", "items", "additionalProperties",
                 "patternProperties")  # fmt: skip
        merged |= {key: part[key] for key in plain if key in part}
    return merged, used


def _resolve(reference: str, file: str) -> tuple[dict[str, Any], str]:
    name, _, pointer = reference.partition("#")
    target: Any = json.loads((need_schema() / (name or file)).read_text())
    for part in pointer.strip("/").split("/"):
        target = target[part] if part else target
    return target, name or file
