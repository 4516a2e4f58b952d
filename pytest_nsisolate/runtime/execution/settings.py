"""Applying scheduling, memory policy, personality and labels to the calling process."""

from __future__ import annotations

import errno
import os

from .. import syscalls_execution as sys
from ..errors import KernelCallError, SetupError, UnsupportedError
from .records import (
    DOMAINS,
    IO_CLASSES,
    MEMORY_FLAGS,
    MEMORY_MODES,
    POLICIES,
    SCHEDULER_FLAGS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plan import Plan, Process
    from .records import IoPriority, MemoryPolicy, Scheduler

_LABEL_FIELDS = {"apparmor": "process.apparmorProfile", "selinux": "process.selinuxLabel"}


class Settings:
    """What is to be applied."""

    def __init__(self, plan: Plan, process: Process) -> None:
        self._plan = plan
        self._process = process
        self._labels: list[tuple[int, str, str]] = []

    def open_labels(self, proc_fd: int) -> None:
        """Open where the labels are written to, below *proc_fd*: the /proc of the host."""
        for kind, label in (
            ("apparmor", self._process.apparmor_profile),
            ("selinux", self._process.selinux_label),
        ):
            if label:
                text = f"exec {label}" if kind == "apparmor" else label
                self._labels.append((_label_fd(kind, proc_fd), text, _LABEL_FIELDS[kind]))

    def apply(self) -> None:
        """Apply all, with the caller's capabilities; the labels take effect with execve."""
        plan, process = self._plan, self._process
        if (policy := plan.memory_policy) is not None:
            _attempt("linux.memoryPolicy", lambda: _set_memory_policy(policy))
        if (personality := plan.personality) is not None:
            persona = DOMAINS[personality.domain]
            _attempt("linux.personality", lambda: sys.personality(persona))
        if (scheduler := process.scheduler) is not None:
            _attempt("process.scheduler", lambda: _set_scheduler(scheduler))
        if (priority := process.io_priority) is not None:
            _attempt("process.ioPriority", lambda: _set_io_priority(priority))
        for fd, text, field in self._labels:
            try:
                os.write(fd, text.encode())
            except OSError as error:
                call = f"write {text!r} to /proc/self/attr/exec"
                raise SetupError(field, call, error.errno or 0) from error
            finally:
                os.close(fd)


def _attempt(field: str, call: Callable[[], None]) -> None:
    try:
        call()
    except KernelCallError as error:
        hint = ""
        if error.errno == errno.EPERM:
            hint = (
                "it needs CAP_SYS_NICE, and in a cgroup of v1 a cpu.realtimeRuntime for real time"
            )
        raise SetupError(field, error.call, error.errno or 0, hint) from error


def _set_scheduler(scheduler: Scheduler) -> None:
    sys.sched_setattr(
        POLICIES[scheduler.policy],
        sum(SCHEDULER_FLAGS[flag] for flag in set(scheduler.flags)),
        scheduler.nice,
        scheduler.priority,
        (scheduler.runtime, scheduler.deadline, scheduler.period),
    )


def _set_io_priority(priority: IoPriority) -> None:
    sys.ioprio_set(IO_CLASSES[priority.io_class], priority.priority)


def _set_memory_policy(policy: MemoryPolicy) -> None:
    flags = sum(MEMORY_FLAGS[flag] for flag in set(policy.flags))
    sys.set_mempolicy(MEMORY_MODES[policy.mode] | flags, bits(policy.nodes))


def bits(numbers: str) -> int:
    """Return the mask of a list such as ``0-3,7``."""
    mask = 0
    for part in numbers.split(",") if numbers else ():
        first, _, last = part.strip().partition("-")
        for number in range(int(first), int(last or first) + 1):
            mask |= 1 << number
    return mask


def set_cpu_affinity(cpus: str) -> None:
    """Bind the calling process to the CPUs of a list: ``process.execCPUAffinity``, for ``exec``."""
    mask = bits(cpus)
    try:
        os.sched_setaffinity(0, [n for n in range(mask.bit_length()) if mask & 1 << n])
    except OSError as error:
        call = f"sched_setaffinity({cpus})"
        raise SetupError("process.execCPUAffinity", call, error.errno or 0) from error


def _label_fd(kind: str, proc_fd: int) -> int:
    """Open the file that the next execve's label is written to (proc(5), /proc/pid/attr)."""
    for path in (f"self/attr/{kind}/exec", "self/attr/exec"):
        try:
            return os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_fd)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SetupError(_LABEL_FIELDS[kind], f"open /proc/{path}", error.errno or 0) from error
    raise SetupError(_LABEL_FIELDS[kind], "there is no /proc/self/attr/exec")


def has_apparmor() -> bool:
    """Tell whether the kernel has AppArmor, and it is on."""
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="utf-8") as file:
            return file.read().startswith("Y")
    except OSError:
        return False


def has_selinux() -> bool:
    """Tell whether the kernel has SELinux, and it is on."""
    return os.path.exists("/sys/fs/selinux/enforce")


def check_labels(plan: Plan) -> None:
    """Refuse labels that this kernel cannot give. Raises UnsupportedError."""
    process = plan.process
    if process is not None and process.apparmor_profile and not has_apparmor():
        raise UnsupportedError("process.apparmorProfile: this kernel has no AppArmor, or it is off")
    if process is not None and process.selinux_label and not has_selinux():
        raise UnsupportedError("process.selinuxLabel: this kernel has no SELinux, or it is off")
    if plan.mount_label and not has_selinux():
        raise UnsupportedError("linux.mountLabel: this kernel has no SELinux, or it is off")
