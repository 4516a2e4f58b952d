"""Frozen, slotted, keyword-only records.

``dataclasses`` would do, but importing it takes 14 ms, which is more than all of ``nsisolate run``
has to spend. Type checkers see a frozen, keyword-only dataclass; at run time this is all there is.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_options: object) -> Callable[[type], type]:
        """Stand in for :func:`typing.dataclass_transform`, which matters to type checkers only."""
        return lambda cls: cls


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
class RecordType(type):
    """The metaclass that turns annotations into slots and a keyword-only ``__init__``."""

    _fields: tuple[str, ...]
    _defaults: dict[str, Any]

    def __new__(mcls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> RecordType:
        """Make the class: annotations are slots, and what they are assigned are defaults."""
        own = tuple(body.get("__annotations__", {}))
        defaults = {field: body.pop(field) for field in own if field in body}
        body["__slots__"] = own
        cls = super().__new__(mcls, name, bases, body)
        inherited = [base for base in bases if isinstance(base, RecordType)]
        cls._fields = tuple(f for base in inherited for f in base._fields) + own
        inherited_defaults = [base._defaults for base in inherited]  # noqa: SLF001 - our own class
        cls._defaults = {k: v for known in inherited_defaults for k, v in known.items()} | defaults
        return cls


class Record(metaclass=RecordType):
    """An immutable value: equal when its type and all of its fields are equal."""

    if not TYPE_CHECKING:

        def __init__(self, **values: object) -> None:
            cls = type(self)
            for field in cls._fields:
                if field in values:
                    object.__setattr__(self, field, values.pop(field))
                elif field in cls._defaults:
                    object.__setattr__(self, field, cls._defaults[field])
                else:
                    raise TypeError(f"{cls.__name__}() is missing the field {field!r}")
            if values:
                raise TypeError(f"{cls.__name__}() has no field {next(iter(values))!r}")

        def __setattr__(self, field: str, value: object) -> None:
            raise AttributeError(f"{type(self).__name__} is frozen: {field!r} cannot be set")

        def __delattr__(self, field: str) -> None:
            raise AttributeError(f"{type(self).__name__} is frozen: {field!r} cannot be deleted")

    def replace(self, **changes: object) -> Self:
        """Return a copy with *changes* in place of the fields that they name."""
        values = {field: getattr(self, field) for field in type(self)._fields}
        return type(self)(**(values | changes))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, f) == getattr(other, f) for f in type(self)._fields)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, f) for f in type(self)._fields)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{f}={getattr(self, f)!r}" for f in type(self)._fields)
        return f"{type(self).__name__}({fields})"
