"""The text format of GVariant, as far as D-Bus has its types (docs.gtk.org, "GVariant Text Format").

::

    true   'text'   7   1.5   uint64 7   ['a', 'b']   (1, 'two')   @as []   <'of any type'>

A value is given as a pair of its D-Bus signature and what stands for it in Python: arrays are lists, tuples
tuples, variants pairs again; an array of bytes is a list of numbers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_KEYWORDS = {
    "boolean": "b",
    "byte": "y",
    "int16": "n",
    "uint16": "q",
    "int32": "i",
    "uint32": "u",
    "int64": "x",
    "uint64": "t",
    "double": "d",
    "string": "s",
    "objectpath": "o",
    "signature": "g",
}
_BOUNDS = {
    "y": (0, 2**8),
    "n": (-(2**15), 2**15),
    "q": (0, 2**16),
    "i": (-(2**31), 2**31),
    "u": (0, 2**32),
    "x": (-(2**63), 2**63),
    "t": (0, 2**64),
}
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DEEPEST = 16

Value = tuple[str, object]


def parse(text: str) -> Value:
    """Return the value that *text* is. Raises ValueError with the reason."""
    reader = _Reader(text)
    found = reader.value("", 0)
    if reader.next_token():
        reader.fail("something follows the value")
    return found


class _Reader:
    """The text, and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def fail(self, problem: str) -> NoReturn:
        raise ValueError(f"{problem} (at character {self.position + 1})")

    def peek(self) -> str:
        """Return the next character that is not white space, or an empty string."""
        while self.text[self.position : self.position + 1].isspace():
            self.position += 1
        return self.text[self.position : self.position + 1]

    def next_token(self) -> str:
        """Return the next bracket or comma, or the next word, without reading it."""
        first = self.peek()
        end = self.position
        if first and first in "[](),<>'\"":
            return first
        while self.text[end : end + 1] and self.text[end] not in " \t\n[](),<>'\"":
            end += 1
        return self.text[self.position : end]

    def take(self, expected: str = "") -> str:
        """Read the next token."""
        token = self.next_token()
        if expected and token != expected:
            self.fail(f"{expected!r} is missing")
        self.position += len(token)
        return token

    def value(self, signature: str, depth: int) -> Value:
        """Read a value: of the type *signature*, or, if that is empty, of whatever type it has."""
        if depth > _DEEPEST:
            self.fail("it is nested too deeply")
        token = self.next_token()
        if token.startswith("@") or token in _KEYWORDS:
            stated = self._stated_type(self.take())
            if signature not in ("", stated):
                self.fail(f"the type {signature!r} is expected, not {stated!r}")
            return self.value(stated, depth + 1)
        found = self._of_type(token, signature, depth)
        if signature not in ("", found[0]):
            self.fail(f"the type {signature!r} is expected, not {found[0]!r}")
        return found

    def _stated_type(self, token: str) -> str:
        if token in _KEYWORDS:
            return _KEYWORDS[token]
        # A tuple's parentheses are tokens of their own.
        signature = token[1:]
        while not _is_signature(signature) and self.peek():
            signature += self.take()
        if not _is_signature(signature):
            self.fail(f"{signature!r} is not a type")
        return signature

    def _of_type(self, token: str, signature: str, depth: int) -> Value:
        if token in ("'", '"'):
            kind = signature if signature in ("o", "g") else "s"
            text = self._string()
            if not _is_text(text, kind):
                self.fail(f"{text!r} is not of the type {kind!r}")
            return kind, text
        if token == "[":
            return self._array(signature, depth)
        if token == "(":
            return self._tuple(signature, depth)
        if token == "<":
            self.take()
            inner = self.value("", depth + 1)
            self.take(">")
            return "v", inner
        if token in ("true", "false"):
            self.take()
            return "b", token == "true"
        if not token:
            self.fail("a value is missing")
        return self._number(self.take(), signature)

    def _string(self) -> str:
        quote = self.text[self.position]
        self.position += 1
        found = ""
        while True:
            character = self.text[self.position : self.position + 1]
            if not character:
                self.fail("the string has no end")
            self.position += 1
            if character == quote:
                return found
            found += self._escaped() if character == "\\" else character

    def _escaped(self) -> str:
        character = self.text[self.position : self.position + 1]
        self.position += 1
        length = {"u": 4, "U": 8}.get(character)
        if length is None:
            return _ESCAPES.get(character, character)
        digits = self.text[self.position : self.position + length]
        self.position += length
        try:
            return chr(int(digits, 16))
        except (ValueError, OverflowError):
            self.fail(f"'\\{character}{digits}' is not a character")

    def _array(self, signature: str, depth: int) -> Value:
        element = signature[1:] if signature.startswith("a") else ""
        self.take("[")
        values = []
        while self.next_token() != "]":
            # The first one decides of what type the others are.
            element, value = self.value(element, depth + 1)
            values.append(value)
            if self.next_token() != "]":
                self.take(",")
        self.take("]")
        if not element:
            self.fail("an empty array needs a type, such as '@as []'")
        return f"a{element}", values

    def _tuple(self, signature: str, depth: int) -> Value:
        elements = _split(signature[1:-1]) if signature.startswith("(") else []
        self.take("(")
        found: list[Value] = []
        while self.next_token() != ")":
            known = elements[len(found)] if len(found) < len(elements) else ""
            found.append(self.value(known, depth + 1))
            if self.next_token() != ")":
                self.take(",")
        self.take(")")
        return f"({''.join(kind for kind, _ in found)})", tuple(value for _, value in found)

    def _number(self, token: str, signature: str) -> Value:
        if not token.isascii() or "_" in token:  # Python would take them
            self.fail(f"{token!r} is not a value")
        kind = signature
        if not kind:
            kind = "d" if _is_float(token) else "i"
        if kind == "d":
            try:
                return "d", float(token)
            except ValueError:
                self.fail(f"{token!r} is not a number")
        if kind not in _BOUNDS:
            self.fail(f"{token!r} is not of the type {kind!r}")
        try:
            # As in C, a leading zero makes it octal.
            octal = token.lstrip("+-").startswith("0") and token.lstrip("+-").isdecimal()
            number = int(token, 8 if octal else 0)
        except ValueError:
            self.fail(f"{token!r} is not a value")
        low, end = _BOUNDS[kind]
        if not low <= number < end:
            self.fail(f"{token} is not between {low} and {end - 1}")
        return kind, number


def _is_float(token: str) -> bool:
    word = token.lstrip("+-").lower()
    return word in ("inf", "nan") or (not word.startswith("0x") and any(c in word for c in ".e"))


def _is_text(text: str, kind: str) -> bool:
    """Tell whether D-Bus takes *text* for a string, an object path or a signature."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return False
    if kind == "o":
        words = text[1:].split("/")
        valid = all(word and word.isascii() and word.replace("_", "a").isalnum() for word in words)
        return text == "/" or (text.startswith("/") and valid)
    try:
        return kind != "g" or (len(text) < 256 and bool(_split(text)) is bool(text))
    except ValueError:
        return False


def _is_signature(signature: str) -> bool:
    """Tell whether *signature* is one complete type."""
    try:
        return len(_split(signature)) == 1
    except ValueError:
        return False


def _split(signature: str) -> list[str]:
    """Return the complete types that *signature* is made of. Raises ValueError."""
    found = []
    rest = signature
    while rest:
        length = _length(rest, 0)
        found.append(rest[:length])
        rest = rest[length:]
    return found


def _length(signature: str, depth: int) -> int:
    if depth > _DEEPEST or not signature:
        raise ValueError(signature)
    first = signature[0]
    if first in "bynqiuxtdsogv":
        return 1
    if first == "a":
        return 1 + _length(signature[1:], depth + 1)
    if first != "(" or signature.startswith("()"):
        raise ValueError(signature)
    length = 1
    while signature[length : length + 1] != ")":
        length += _length(signature[length:], depth + 1)
    return length + 1
