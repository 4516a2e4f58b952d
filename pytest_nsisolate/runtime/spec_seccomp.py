"""``linux.seccomp`` of ``config.json`` (config-linux.md, "Seccomp")."""

from __future__ import annotations

from .errors import SpecError
from .seccomp.records import (
    ACTIONS,
    ARCHITECTURES,
    FLAGS,
    OPERATORS,
    WITH_ERRNO,
    Seccomp,
    SyscallArg,
    SyscallRule,
)
from .spec_reader import UINT64_MAX, Reader, a_string, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ERRNO_MAX = 4095
#: What we call ourselves between loading the filter and execve: a listener that is asked about
#: these could never be told of.
_NEVER_NOTIFIED = ("sendmsg", "write", "close")


def read_seccomp(reader: Reader) -> Seccomp:
    """Return the profile that the object describes."""
    reader.required("defaultAction")
    if reader.string("defaultAction") == "SCMP_ACT_NOTIFY":
        raise reader.wrong("defaultAction", "SCMP_ACT_NOTIFY would ask about the set-up itself")
    profile = Seccomp(
        default_action=reader.choice("defaultAction", tuple(ACTIONS)),
        default_errno_ret=_errno(reader, "defaultAction", "defaultErrnoRet"),
        architectures=reader.array("architectures", _one_of(ARCHITECTURES)),
        flags=reader.array("flags", _one_of(tuple(FLAGS))),
        listener_path=reader.string("listenerPath"),
        listener_metadata=reader.string("listenerMetadata"),
        syscalls=reader.array("syscalls", _rule),
    )
    if profile.notifies and not profile.listener_path:
        raise reader.wrong("listenerPath", "is required with SCMP_ACT_NOTIFY")
    if profile.listener_metadata and not profile.listener_path:
        raise reader.wrong("listenerMetadata", "needs listenerPath")
    return profile


def _one_of(choices: tuple[str, ...]) -> Callable[[object, str], str]:
    def item(value: object, path: str) -> str:
        text = a_string(value, path)
        if text not in choices:
            raise SpecError(path, f"{show(text)} is none of the values such as {choices[0]!r}")
        return text

    return item


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
    names = reader.strings("names")
    if not names:
        raise reader.wrong("names", "needs at least one system call")
    reader.required("action")
    rule = SyscallRule(
        names=names,
        action=reader.choice("action", tuple(ACTIONS)),
        errno_ret=_errno(reader, "action", "errnoRet"),
        args=reader.array("args", _argument),
    )
    if rule.action == "SCMP_ACT_NOTIFY":
        for i, name in enumerate(names):
            if name in _NEVER_NOTIFIED:
                raise SpecError(f"{path}.names[{i}]", f"SCMP_ACT_NOTIFY cannot be used for {name}")
    return rule


def _argument(value: object, path: str) -> SyscallArg:
    reader = Reader(value, path)
    for key in ("index", "value", "op"):
        reader.required(key)
    return SyscallArg(
        index=reader.integer("index", 0, 5, 0),
        value=reader.integer("value", 0, UINT64_MAX, 0),
        value_two=reader.integer("valueTwo", 0, UINT64_MAX, 0),
        op=reader.choice("op", tuple(OPERATORS)),
    )
