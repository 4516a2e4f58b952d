"""Properties of the unit that are asked for by annotations: ``org.systemd.property.NAME``.

The values are in the text format of GVariant, as for runc and crun:
``"org.systemd.property.TimeoutStopUSec": "uint64 123456789"``.
"""

from __future__ import annotations

from ...errors import SpecError
from ...spec.reader import show
from . import gvariant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .properties import Property

_PREFIX = "org.systemd.property."
#: What makes the unit a container's; another value would undo it.
_OURS = ("Delegate", "PIDs", "Slice")
_USEC = 1_000_000


def read_properties(annotations: Sequence[tuple[str, str]]) -> list[Property]:
    """Return the properties, in their order. Raises SpecError."""
    found = []
    for key, text in annotations:
        if key.startswith(_PREFIX):
            name = key.removeprefix(_PREFIX)
            field = f"annotations.{key}"
            if len(name) < 3 or not (name.isascii() and name.isalpha()):
                raise SpecError(field, f"{show(name)} is not the name of a property")
            if name in _OURS:
                raise SpecError(field, "cannot be set: it is what makes the unit a container's")
            found.append(_property(name, text, field))
    return found


def _property(name: str, text: str, field: str) -> Property:
    try:
        kind, value = gvariant.parse(text)
    except ValueError as error:
        raise SpecError(field, f"{show(text)} is not a value of GVariant: {error}") from None
    # Unit files say TimeoutStopSec, D-Bus TimeoutStopUSec; both work.
    if name.endswith("Sec") and name[-4:-3].islower():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SpecError(field, f"{show(text)} is not a number of seconds")
        return name.removesuffix("Sec") + "USec", ("t", _microseconds(value, text, field))
    return name, (kind, value)


def _microseconds(seconds: float, text: str, field: str) -> int:
    if not 0 <= seconds * _USEC < 2**64:
        raise SpecError(field, f"{show(text)} is not a number of seconds that systemd can take")
    return int(seconds * _USEC)
