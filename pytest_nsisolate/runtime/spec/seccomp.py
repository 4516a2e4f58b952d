"""``linux.seccomp`` of ``config.json`` (config-linux.md, "Seccomp")."""

from __future__ import annotations

from ..errors import SpecError
from ..seccomp.records import (
    ACTIONS,
    ARCHITECTURES,
    FLAGS,
    OPERATORS,
    WITH_ERRNO,
    Seccomp,
    SyscallArg,
    SyscallRule,
)
from .reader import UINT64_MAX, Reader, a_string, show

_ERRNO_MAX = 4095
_SOCKET_PATH_MAX = 107
#: One of these tells the listener of itself, when the filter is in force already.
_TELLING = frozenset(("sendmsg", "sendmmsg"))


def read_seccomp(reader: Reader) -> Seccomp:
    """Return the profile that the object describes."""
    default_action = reader.required_choice("defaultAction", ACTIONS)
    if default_action == "SCMP_ACT_NOTIFY":
        raise reader.wrong("defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action")
    profile = Seccomp(
        default_action=default_action,
        default_errno_ret=_errno(reader, "defaultAction", "defaultErrnoRet"),
        architectures=reader.choices("architectures", ARCHITECTURES),
        flags=reader.choices("flags", FLAGS),
        listener_path=reader.string("listenerPath"),
        listener_metadata=reader.string("listenerMetadata"),
        syscalls=reader.array("syscalls", _rule),
    )
    if profile.notified and not profile.listener_path:
        raise reader.wrong("listenerPath", "is required with SCMP_ACT_NOTIFY")
    if profile.notified >= _TELLING:
        calls = " and ".join(sorted(_TELLING))
        raise reader.wrong("syscalls", f"SCMP_ACT_NOTIFY cannot be used for both {calls}")
    if len(profile.listener_path.encode()) > _SOCKET_PATH_MAX:
        shown = show(profile.listener_path)
        raise reader.wrong(
            "listenerPath", f"{shown} is longer than the {_SOCKET_PATH_MAX} bytes of unix(7)"
        )
    if profile.listener_metadata and not profile.listener_path:
        raise reader.wrong("listenerMetadata", "needs listenerPath")
    return profile


def _errno(reader: Reader, action_key: str, key: str) -> int | None:
    if not reader.has(key):
        return None
    number = reader.integer(key, 0, _ERRNO_MAX, 0)
    action = reader.string(action_key)
    if action not in WITH_ERRNO:
        raise reader.wrong(key, f"{action or 'the action'} takes no errno")
    return number


def _rule(value: object, path: str) -> SyscallRule:
    reader = Reader(value, path)
    reader.required("names", "action")
    names = reader.array("names", _name)
    if not names:
        raise reader.wrong("names", "is empty; it needs at least one system call")
    rule = SyscallRule(
        names=names,
        action=reader.required_choice("action", ACTIONS),
        errno_ret=_errno(reader, "action", "errnoRet"),
        args=reader.array("args", _argument),
    )
    if rule.action == "SCMP_ACT_NOTIFY":
        for i, name in enumerate(names):
            if name == "write":  # which no listener expects: runc, who needs it, refuses it
                problem = f"SCMP_ACT_NOTIFY cannot be used for the {name} syscall"
                raise SpecError(f"{path}.names[{i}]", problem)
    return rule


def _name(value: object, path: str) -> str:
    name = a_string(value, path)
    if not name:
        raise SpecError(path, "'' is not the name of a system call")
    return name


def _argument(value: object, path: str) -> SyscallArg:
    reader = Reader(value, path)
    reader.required("index", "value", "op")
    return SyscallArg(
        index=reader.integer("index", 0, 5, 0),
        value=reader.integer("value", 0, UINT64_MAX, 0),
        value_two=reader.integer("valueTwo", 0, UINT64_MAX, 0),
        op=reader.required_choice("op", OPERATORS),
    )
