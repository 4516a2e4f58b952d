"""One template, as the host sees it: its start, its sockets, its end."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import IO, Any

import cloudpickle
import pytest

from .. import __file__ as _package_file
from ..pytest_private import (
    base_temp,
    global_captures,
    log_file,
    original_stdin,
    terminal_markup,
    worker_input,
)
from ..rootfs.kinds import Sandbox
from ..rootfs.sandbox import Prepared, prepare
from ..runtime.cgroups.series import Series
from ..runtime.channel import KILL_HOLDER, SIGNAL, TEMPLATE_ENDED, Channel
from ..runtime.channel import READY as FACTORY_READY
from ..runtime.errors import ChannelError, NsisolateError, SetupError
from ..runtime.factory.holder import inner_flags, outer_flags
from ..runtime.outcome import Exited, Signalled, of_wait_status
from ..runtime.spec.writer import to_config
from ..wire import frames
from ..wire.data import MalformedData, load
from ..wire.limits import SECTION_LIMIT
from ..wire.program import describe_program
from .coverage import CoverageOfTests
from .coverage import order_of as coverage_order

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(_package_file)))
_LAUNCH = (
    "import sys; sys.path.insert(0, {root!r}); "
    "from pytest_nsisolate.runtime.factory.launch import main; main()"
)
_TEMPLATE = (
    "import sys; sys.path[:] = {path!r}; from pytest_nsisolate.template.main import main; main()"
)


#: Said where the template ended, because a user need not have heard of it.
_TEMPLATE_IS = (
    "(the template is the process that sets up fixtures of wider scopes in the sandbox, and that tests are "
    "cloned from)"
)

#: Seconds that a sandbox's processes have to end when they are told to.
_END_WITHIN = 5.0


class TemplateLost(NsisolateError):
    """The template, and with it every process in its sandbox, ended when it should not have."""


class Template:
    """A running template and the files that its tests' output goes to."""

    def __init__(
        self,
        config: pytest.Config,
        sandbox: Sandbox,
        paths: list[str],
        env: dict[str, str],
        coverage: CoverageOfTests,
        series: Series | None = None,
    ) -> None:
        self.series = series
        self._config = config
        self._paths = paths
        self._env = env
        self.coverage = coverage
        self.sandbox = sandbox
        self.out, self.err, self.stacks, self._log = (_shared_file() for _ in range(4))
        self.finished = False
        self._killed = False
        self._base_temp = base_temp(config)
        if self._base_temp is not None:
            sandbox = sandbox.replace(shared=(*sandbox.shared, self._base_temp))
        cwd = os.getcwd()
        prepared = prepare(sandbox, cwd=cwd)
        # A root of the user's own need not hold an interpreter; the template lives in an ordinary one.
        ordinary = prepare(sandbox.replace(rootfs=""), cwd=cwd) if sandbox.rootfs else None
        self._spawn(prepared, ordinary, cwd)
        try:
            self._start(prepared)
        except BaseException:
            self.kill()
            raise

    def _spawn(self, prepared: Prepared, ordinary: Prepared | None, cwd: str) -> None:
        host, factory = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket, template = socket.socketpair()
        order_read, order_write = os.pipe()
        passed = (factory.fileno(), template.fileno(), order_read)
        for fd in passed:
            os.set_inheritable(fd, True)
        args = [sys.executable, "-I", "-S", "-c", _LAUNCH.format(root=_ROOT), *map(str, passed)]
        sys.stdout.flush()
        sys.stderr.flush()
        # A session of its own: what is typed at the terminal is for pytest to decide on.
        self._launcher = os.posix_spawn(
            args[0], args, dict(os.environ), setsid=True, file_actions=self._streams()
        )
        for end in (factory, template):
            end.close()
        os.close(order_read)
        self.factory = Channel.from_fd(host.detach())
        self.reader = frames.FrameReader(self.socket)
        with open(order_write, "w") as stream:
            json.dump(self._order(prepared, ordinary, cwd), stream)

    def _streams(self) -> list[tuple[int, int, int]]:
        """Return what makes the standard streams those that pytest itself was started with."""
        captures = global_captures(self._config)
        fds = {0: original_stdin(self._config)} | {n: c.targetfd_save for n, c in captures.items()}
        return [(os.POSIX_SPAWN_DUP2, fd, stream) for stream, fd in fds.items() if fd != stream]

    def _order(self, prepared: Prepared, ordinary: Prepared | None, cwd: str) -> dict[str, Any]:
        boot = _TEMPLATE.format(path=[entry or cwd for entry in sys.path])
        # What multiprocessing goes by, too.
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
        return {
            **_as_json(prepared),
            "host_pid": os.getpid(),
            # For the launcher to remove, should this process be killed.
            "cgroups": [] if self.series is None else self.series.parents,
            "template": {
                "args": [sys.executable, *flags, "-c", boot, "{host}", "{factory}"],
                "env": list((os.environ | self._env).items()),
                "cwd": cwd,
                **(_as_json(ordinary) if ordinary is not None else {}),
            },
        }

    def _start(self, prepared: Prepared) -> None:
        self.factory.receive(FACTORY_READY)
        plan = prepared.plan
        assert plan.process is not None
        assert plan.process.capabilities is not None
        start = {
            "args": list(self._config.invocation_params.args),
            "workerinput": worker_input(self._config),
            "paths": self._paths,
            "markup": terminal_markup(self._config),
            "basetemp": self._base_temp,
            "environ": dict(os.environ),
            "program": describe_program(),
            "coverage": coverage_order(self._config),
            "namespaces": (outer_flags(plan), inner_flags(plan)),
            "process": {
                "uid": plan.process.user.uid,
                "gid": plan.process.user.gid,
                "additional_gids": plan.process.user.additional_gids,
                "capabilities": plan.process.capabilities.permitted,
            },
        }
        files = [f.fileno() for f in (self.out, self.err, self.stacks, self._log)]
        log = log_file(self._config)
        files += [] if log is None else [log]
        self.tell(frames.START, cloudpickle.dumps(start), tuple(files))
        self.expect(frames.READY)

    def tell(self, kind: int, payload: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Send a frame to the template. Raises TemplateLost, which says how it ended, if it is gone."""
        try:
            frames.send(self.socket, kind, payload, fds)
        except ChannelError as error:
            raise self._explain_loss() from error

    def _explain_loss(self) -> TemplateLost:
        deadline = time.monotonic() + _END_WITHIN
        try:
            while True:
                frame = self.reader.take()
                if frame is not None and frame[0] == frames.FAILED:
                    self.check(frame, frames.FAILED)
                self.wait(None, deadline)
        except TemplateLost as error:
            return error
        except TimeoutError:
            return TemplateLost("the template has closed its connection")

    def expect(self, kind: int, deadline: float | None = None) -> Any:
        """Wait for a frame of that *kind* from the template and return its data."""
        while True:
            frame = self.reader.take()
            if frame is not None:
                return self.check(frame, kind)
            self.wait(None, deadline)

    def check(self, frame: tuple[int, bytes], kind: int) -> Any:
        """Return the data of *frame*, which must be of that *kind*."""
        if frame[0] == frames.FAILED:
            raise TemplateLost(f"the template failed:\n{load(frame[1])}")
        if frame[0] != kind:
            raise TemplateLost(f"the template sent the message {frame[0]} out of order")
        try:
            return load(frame[1]) if frame[1] else None
        except MalformedData as error:
            raise TemplateLost(f"the template sent {error}") from None

    def wait(self, results: frames.FrameReader | None, deadline: float | None) -> None:
        """Wait until there is something to take, from the template or *results*.

        Raises TimeoutError when *deadline* (monotonic seconds) has passed, TemplateLost when the template is
        gone.
        """
        poll = select.poll()
        if not self.reader.at_end:
            poll.register(self.socket, select.POLLIN)
        poll.register(self.factory.fileno(), select.POLLIN)
        if results is not None and not results.at_end:
            poll.register(results.fileno(), select.POLLIN)
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = poll.poll(timeout)
        if not ready:
            raise TimeoutError
        fds = {fd for fd, _events in ready}
        if results is not None and results.fileno() in fds:
            results.fill()
        if self.socket.fileno() in fds:
            self.reader.fill()
        elif self.factory.fileno() in fds:
            raise self._end()

    def _end(self) -> TemplateLost:
        try:
            _kind, fields, _fd = self.factory.receive(TEMPLATE_ENDED)
            ended = of_wait_status(int(fields[0]))
        except ChannelError:
            return TemplateLost("the sandbox's factory was killed")
        except SetupError as error:
            return TemplateLost(f"the sandbox failed: {error}")
        said = read_text(self._log).strip()
        return TemplateLost(f"the template {describe(ended)}\n" + (said or _TEMPLATE_IS))

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a process in the template's pid namespace."""
        self._tell(SIGNAL, str(pid), str(number))

    def kill_holder(self, holder: str) -> None:
        """Kill everything in one test's container."""
        self._tell(KILL_HOLDER, holder)

    def _tell(self, kind: int, *fields: str) -> None:
        try:
            self.factory.send(kind, *fields)
        except ChannelError:
            pass  # it is gone, and with it whatever was to be killed

    def tear_down(self, chain: list[list[str]]) -> Any:
        """Tear down what an item with that *chain* does not need; return errors and output."""
        self.tell(frames.TEAR_DOWN, cloudpickle.dumps({"chain": chain}))
        return self.expect(frames.TORN_DOWN)

    def measured(self) -> None:
        """Collect what the template itself has measured so far."""
        frames.send(self.socket, frames.MEASURE)
        self.coverage.add(self.expect(frames.MEASURED))

    def finish(self) -> Any:
        """Let the template finish its session; return what its last teardown reports."""
        self.finished = True
        try:
            self.tell(frames.FINISH)
            return self.expect(frames.TORN_DOWN)
        finally:
            self._wait_for_end()

    def _wait_for_end(self) -> None:
        # Until the template has run its session-finish hooks.
        try:
            while True:
                self.wait(None, None)
                self.reader.take()
                if self.reader.at_end:
                    break
        except NsisolateError:
            pass
        self.kill()

    def kill(self) -> None:
        """End every process of this sandbox, now, and forget it."""
        if self._killed:
            return
        self.finished = self._killed = True
        # Shut down, not only closed: children that were forked from this process have copies.
        self.factory.shut_down()
        self.factory.close()
        self.socket.close()
        self._reap_launcher()
        if self.series is not None:
            self.series.sweep()
        for file in (self.out, self.err, self.stacks, self._log):
            file.close()

    def _reap_launcher(self) -> None:
        """Wait until the launcher ends, as it does after the factory; not for ever."""
        try:
            pidfd = os.pidfd_open(self._launcher)
        except ProcessLookupError:
            return  # somebody else has reaped it
        try:
            if not select.select([pidfd], [], [], _END_WITHIN)[0]:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.waitpid(self._launcher, 0)
        except ChildProcessError:
            pass
        finally:
            os.close(pidfd)

    def forget_output(self) -> None:
        """Empty the output files before a test."""
        for file in (self.out, self.err, self.stacks):
            os.ftruncate(file.fileno(), 0)
            # A test may have changed how it is written to, for everybody (asyncio does, for pipes).
            fcntl.fcntl(file, fcntl.F_SETFL, os.O_RDWR | os.O_APPEND)


def _as_json(prepared: Prepared) -> dict[str, Any]:
    skeleton = [
        {"kind": e.kind, "path": e.path, "mode": e.mode, "content": e.content}
        for e in prepared.skeleton
    ]
    return {"config": to_config(prepared.plan), "skeleton": skeleton}


def _shared_file() -> IO[bytes]:
    """Return a nameless file that several processes append to, and that can be emptied under them."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the template's to close
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file


def read_text(file: IO[bytes]) -> str:
    """Return a file's text; of a long one its beginning and its end."""
    size = os.fstat(file.fileno()).st_size
    if size <= SECTION_LIMIT:
        return os.pread(file.fileno(), size, 0).decode("utf-8", "replace")
    half = SECTION_LIMIT // 2
    head = os.pread(file.fileno(), half, 0).decode("utf-8", "replace")
    tail = os.pread(file.fileno(), half, size - half).decode("utf-8", "replace")
    left_out = size - 2 * half
    return f"{head}\n[... {left_out} bytes left out by pytest-nsisolate ...]\n{tail}"


def describe(outcome: Exited | Signalled) -> str:
    """Return ``exited with status 3`` or ``was killed by SIGSEGV``."""
    if isinstance(outcome, Exited):
        return f"exited with status {outcome.code}"
    try:
        name = signal.Signals(outcome.signal).name
    except ValueError:
        name = f"signal {outcome.signal}"
    return f"was killed by {name}" + (" (core dumped)" if outcome.dumped_core else "")
