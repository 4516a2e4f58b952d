"""``linux.seccomp``: a config that uses everything, and a strategy for what parsing accepts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pytest_nsisolate.runtime.seccomp.records import (
    ACTIONS,
    ARCHITECTURES,
    FLAGS,
    OPERATORS,
    WITH_ERRNO,
    Seccomp,
    SyscallArg,
    SyscallRule,
)

SECCOMP: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "architectures": ["SCMP_ARCH_X86_64"],
    "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "listenerPath": "/run/listener",
    "listenerMetadata": "metadata",
    "syscalls": [
        {
            "names": ["mkdir", "rmdir"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 28,
            "args": [{"index": 1, "value": 2, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}],
        },
        {"names": ["open"], "action": "SCMP_ACT_NOTIFY"},
    ],
}

READ_SECCOMP = Seccomp(
    default_action="SCMP_ACT_ERRNO",
    default_errno_ret=38,
    architectures=("SCMP_ARCH_X86_64",),
    flags=("SECCOMP_FILTER_FLAG_LOG",),
    listener_path="/run/listener",
    listener_metadata="metadata",
    syscalls=(
        SyscallRule(
            names=("mkdir", "rmdir"),
            action="SCMP_ACT_ERRNO",
            errno_ret=28,
            args=(SyscallArg(index=1, value=2, value_two=3, op="SCMP_CMP_MASKED_EQ"),),
        ),
        SyscallRule(names=("open",), action="SCMP_ACT_NOTIFY"),
    ),
)

WRONG_SECCOMP: list[tuple[str, object]] = [
    ("linux.seccomp", 5),
    ("linux.seccomp.defaultAction", None),
    ("linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY"),
    ("linux.seccomp.defaultErrnoRet", -1),
    ("linux.seccomp.architectures[0]", "SCMP_ARCH_Z80"),
    ("linux.seccomp.flags[0]", "FLAG"),
    ("linux.seccomp.listenerPath", None),
    ("linux.seccomp.syscalls[0].names", []),
    ("linux.seccomp.syscalls[0].action", "SCMP_ACT_NOSUCH"),
    ("linux.seccomp.syscalls[0].errnoRet", "28"),
    ("linux.seccomp.syscalls[0].args[0].index", 6),
    ("linux.seccomp.syscalls[0].args[0].value", None),
    ("linux.seccomp.syscalls[0].args[0].op", ""),
    ("linux.seccomp.syscalls[1].names[0]", "write"),
    (
        "linux.seccomp.syscalls",
        [{"names": ["sendmsg", "sendmmsg"], "action": "SCMP_ACT_NOTIFY"}],
    ),
]

UINT64 = st.integers(0, 2**64 - 1)


@st.composite
def _rules(draw: st.DrawFn) -> SyscallRule:
    action = draw(st.sampled_from(sorted(set(ACTIONS) - {"SCMP_ACT_NOTIFY"})))
    argument = st.builds(
        SyscallArg,
        index=st.integers(0, 5),
        value=UINT64,
        value_two=UINT64,
        op=st.sampled_from(sorted(OPERATORS)),
    )
    errno = st.none() | st.integers(0, 4095) if action in WITH_ERRNO else st.none()
    return SyscallRule(
        names=draw(st.lists(st.sampled_from(("open", "mkdir", "nosuch")), min_size=1).map(tuple)),
        action=action,
        errno_ret=draw(errno),
        args=draw(st.lists(argument, max_size=2).map(tuple)),
    )


def seccomp() -> st.SearchStrategy[Seccomp | None]:
    """Return profiles, or None."""
    return st.none() | st.builds(
        Seccomp,
        default_action=st.sampled_from(("SCMP_ACT_ALLOW", "SCMP_ACT_KILL_PROCESS")),
        architectures=st.lists(st.sampled_from(ARCHITECTURES), max_size=2).map(tuple),
        flags=st.lists(st.sampled_from(sorted(FLAGS)), max_size=2).map(tuple),
        listener_path=st.just("/run/listener"),
        listener_metadata=st.sampled_from(("", "metadata")),
        syscalls=st.lists(_rules(), max_size=2).map(tuple),
    )
