"""Limits of tests: how this machine enforces them, and what came of them.

A test's cgroup is made here, with the rights of the caller, because nobody in a sandbox may. What the test
gets is the opened ``cgroup.procs`` (v1: ``tasks``) of each directory: its process writes itself in before
anything of the test's runs, and closes them. The kernel asks for the rights of who has opened them
(CVE-2021-4197), so it matters not that the process is in namespaces by then.
"""

from __future__ import annotations

import os

from ..limits import NO_LIMITS, Limits, size_text
from ..runtime.bare_interpreter import run_bare
from ..runtime.cgroups.group import Cgroup, entrance
from ..runtime.cgroups.removal import oom_kills, remove
from ..runtime.cgroups.series import Series
from ..runtime.cgroups.usage import peak_memory, refused_forks
from ..runtime.errors import NsisolateError, SetupError, UnsupportedError
from ..runtime.outcome import OutOfMemory
from ..runtime.process_limit import counts_processes
from ..runtime.record import Record
from ..runtime.resources import Cpu, Memory, Resources

_PERIOD = 100_000
#: Joins as a test does, and ends.
_JOIN = "import os; [os.write(int(fd), b'0') for fd in sys.argv[1:]]"
#: A container's init is in its user namespace, too.
_INIT = 1


class Enforcement(Record):
    """How limits are enforced here: by a cgroup with *resources*, or by *nproc*, an RLIMIT_NPROC."""

    resources: Resources | None = None
    nproc: int | None = None


def new_series() -> Series:
    """Return a series for the tests of one template."""
    return Series(f"nsisolate-{os.getpid()}-{os.urandom(4).hex()}")


def find_enforcement(limits: Limits) -> Enforcement:
    """Return how *limits* are enforced, tried for real. Raises NsisolateError if they cannot be."""
    if limits == NO_LIMITS:
        return Enforcement()
    series = new_series()
    resources = _resources(limits, series)
    try:
        cgroup = series.open(resources)
        try:
            _try_to_join(cgroup)
        finally:
            remove(cgroup)
    except NsisolateError as error:
        if limits.pids is not None and limits == Limits(pids=limits.pids) and counts_processes():
            return Enforcement(nproc=limits.pids + _INIT)
        raise UnsupportedError(
            f"{limits} cannot be enforced here: {error}" + _why_no_rlimit(limits)
        ) from error
    finally:
        series.sweep()
    return Enforcement(resources=resources)


def _why_no_rlimit(limits: Limits) -> str:
    if limits.pids is not None and limits.cpu is None and limits.memory is None:
        return "\n(RLIMIT_NPROC would do instead, for an ordinary user on Linux 5.14 or later)"
    return ""


def _resources(limits: Limits, series: Series) -> Resources:
    memory = cpu = None
    if limits.memory is not None:
        # Swap would be memory beyond the limit.
        memory = Memory(limit=limits.memory, swap=limits.memory)
        if not series.counts_swap:
            memory = Memory(limit=limits.memory, swappiness=0)
    if limits.cpu is not None:
        cpu = Cpu(quota=round(limits.cpu * _PERIOD), period=_PERIOD)
    return Resources(memory=memory, cpu=cpu, pids_limit=limits.pids)


def _try_to_join(cgroup: Cgroup) -> None:
    fds = open_doors(cgroup)
    try:
        code = run_bare(_JOIN, *(str(fd) for fd in fds), passed=fds)
    finally:
        for fd in fds:
            os.close(fd)
    if code:
        raise SetupError("cgroups", f"a process cannot join {', '.join(cgroup.paths)}")


def open_doors(cgroup: Cgroup) -> tuple[int, ...]:
    """Return a descriptor for each directory of *cgroup*; a process that writes "0" to it moves in."""
    fds: list[int] = []
    try:
        for path in cgroup.paths:
            fds.append(os.open(entrance(path), os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        for fd in fds:
            os.close(fd)
        call = f"open {error.filename}"
        raise SetupError("cgroups", call, error.errno or 0) from error
    return tuple(fds)


class Limited:
    """The limits of one run of a test, from before it starts until it is over; there need not be any."""

    def __init__(self, limits: Limits, enforcement: Enforcement, series: Series | None) -> None:
        self._limits = limits
        self.nproc = enforcement.nproc
        self._cgroup: Cgroup | None = None
        if enforcement.resources is not None:
            assert series is not None, "the session has tests with limits"
            self._cgroup = series.open(enforcement.resources)

    def open_doors(self) -> tuple[int, ...]:
        """Return the descriptors by which the test gets in; the caller closes them."""
        return open_doors(self._cgroup) if self._cgroup is not None else ()

    def out_of_memory(self) -> OutOfMemory | None:
        """Return the outcome if the kernel has killed for want of memory."""
        if self._cgroup is None or not oom_kills(self._cgroup):
            return None
        return OutOfMemory(peak_bytes=peak_memory(self._cgroup) or self._limits.memory or 0)

    def notes(self) -> list[str]:
        """Return, as sentences, which limits the test has come to."""
        if self._cgroup is None:
            return []
        found = []
        outcome = self.out_of_memory()
        if outcome is not None:
            found.append(
                f"{oom_kills(self._cgroup)} of its processes were killed for want of memory: "
                f"memory={self._limits.memory}, peak {size_text(outcome.peak_bytes)}"
            )
        if forks := refused_forks(self._cgroup):
            found.append(
                f"{forks} times no process or thread could be started: pids={self._limits.pids}"
            )
        return found

    def close(self) -> None:
        """Remove the cgroup. Raises SetupError."""
        cgroup, self._cgroup = self._cgroup, None
        if cgroup is not None:
            remove(cgroup)
