"""What can go wrong, as a user reads it.

::

    NsisolateError
    ├── SpecError         config.json, or a plan, holds a wrong value
    ├── UnsupportedError  a right value that this runtime, or this machine, cannot honour
    ├── SetupError        a step of the set-up failed in the kernel
    ├── PayloadError      the set-up worked, the program could not be executed
    ├── LifecycleError    the container is not there, or not in the state that the operation needs
    └── ChannelError      launcher and init lost each other

``str()`` of each is one sentence, lower case, without a full stop; a hint may follow on its own line.
"""

from __future__ import annotations

import errno as errnos
import os


def explain(number: int) -> str:
    """Return ``EPERM: Operation not permitted`` for an errno."""
    return f"{errnos.errorcode.get(number, number)}: {os.strerror(number)}"


def call_of(error: BaseException) -> str:
    """Return what failed, as far as the error knows: the call as written, the file, or who has called."""
    if call := getattr(error, "call", ""):
        return str(call)
    if not isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    if error.errno is None:
        return str(error)  # not the kernel's, but somebody's sentence
    names = [repr(name) for name in (error.filename, error.filename2) if name is not None]
    if names:
        return " -> ".join(names)
    traceback, where = error.__traceback__, "a system call"
    while traceback is not None:
        where, traceback = f"in {traceback.tb_frame.f_code.co_name}()", traceback.tb_next
    return where


class NsisolateError(Exception):
    """The base of every error that this package raises on purpose.

    *exit_code* is what the command line ends with.
    """

    exit_code = 1


class SpecError(NsisolateError):
    """A value of ``config.json`` that the runtime-spec does not allow.

    *field* is its path (``linux.uidMappings[1].size``), *problem* what is wrong and what to write.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem


class UnsupportedError(NsisolateError):
    """A valid request that cannot be honoured here; it is refused rather than weakened."""


class SetupError(NsisolateError):
    """A step of the set-up that the kernel refused.

    *step* names it (``mounts``), *call* is the call as written, *errno* the kernel's answer (0 where
    the kernel was not asked), *hint* the likely cause and remedy, or an empty string.
    """

    def __init__(self, step: str, call: str, errno: int = 0, hint: str = "") -> None:
        sentence = f"{step}: {call}"
        if errno:
            sentence += f": {explain(errno)}"
        if hint:
            sentence += f"\nhint: {hint}"
        super().__init__(sentence)
        self.step = step
        self.call = call
        self.errno = errno
        self.hint = hint


class PayloadError(NsisolateError):
    """The program could not be executed.

    *exit_code* is what a shell would give: 127 when it was not found, 126 when it cannot be run.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class LifecycleError(NsisolateError):
    """An operation on a container that does not exist, or whose status does not allow it."""


class ChannelError(NsisolateError):
    """A message that is malformed, out of order, or missing because the other side died."""


class KernelCallError(OSError):
    """An :class:`OSError` that knows the call as it was written."""

    def __init__(self, errno: int, call: str) -> None:
        super().__init__(errno, os.strerror(errno))
        self.call = call

    def __str__(self) -> str:
        return f"{self.call}: {explain(self.errno or 0)}"
