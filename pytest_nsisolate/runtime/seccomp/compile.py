"""A seccomp profile to the BPF program that the kernel takes, by libseccomp."""

from __future__ import annotations

import errno
import os

from ..errors import UnsupportedError
from .records import ACTIONS, ARCHITECTURES, OPERATORS, WITH_ERRNO, Seccomp, SyscallArg, SyscallRule
from .unknown_calls import answer_unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_EPERM = 1
_ALLOW = ACTIONS["SCMP_ACT_ALLOW"]
_PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")
_REMEDY = (
    "needs libseccomp and a Python binding for it: "
    "apt-get install libseccomp2, and pip install 'pytest-nsisolate[seccomp]'"
)


def binding() -> Any:
    """Import libseccomp's own binding, or pyseccomp. Raises UnsupportedError with the remedy."""
    for name in ("seccomp", "pyseccomp"):
        try:
            module = __import__(name)
        except (ImportError, RuntimeError, OSError):
            continue
        if hasattr(module, "SyscallFilter"):
            return module
    raise UnsupportedError(f"linux.seccomp: {_REMEDY}")


def compile_profile(profile: Seccomp) -> bytes:
    """Return the program."""
    lib = binding()
    default = _action(profile.default_action, profile.default_errno_ret)
    found = lib.SyscallFilter(default)
    for i, name in enumerate(profile.architectures):
        if problem := _refusal(lib, found, name):
            raise UnsupportedError(f"linux.seccomp.architectures[{i}]: {problem}")
    for i, rule in enumerate(profile.syscalls):
        action = _action(rule.action, rule.errno_ret)
        if action == default:
            continue  # libseccomp refuses what changes nothing
        for name in rule.names:
            if not _is_known(lib, name):
                _check_unknown(profile, rule, f"linux.seccomp.syscalls[{i}].names", name)
                continue
            _add_rules(lib, found, rule, action, f"linux.seccomp.syscalls[{i}]", name)
    with os.fdopen(os.memfd_create("seccomp"), "w+b") as file:
        found.export_bpf(file)
        file.seek(0)
        return answer_unknown(profile, lib) + bytes(file.read())


def _action(name: str, errno_ret: int | None) -> int:
    if name in WITH_ERRNO:
        return ACTIONS[name] | (_EPERM if errno_ret is None else errno_ret)
    return ACTIONS[name]


def known_architectures() -> list[str]:
    """Return the architectures that a filter can be for on this machine. Raises UnsupportedError."""
    lib = binding()
    return [name for name in ARCHITECTURES if not _refusal(lib, lib.SyscallFilter(_ALLOW), name)]


def _refusal(lib: Any, found: Any, name: str) -> str:
    """Let the filter be for an architecture too; return why it cannot, or an empty string."""
    token = getattr(lib.Arch, name.removeprefix("SCMP_ARCH_"), None)
    if token is None:
        return f"this libseccomp does not know {name}"
    try:
        if not found.exist_arch(token):
            found.add_arch(token)
    except (OSError, RuntimeError, ValueError) as error:
        if getattr(error, "errno", 0) == errno.EDOM:
            return f"{name} has another byte order than this machine, and no filter has both"
        return f"libseccomp refuses {name}: {error}"
    return ""


def _is_known(lib: Any, name: str) -> bool:
    try:
        return bool(lib.resolve_syscall(lib.Arch.NATIVE, name) != -1)
    except ValueError:
        return False


def _check_unknown(profile: Seccomp, rule: SyscallRule, field: str, name: str) -> None:
    """Refuse to leave out a rule that holds something back.

    Profiles name calls that are newer than the library. Where everything that is not named is held back,
    nothing is lost without them; one that is to be held back would be let through.
    """
    if rule.action not in _PERMISSIVE and profile.default_action in _PERMISSIVE:
        raise UnsupportedError(f"{field}: this libseccomp does not know {name!r}")


def _add_rules(lib: Any, found: Any, rule: SyscallRule, action: int, field: str, name: str) -> None:
    for conditions in _alternatives(rule.args):
        args = [lib.Arg(c.index, OPERATORS[c.op], c.value, c.value_two) for c in conditions]
        try:
            found.add_rule(action, name, *args)
        except (OSError, RuntimeError, ValueError) as error:
            raise UnsupportedError(
                f"{field}: libseccomp refuses the rule for {name!r}: {error}"
            ) from None


def _alternatives(args: tuple[SyscallArg, ...]) -> Iterable[tuple[SyscallArg, ...]]:
    """Return the conditions as one conjunction, or, where an argument has several, one by one.

    libseccomp takes one comparison an argument; other runtimes make several into alternatives, and
    profiles rely on that.
    """
    indexes = [arg.index for arg in args]
    if len(set(indexes)) == len(indexes):
        return [args]
    return [(arg,) for arg in args]
