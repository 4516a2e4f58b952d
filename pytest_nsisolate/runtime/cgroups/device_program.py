"""Putting a device program in force for a cgroup of v2."""

from __future__ import annotations

import os

from .. import syscalls_bpf as sys
from ..errors import KernelCallError, SetupError


def install(directory: str, code: bytes) -> None:
    """Let *code* decide about devices in the cgroup *directory*, instead of what did before.

    The new one is attached before the old ones go: there is no moment without.
    """
    opened = []
    try:
        cgroup_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.append(cgroup_fd)
        old = sys.progs_of_cgroup_device(cgroup_fd)
        opened += old
        new = sys.prog_load_cgroup_device(code)
        opened.append(new)
        sys.prog_attach_cgroup_device(cgroup_fd, new)
        for program_fd in old:
            sys.prog_detach_cgroup_device(cgroup_fd, program_fd)
    except OSError as error:
        call = error.call if isinstance(error, KernelCallError) else f"open {directory}"
        hint = "device rules on cgroup v2 are eBPF programs, which need CAP_BPF or root"
        raise SetupError(
            "cgroups", f"linux.resources.devices: {call}", error.errno or 0, hint
        ) from error
    finally:
        for fd in opened:
            os.close(fd)
