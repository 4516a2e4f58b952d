"""Exceptions as data, and back without running any of their code.

Tracebacks cross as tblib's dictionaries. On the host an exception's class is looked up among what is
imported there already, and an instance is made by what its built-in base has for that, with the arguments and
attributes that are plain data. If there are others, it is an instance of a subclass that has the class's name
and the exception's text; and if there is no such class, of a stand-in with its name and text.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import tblib

from ..pytest_private import OUTCOME_EXCEPTIONS
from .data import MalformedData

#: How many exceptions in a row, and frames of each, are kept: enough to be read, and to be written as
#: nested data.
_DEPTH = 50
_FRAMES = 100


#: What ``pytest.skip()`` and its kin raise; some claim to be of the module ``builtins``.
_OUTCOMES = {cls.__name__: cls for cls in OUTCOME_EXCEPTIONS}


class RemoteException(Exception):
    """The base of what stands in for exceptions whose class the host does not have, or could not rebuild."""


def to_data(error: BaseException) -> dict[str, object]:
    """Return *error*, with its notes, cause, context and group members, as plain data."""
    return _describe(error, 0, set())


def _describe(error: BaseException, depth: int, seen: set[int]) -> dict[str, object]:
    # Each once: a cause is a context as well, and a long chain would double with each link.
    seen.add(id(error))
    cls = type(error)
    data: dict[str, object] = {
        "module": _module(cls),
        "name": _QUALNAME(cls),
        "text": _text(error),
        "args": _plain_args(error),
        "attributes": _plain_attributes(error),
        "outcome": _outcome(cls),
        "notes": _notes(error),
        "traceback": _traceback(error),
        "suppress": _field(error, "__suppress_context__"),
    }
    if depth < _DEPTH:
        for key in ("cause", "context"):
            other = _field(error, f"__{key}__")
            if other is not None and id(other) not in seen:
                data[key] = _describe(other, depth + 1, seen)
        if issubclass(cls, BaseExceptionGroup):
            members = _field(error, "exceptions", BaseExceptionGroup)
            data["members"] = [_describe(e, depth + 1, seen) for e in members]
            data["message"] = _field(error, "message", BaseExceptionGroup)
    return data


#: A class's own name, whatever its metaclass says.
_QUALNAME = vars(type)["__qualname__"].__get__


def _field(error: BaseException, name: str, base: type[BaseException] = BaseException) -> Any:
    """Return what the interpreter keeps in an exception, whatever its class has under that name."""
    return vars(base)[name].__get__(error)


def _outcome(cls: type[BaseException]) -> str | None:
    # By identity: comparing would ask a metaclass.
    return next((name for name, outcome in _OUTCOMES.items() if cls is outcome), None)


def _module(cls: type[BaseException]) -> str:
    try:
        module = cls.__module__
    except BaseException:
        return _UNKNOWN
    return str.__str__(module) if isinstance(module, str) else _UNKNOWN


#: As tracebacks say it.
_UNKNOWN = "<unknown>"


def _text(error: BaseException) -> str | None:
    """Return the exception's text, or None if it has none because its ``__str__`` fails."""
    try:
        # What it returns may be of a subclass of str, whose own __str__ a traceback asks, too.
        return str.__str__(str(str(error)))
    except BaseException:  # SystemExit, too: it would end the session, and does not in a traceback
        return None


def _notes(error: BaseException) -> list[str]:
    """Return the notes as tracebacks show them: what is no sequence of notes is one by its ``repr``."""
    try:
        notes: Any = getattr(error, "__notes__", None)
    except BaseException:
        return []
    if notes is None:
        return []
    try:
        return [_note(note) for note in notes] if isinstance(notes, Sequence) else [repr(notes)]
    except BaseException:
        return ["<__notes__ repr() failed>"]


def _note(note: object) -> str:
    try:
        return str.__str__(str(note))
    except BaseException:
        return "<note str() failed>"


def _plain_args(error: BaseException) -> list[object] | None:
    args = _field(error, "args")
    if issubclass(type(error), OSError):
        # These are taken out of the arguments.
        names = ("errno", "strerror", "filename", "filename2")
        number, text, path, path2 = (_field(error, name, OSError) for name in names)
        if path is not None:
            args = (number, text, path, None, path2)
    return list(args) if all(map(_is_plain, args)) else None


def _plain_attributes(error: BaseException) -> dict[str, object] | None:
    attributes = {
        name: value
        for name, value in _field(error, "__dict__").items()
        if type(name) is str and not name.startswith("__")
    }
    return attributes if all(map(_is_plain, attributes.values())) else None


def _is_plain(value: object, depth: int = 0) -> bool:
    if depth > _NESTED:
        return False
    kind = type(value)
    if kind is list or kind is tuple:
        return all(_is_plain(item, depth + 1) for item in value)  # type: ignore[attr-defined]
    return any(kind is plain for plain in _PLAIN)


#: What crosses as it is, and how deeply it may be nested.
_PLAIN = (type(None), bool, int, float, str, bytes)
_NESTED = 4


def _traceback(error: BaseException) -> dict[str, Any] | None:
    traceback = _field(error, "__traceback__")
    if traceback is None:
        return None
    last = first = tblib.Traceback(traceback)
    for _ in range(_FRAMES):
        last = last.tb_next or last
    last.tb_next = None
    result: dict[str, Any] = first.to_dict()
    return result


def from_data(data: Any) -> BaseException:
    """Return the exception that *data* describes. Raises MalformedData."""
    try:
        return _rebuild(data)
    except (
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        ValueError,
        RecursionError,
    ) as error:
        raise MalformedData(f"not an exception: {error}") from None


def _rebuild(data: dict[str, Any]) -> BaseException:
    error = _instance(data)
    if data["notes"]:
        _field(error, "__dict__")["__notes__"] = [str(note) for note in data["notes"]]
    if data.get("traceback"):
        rebuilt = tblib.Traceback.from_dict(_plain_traceback(data["traceback"])).as_traceback()
        _set_field(error, "__traceback__", rebuilt)
    if data.get("cause"):
        _set_field(error, "__cause__", _rebuild(data["cause"]))
    if data.get("context"):
        _set_field(error, "__context__", _rebuild(data["context"]))
    _set_field(error, "__suppress_context__", bool(data["suppress"]))
    return error


def _set_field(error: BaseException, name: str, value: object) -> None:
    """Set it past the class's own __setattr__ and properties, which are the user's code."""
    vars(BaseException)[name].__set__(error, value)


def _plain_traceback(data: Any) -> dict[str, Any] | None:
    """Return what *data* says of a traceback, and nothing that tblib would execute its frames with."""
    found: dict[str, Any] | None = None
    frames: list[Any] = []
    while data and len(frames) <= _FRAMES:
        frames.append(data)
        data = data["tb_next"]
    for entry in reversed(frames):
        code, line = entry["tb_frame"]["f_code"], int(entry["tb_lineno"])
        globals_ = entry["tb_frame"]["f_globals"]
        names = {name: str(globals_[name]) for name in ("__name__", "__file__") if name in globals_}
        if not 0 <= line < 2**31:
            raise MalformedData(f"a traceback with the line {line}")
        found = {
            "tb_lineno": line,
            "tb_next": found,
            "tb_frame": {
                "f_lineno": line,
                "f_globals": names,
                "f_locals": {},
                "f_code": {
                    "co_filename": str(code["co_filename"]),
                    "co_name": str(code["co_name"]),
                },
            },
        }
    return found


def _instance(data: dict[str, Any]) -> BaseException:
    if data.get("outcome") in _OUTCOMES:
        message = (data.get("attributes") or {}).get("msg")
        return _OUTCOMES[data["outcome"]](None if message is None else str(message))
    cls = _find_class(str(data["module"]), str(data["name"]))
    args = data["args"]
    if "members" in data:
        args = [str(data["message"]), [_rebuild(member) for member in data["members"]]]
    if cls is not None:
        complete = args is not None and data.get("attributes") is not None
        error = _fill(cls if complete else _with_text(cls, data), args or [])
        if error is not None:
            for name, value in (data.get("attributes") or {}).items():
                _field(error, "__dict__")[str(name)] = value
            return error
    return _with_text(RemoteException, data)(str(data["text"]))


def _fill(cls: type[BaseException], args: list[Any]) -> BaseException | None:
    """Return an instance, made by the built-in base of *cls* in C, or None if that does not take *args*."""
    base = next(base for base in cls.__mro__ if not base.__flags__ & _HEAPTYPE)
    try:
        error: BaseException = base.__new__(cls, *args)
        if not issubclass(base, BaseExceptionGroup):
            base.__init__(error, *args)
    except (TypeError, ValueError):
        return None
    return error


#: Set on classes that were made by a ``class`` statement: object.h, Py_TPFLAGS_HEAPTYPE.
_HEAPTYPE = 1 << 9


def _with_text(cls: type[BaseException], data: dict[str, Any]) -> type[BaseException]:
    """Return a subclass that looks like the exception's own class and has its text.

    Where making one would run code of the user's, the subclass is one of the stand-in.
    """
    own = any("__init_subclass__" in vars(base) for base in cls.__mro__ if base is not object)
    if type(cls) is not type or own:
        cls = RemoteException
    text, qualname = data["text"], str(data["name"])

    def __str__(_self: BaseException) -> str:  # noqa: N807
        # No text at all, because the original could not say its own: that fails here, too.
        return text  # type: ignore[no-any-return]

    names = {"__module__": str(data["module"]), "__qualname__": qualname, "__str__": __str__}
    return type(qualname.rpartition(".")[2], (cls,), names)


def _find_class(module: str, qualname: str) -> type[BaseException] | None:
    found: object = sys.modules.get(module)
    for name in qualname.split("."):
        # Through __dict__, so that neither a module's __getattr__ nor a descriptor is run.
        found = getattr(found, "__dict__", {}).get(name)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None
