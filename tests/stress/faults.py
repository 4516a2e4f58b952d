"""System calls made to fail, one after the other, by strace(1)'s fault injection.

A command is traced once, to find out which calls its processes make on the way to the payload; then it
is run for each of them, with that call failing. A call's number is that among those of its name in a process.
"""

from __future__ import annotations

import collections
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

#: Those by which a container is set up; what Python itself calls is left alone.
SET_UP = (
    "unshare setns mount umount2 pivot_root open_tree move_mount mount_setattr openat2 mknodat symlinkat "
    "fchownat mkdirat mkdir sethostname capset setresuid setresgid setgroups keyctl prctl clone socketpair "
    "recvmsg sendmsg fchdir chdir setsid rename pidfd_open"
).split()
#: Those by which it is taken away.
CLEAN_UP = ("rmdir", "unlink")
_LINE = re.compile(r"(\d+) +(\w+)\(")
_TIMEOUT = 60


class Fault(NamedTuple):
    """The *number*-th call of *name* in each process fails with *errno*, or a *signal* comes with it."""

    name: str
    number: int
    errno: str = "EIO"
    signal: str = ""

    @property
    def option(self) -> str:
        """As strace's option takes it."""
        what = f"signal={self.signal}" if self.signal else f"error={self.errno}"
        return f"inject={self.name}:{what}:when={self.number}"


class Result(NamedTuple):
    """How a command with a fault ended; *calls* are those that failed, as strace shows them."""

    fault: Fault
    code: int
    output: str
    calls: tuple[str, ...]

    def __str__(self) -> str:
        """Return all of it on one line."""
        return f"{self.fault.option}: exit code {self.code}, said {self.output!r}; {self.calls}"


def _strace(log: Path, options: Sequence[str], command: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", str(log), *options, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        timeout=_TIMEOUT,
        check=False,
    )
    return done.returncode, done.stdout


def find(command: Sequence[str], names: Sequence[str], log: Path) -> list[Fault]:
    """Run *command*; return a fault for each call of *names* that it makes before a payload is executed."""
    code, output = _strace(log, ["-e", f"trace=execve,{','.join(names)}"], command)
    assert code == 0, output
    lines = log.read_text(errors="replace").splitlines()
    first = lines[0].split()[0]
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    most: collections.Counter[str] = collections.Counter()
    executed: collections.Counter[str] = collections.Counter()
    for line in lines:
        if not (found := _LINE.match(line)):
            continue
        pid, name = found.groups()
        executed[pid] += name == "execve"
        # The first process begins with the command's own execve; any other's is the payload's.
        if name != "execve" and executed[pid] <= (pid == first):
            counts[pid, name] += 1
            most[name] = max(most[name], counts[pid, name])
    return [Fault(name, number) for name in names for number in range(1, most[name] + 1)]


def run(command: Sequence[str], faults: Sequence[Fault], log: Path) -> Result:
    """Run *command* with *faults*."""
    names = ",".join(fault.name for fault in faults)
    options = ["-e", f"trace={names}", *(w for fault in faults for w in ("-e", fault.option))]
    code, output = _strace(log, options, command)
    lines = log.read_text(errors="replace").splitlines()
    calls = tuple(line.split(maxsplit=1)[1] for line in lines if "(INJECTED)" in line)
    return Result(faults[0], code, output.strip(), calls)


def sample(faults: Sequence[Fault], most: int) -> Iterator[Fault]:
    """Yield about *most* of the faults: of every call the first and the last, and others evenly."""
    by_name: dict[str, list[Fault]] = {}
    for fault in faults:
        by_name.setdefault(fault.name, []).append(fault)
    step = max(1, len(faults) // most)
    for same in by_name.values():
        yield from dict.fromkeys([same[0], *same[step // 2 :: step], same[-1]])
