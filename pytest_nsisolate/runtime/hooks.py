"""Calling hooks: programs of the caller's, with the container's state on their standard input.

::

    kind              namespaces   cwd      when
    prestart          runtime's    bundle   the root is built, before pivot_root
    createRuntime     runtime's    bundle   right after them
    createContainer   container's  rootfs   right after them, still before pivot_root
    startContainer    container's  /        start was called, before execve
    poststart         runtime's    bundle   after execve
    poststop          runtime's    bundle   after the container was deleted

A hook of the first five kinds that fails ends the container; one of poststop is only warned of.
This module has to be imported before pivot_root: inside there may be no Python.
"""

from __future__ import annotations

import _signal
import os
import select

from .errors import SetupError
from .plan import SPEC_VERSION
from .spec.decoding import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from .plan import Hook, Plan

_SHOWN = 500


def state_of(plan: Plan, container_id: str, bundle: str, status: str, pid: int) -> bytes:
    """Return the container's state as hooks get it (runtime.md, "State")."""
    state: dict[str, object] = {"ociVersion": SPEC_VERSION, "id": container_id, "status": status}
    if pid:
        state["pid"] = pid
    state["bundle"] = bundle
    if plan.annotations:
        state["annotations"] = dict(plan.annotations)
    return encode(state).encode()


def run(kind: str, hooks: Sequence[Hook], state: bytes, cwd: str | int) -> None:
    """Call hooks one after the other; the first that fails is a SetupError, and the last one called."""
    for number, hook in enumerate(hooks):
        failure = _run_one(hook, state, cwd)
        if failure:
            raise SetupError("hooks", _sentence(kind, number, hook, failure))


def run_all(kind: str, hooks: Sequence[Hook], state: bytes, cwd: str | int) -> list[str]:
    """Call all hooks, whatever fails; return a sentence for each that did."""
    failed = []
    for number, hook in enumerate(hooks):
        failure = _run_one(hook, state, cwd)
        if failure:
            failed.append(f"hooks: {_sentence(kind, number, hook, failure)}")
    return failed


def _sentence(kind: str, number: int, hook: Hook, failure: str) -> str:
    # runc 1.1 says the second half and runc 1.2 the first; callers look for either.
    return f"error running {kind} hook #{number}: error running hook {hook.path}: {failure}"


def _run_one(hook: Hook, state: bytes, cwd: str | int) -> str:
    """Call a hook; return how it failed, or an empty string."""
    # Files rather than pipes: nobody has to read or write at the same time, and what a hook leaves in
    # the background may keep them open.
    state_fd, output_fd = os.memfd_create("state"), os.memfd_create("output")
    try:
        os.write(state_fd, state)
        os.lseek(state_fd, 0, os.SEEK_SET)
        pid = os.fork()
        if pid == 0:
            _become(hook, state_fd, output_fd, cwd)
        failure = _wait(pid, hook.timeout)
        said = os.pread(output_fd, _SHOWN, 0).decode(errors="replace").split()
        return f"{failure}, and said: {' '.join(said)}" if failure and said else failure
    finally:
        os.close(state_fd)
        os.close(output_fd)


def _wait(pid: int, timeout: int | None) -> str:
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        milliseconds = None if timeout is None else min(timeout * 1000, 2**31 - 1)
        if not poll.poll(milliseconds):
            os.kill(pid, _signal.SIGKILL)
            os.waitpid(pid, 0)
            return f"no end within its timeout of {timeout} s"
    finally:
        os.close(pidfd)
    _pid, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"killed by signal {number}: {(_signal.strsignal(number) or '').lower()}"
    code = os.WEXITSTATUS(status)
    return f"exit status {code}" if code else ""


def _become(hook: Hook, state_fd: int, output_fd: int, cwd: str | int) -> NoReturn:
    try:
        os.dup2(state_fd, 0)
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
        for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(number, _signal.SIG_DFL)  # Python ignores them, and that would last
        os.chdir(cwd)
        # Without an environment of its own it has ours, as with runc and crun.
        env = dict(entry.split("=", 1) for entry in hook.env) if hook.env else os.environ
        os.execve(hook.path, hook.args or (hook.path,), env)
    except BaseException as error:
        os.write(2, str(getattr(error, "strerror", None) or error).encode())
    finally:
        os._exit(127)
