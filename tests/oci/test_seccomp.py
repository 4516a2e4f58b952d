"""``linux.seccomp``: filters, their arguments and flags."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest

from .. import capabilities
from .bundle import Bundle
from .lifecycle import create, verb
from .runtime_under_test import is_ours, ours_only
from .test_errors import assert_one_sentence


@pytest.fixture(autouse=True)
def needs_libseccomp() -> None:
    """Need what our own runtime compiles the filter with."""
    if is_ours():
        there = any(importlib.util.find_spec(name) for name in ("seccomp", "pyseccomp"))
        capabilities.need(there, "pyseccomp (pip install 'pytest-nsisolate[seccomp]')")


def profile(bundle: Bundle, *rules: dict[str, Any], default: str = "SCMP_ACT_ALLOW") -> None:
    """Give the bundle a profile."""
    bundle.linux["seccomp"] = {"defaultAction": default, "syscalls": list(rules)}


def refuse(*names: str, **more: Any) -> dict[str, Any]:
    """Return a rule that makes calls fail."""
    return {"names": list(names), "action": "SCMP_ACT_ERRNO", **more}


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_a_call_is_refused(bundle: Bundle, no_new_privileges: bool) -> None:
    """The call fails with EPERM; with and without no_new_privs, and without CAP_SYS_ADMIN inside."""
    bundle.process["noNewPrivileges"] = no_new_privileges
    profile(bundle, refuse("mkdir", "mkdirat"))
    finished = bundle.run("mkdir /tmp/x; grep -E '^(Seccomp|CapEff|CapPrm):' /proc/self/status")
    assert "Operation not permitted" in finished.err
    lines = dict(line.split(":\t") for line in finished.lines)
    assert lines["Seccomp"] == "2"
    assert not int(lines["CapEff"], 16) & 1 << 21
    assert not int(lines["CapPrm"], 16) & 1 << 21


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_another_user_is_filtered_without_no_new_privs(bundle: Bundle) -> None:
    """A user who is not root has no capability left that the filter was loaded with."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    profile(bundle, refuse("mkdir", "mkdirat"))
    finished = bundle.run("mkdir /tmp/x; grep -E '^(Seccomp|CapEff|CapPrm):' /proc/self/status")
    assert "Operation not permitted" in finished.err
    assert [line.split()[1] for line in finished.lines] == ["0000000000000000"] * 2 + ["2"]


def test_the_errno_is_the_profiles(bundle: Bundle) -> None:
    """``errnoRet`` is what the call fails with; 28 is ENOSPC."""
    profile(bundle, refuse("mkdir", "mkdirat", errnoRet=28))
    assert "No space left" in bundle.run("mkdir /tmp/x").err


def test_what_is_not_named_meets_the_default(bundle: Bundle) -> None:
    """A profile that allows almost everything by name, and fails the rest with defaultErrnoRet."""
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": [*ORDINARY, "a_call_from_the_future"], "action": "SCMP_ACT_ALLOW"},
        ],
    }
    finished = bundle.run("echo works; mkdir /tmp/x")
    assert finished.out == "works\n"
    assert "Function not implemented" in finished.err


#: What busybox's shell, echo and mkdir need, and execve.
ORDINARY = (
    "access arch_prctl brk clone close dup2 dup3 execve exit exit_group fcntl fork fstat futex getcwd "
    "getegid geteuid getgid getpgrp getpid getppid getrandom getuid ioctl lseek lstat mmap mprotect "
    "munmap newfstatat open openat pipe pipe2 poll prctl prlimit64 read readlink rseq rt_sigaction "
    "rt_sigprocmask rt_sigreturn sendfile set_robust_list set_tid_address setgid setuid stat statx "
    "umask uname vfork wait4 write writev"
).split()


@pytest.mark.parametrize(
    ("op", "value", "value_two", "refused"),
    [
        ("SCMP_CMP_EQ", 0o700, 0, True),
        ("SCMP_CMP_NE", 0o700, 0, False),
        ("SCMP_CMP_LT", 0o700, 0, False),
        ("SCMP_CMP_LE", 0o700, 0, True),
        ("SCMP_CMP_GE", 0o701, 0, False),
        ("SCMP_CMP_GT", 0o677, 0, True),
        ("SCMP_CMP_MASKED_EQ", 0o70, 0, True),
        ("SCMP_CMP_MASKED_EQ", 0o700, 0o600, False),
    ],
)
@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_arguments_are_compared(
    bundle: Bundle, op: str, value: int, value_two: int, refused: bool
) -> None:
    """Each operator, on the mode of a chmod to 0o700."""
    condition = {"index": 1, "value": value, "valueTwo": value_two, "op": op}
    moded = {"index": 2, "value": value, "valueTwo": value_two, "op": op}
    profile(
        bundle,
        refuse("chmod", args=[condition]),
        refuse("fchmodat", args=[moded]),
    )
    finished = bundle.run("chmod 700 /tmp 2>/dev/null && echo done || echo refused")
    assert finished.out == ("refused\n" if refused else "done\n")


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_several_conditions(bundle: Bundle) -> None:
    """On different arguments all must hold; on one argument, any of them."""
    both = [{"index": i, "value": 99, "op": "SCMP_CMP_EQ"} for i in (0, 1)]
    either = [{"index": 0, "value": v, "op": "SCMP_CMP_EQ"} for v in (0o22, 0o27)]
    profile(bundle, refuse("mkdir", args=both), refuse("umask", errnoRet=1, args=either))
    assert bundle.output("mkdir /tmp/x && echo made") == "made"


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_a_call_can_kill(bundle: Bundle) -> None:
    """SCMP_ACT_KILL_PROCESS ends the process with SIGSYS."""
    profile(bundle, {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"})
    assert bundle.run("mkdir /tmp/x; echo $?").out == "159\n"


@pytest.mark.parametrize("identity", ["root"], indirect=True)
@pytest.mark.parametrize(
    "flag",
    [
        "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ],
)
def test_flags(bundle: Bundle, flag: str) -> None:
    """Each flag is taken."""
    if not is_ours() and flag.endswith("RECV"):
        pytest.skip("ours only: crun 1.8.1 is older than the flag")
    profile(bundle, refuse("mkdir", "mkdirat"))
    bundle.linux["seccomp"]["flags"] = [flag]
    assert "Operation not permitted" in bundle.run("mkdir /tmp/x").err


@ours_only("the sentences")
@pytest.mark.parametrize("identity", ["user"], indirect=True)
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "defaultAction"),
        ({"defaultErrnoRet": 1}, "defaultErrnoRet"),
        ({"flags": ["SECCOMP_FILTER_FLAG_NOSUCH"]}, "flags[0]"),
        ({"architectures": ["SCMP_ARCH_NOSUCH"]}, "architectures[0]"),
        ({"architectures": ["SCMP_ARCH_LOONGARCH64"]}, "architectures"),
        ({"listenerMetadata": "x"}, "listenerMetadata"),
        ({"syscalls": [refuse("nosuch_call")]}, "syscalls[0].names"),
        ({"syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]}, "syscalls[0].names[0]"),
        ({"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}, "listenerPath"),
    ],
)
def test_a_wrong_profile_is_refused(bundle: Bundle, change: dict[str, Any], field: str) -> None:
    """What cannot be, or would be weaker than asked for, is named."""
    profile(bundle)
    bundle.linux["seccomp"] |= change
    assert_one_sentence(bundle.run("true"), f"linux.seccomp.{field}")


@pytest.mark.parametrize("form", ["run", "start"])
def test_a_start_container_hook_is_filtered(bundle: Bundle, form: str) -> None:
    """It runs under the container's filter, where a hook of the creation does not."""
    if not is_ours():
        pytest.skip("ours only: the sentences")
    allowed = {"path": "/bin/sh", "args": ["sh", "-c", f"mkdir {bundle.rootfs}/tmp/made"]}
    refused = {"path": "/bin/sh", "args": ["sh", "-c", "mkdir /tmp/refused"], "env": ["PATH=/bin"]}
    bundle.config["hooks"] = {"createContainer": [allowed], "startContainer": [refused]}
    profile(bundle, {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"})
    if form == "start":
        create(bundle, "echo ran; sleep 100")
        finished = verb(bundle, "start", bundle.id)
    else:
        finished = bundle.run("echo ran")
    assert_one_sentence(finished, "error running startContainer hook #0", "bad system call")
    assert os.listdir(bundle.rootfs / "tmp") == ["made"]


def test_hooks_need_no_more_than_the_program(bundle: Bundle) -> None:
    """A profile that allows little is enough for a container with a hook, and its limits still hold."""
    names = [
        *ORDINARY,
        "memfd_create",
        "chdir",
        "pread64",
        "kill",
        "pidfd_open",
        "sendmsg",
        "recvmsg",
        "getcwd",
    ]
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}],
    }
    bundle.process["rlimits"] = [{"type": "RLIMIT_FSIZE", "soft": 0, "hard": 0}]
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "echo hooked >&2; exit 3"]}
    bundle.config["hooks"] = {"startContainer": [hook | {"args": ["sh", "-c", "exit 0"]}]}
    assert bundle.output("ulimit -f") == "0"
    bundle.config["hooks"] = {"startContainer": [hook]}
    assert "exit status 3, and said: hooked" in bundle.run("true").err or not is_ours()
