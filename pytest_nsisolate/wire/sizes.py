"""How much may be made of a message: JSON of a few bytes a value takes many times its length in memory."""

from __future__ import annotations

import re

#: Values, names and brackets of one message: a traceback of a hundred thousand lines has fewer.
VALUE_LIMIT = 1_000_000

#: Entries of a dictionary whose keys are no strings: those of chosen numbers or tuples can all have one hash.
ODD_KEYS_LIMIT = 1000

_STRUCTURE = (b"[", b"{", b",")
#: Possessive, so that no text takes more than one pass.
_STRING = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"')


def is_too_much(raw: bytes) -> bool:
    """Tell whether the JSON text *raw* has more than VALUE_LIMIT values."""
    if _count(raw) <= VALUE_LIMIT:
        return False
    # What is in strings does not count; two more quotes end one that has no end.
    return _count(_STRING.sub(b"", raw + b'""')) > VALUE_LIMIT


def _count(raw: bytes) -> int:
    return sum(raw.count(sign) for sign in _STRUCTURE)
