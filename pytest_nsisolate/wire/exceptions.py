"""Exceptions as data, and back without running any of their code.

Tracebacks cross as tblib's dictionaries. On the host an exception's class is looked up among what is
imported there already; if it is a plain exception class, an instance is made by ``__new__`` alone. Everything
else becomes a stand-in that has the name and the text.
"""

from __future__ import annotations

import sys
import traceback
from typing import Any

import tblib

from ..pytest_private import OUTCOME_EXCEPTIONS
from .data import MalformedData

#: How many exceptions in a row, and frames of each, are kept: enough to be read, and to be written as
#: nested data.
_DEPTH = 50
_FRAMES = 100


#: Groups, which are made by a constructor that runs nothing of the user's.
_GROUPS = (("builtins", "BaseExceptionGroup"), ("builtins", "ExceptionGroup"))


class RemoteException(Exception):
    """Stands in for an exception whose class the host does not have, or could not rebuild."""


def to_data(error: BaseException) -> dict[str, object]:
    """Return *error*, with its notes, cause, context and group members, as plain data."""
    return _describe(error, 0, set())


def _describe(error: BaseException, depth: int, seen: set[int]) -> dict[str, object]:
    # Each once: a cause is a context as well, and a long chain would double with each link.
    seen.add(id(error))
    cls = type(error)
    data: dict[str, object] = {
        "module": cls.__module__,
        "name": cls.__qualname__,
        "text": _text(error),
        "args": _plain_args(error),
        "notes": [str(note) for note in getattr(error, "__notes__", ())],
        "traceback": _traceback(error),
        "suppress": bool(error.__suppress_context__),
    }
    if depth < _DEPTH:
        for key, other in (("cause", error.__cause__), ("context", error.__context__)):
            if other is not None and id(other) not in seen:
                data[key] = _describe(other, depth + 1, seen)
        if isinstance(error, BaseExceptionGroup):
            data["members"] = [_describe(e, depth + 1, seen) for e in error.exceptions]
            data["message"] = error.message
    return data


def _text(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception_only(error)).strip()
    except Exception as failure:
        return f"{type(error).__name__} (its str() raises {type(failure).__name__})"


def _plain_args(error: BaseException) -> list[object] | None:
    plain = (type(None), bool, int, float, str, bytes)
    if isinstance(error, OUTCOME_EXCEPTIONS):
        return [error.msg]
    if all(type(arg) in plain for arg in error.args):
        return list(error.args)
    return None


def _traceback(error: BaseException) -> dict[str, Any] | None:
    if error.__traceback__ is None:
        return None
    last = first = tblib.Traceback(error.__traceback__)
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
    # Past the class's own __setattr__, which is the user's code.
    if data["notes"]:
        object.__setattr__(error, "__notes__", [str(note) for note in data["notes"]])
    if data.get("traceback"):
        rebuilt = tblib.Traceback.from_dict(_plain_traceback(data["traceback"])).as_traceback()
        object.__setattr__(error, "__traceback__", rebuilt)
    if data.get("cause"):
        object.__setattr__(error, "__cause__", _rebuild(data["cause"]))
    if data.get("context"):
        object.__setattr__(error, "__context__", _rebuild(data["context"]))
    object.__setattr__(error, "__suppress_context__", bool(data["suppress"]))
    return error


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
    cls = _find_class(str(data["module"]), str(data["name"]))
    if "members" in data:
        members = [_rebuild(member) for member in data["members"]]
        if (data["module"], data["name"]) in _GROUPS and members:
            return BaseExceptionGroup(str(data["message"]), members)
        return RemoteException(str(data["text"]))
    args = data["args"]
    if cls is None or args is None:
        return RemoteException(str(data["text"]))
    if cls in OUTCOME_EXCEPTIONS:
        # pytest's own: what pytest.skip() and its kin raise, with a message and little else.
        return cls(None if args[0] is None else str(args[0]))
    if issubclass(cls, OUTCOME_EXCEPTIONS):
        return RemoteException(str(data["text"]))  # a user's, whose constructor is the user's, too
    # __new__ of a built-in exception stores the arguments and runs nothing of the user's.
    error = BaseException.__new__(cls)
    object.__setattr__(error, "args", tuple(args))
    return error


def _find_class(module: str, qualname: str) -> type[BaseException] | None:
    found: object = sys.modules.get(module)
    for name in qualname.split("."):
        # Through __dict__, so that neither a module's __getattr__ nor a descriptor is run.
        found = getattr(found, "__dict__", {}).get(name)
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        return None
    # Only layouts that BaseException.__new__ can fill: an OSError, say, has one of its own.
    return found if found.__basicsize__ == Exception.__basicsize__ or _adds_dict(found) else None


def _adds_dict(cls: type[BaseException]) -> bool:
    return all(
        base.__new__ in (BaseException.__new__, Exception.__new__) or base is object
        for base in cls.__mro__
    )
