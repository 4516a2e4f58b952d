"""One template, as the host sees it: its start, its sockets, its end."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, TYPE_CHECKING, Any

import pytest

from ..pytest_private import base_temp, collected, initial_paths, renamed, worker_input
from ..pytest_private_files import log_file, xml_family
from ..pytest_private_output import terminal_markup, terminal_width
from ..rootfs.kinds import Sandbox
from ..rootfs.sandbox import Prepared, prepare
from ..runtime.channel import KILL_HOLDER, SIGNAL, TEMPLATE_ENDED, Channel
from ..runtime.channel import READY as FACTORY_READY
from ..runtime.errors import ChannelError, NsisolateError, SetupError
from ..runtime.outcome import Exited, Signalled, of_wait_status
from ..runtime.spec.writer import to_config
from ..wire import frames
from ..wire.data import MalformedData, load
from ..wire.limits import SECTION_LIMIT
from ..wire.program import describe_program
from .coverage import CoverageOfTests
from .coverage import order_of as coverage_order
from .kept import kept_directories
from .launching import Launcher

if TYPE_CHECKING:
    from ..runtime.cgroups.series import Series
    from ..runtime.plan import Plan

_TEMPLATE = (
    "import gc; thresholds = gc.get_threshold(); gc.set_threshold(0); import sys; sys.path[:] = {path!r}; "
    "from pytest_nsisolate.template.main import main; main(thresholds)"
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
    """A template and the files that its tests' output goes to; its sandbox is being made from the first.

    It can be used after :meth:`start`. What is imported in between costs no time.
    """

    def __init__(
        self,
        config: pytest.Config,
        sandbox: Sandbox,
        paths: list[str],
        tests: int,
        env: dict[str, str],
        coverage: CoverageOfTests,
        launcher: Launcher,
        series: Series | None = None,
    ) -> None:
        self._launcher = launcher
        self.series = series
        self._config = config
        self._paths = paths
        self._tests = tests
        self._env = env
        self.coverage = coverage
        self.sandbox = sandbox
        self.out, self.err, self.stacks, self._log = (_shared_file() for _ in range(4))
        #: How the last test of it left the terminal; as the test says.
        self.terminal_state: dict[str, Any] = {}
        self.finished = False
        self._killed = False
        self._base_temp = base_temp(config)
        sandbox = sandbox.replace(shared=(*sandbox.shared, *kept_directories(config)))
        cwd = os.getcwd()
        prepared = prepare(sandbox, cwd=cwd)
        # A root of the user's own need not hold an interpreter; the template lives in an ordinary one.
        ordinary = prepare(sandbox.replace(rootfs=""), cwd=cwd) if sandbox.rootfs else None
        self._send_order(prepared, ordinary, cwd)
        self._plan, self._cwd = prepared.plan, cwd

    def _send_order(self, prepared: Prepared, ordinary: Prepared | None, cwd: str) -> None:
        launcher = self._launcher
        self.socket = launcher.template
        self.factory = Channel.from_fd(launcher.factory.detach())
        self.reader = frames.FrameReader(self.socket)
        with open(launcher.take_order(), "w", encoding="utf-8") as stream:
            json.dump(self._order(prepared, ordinary, cwd), stream)

    def _order(self, prepared: Prepared, ordinary: Prepared | None, cwd: str) -> dict[str, Any]:
        boot = _TEMPLATE.format(path=[entry or cwd for entry in sys.path])
        return {
            **_as_json(prepared),
            "host_pid": os.getpid(),
            # For the launcher to remove, should this process be killed.
            "cgroups": [] if self.series is None else self.series.parents,
            "template": {
                "args": [sys.executable, *_interpreter_flags(), "-c", boot, "{host}", "{factory}"],
                "env": list((os.environ | self._env).items()),
                "cwd": cwd,
                **(_as_json(ordinary) if ordinary is not None else {}),
            },
        }

    def start(self) -> None:
        """Wait until tests can be run. Raises NsisolateError; nothing is left behind then."""
        try:
            self._start(self._plan)
        except BaseException:
            self.kill()
            raise

    def _start(self, plan: Plan) -> None:
        import cloudpickle

        from ..runtime.factory.holder import inner_flags, outer_flags

        self.factory.receive(FACTORY_READY)
        assert plan.process is not None
        assert plan.process.capabilities is not None
        start = {
            "args": list(self._config.invocation_params.args),
            "workerinput": worker_input(self._config),
            "paths": self._paths,
            "tests": self._tests,
            "markup": terminal_markup(self._config),
            "width": terminal_width(self._config),
            "xml_family": xml_family(self._config),
            "cwd": self._cwd,
            "collected": collected(self._config),
            "initial_paths": initial_paths(self._config),
            "renamed": renamed(self._config),
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
                while (frame := self.reader.take()) is not None:
                    if frame[0] == frames.FAILED:
                        self.check(frame, frames.FAILED)
                self.wait(None, deadline)
        except TemplateLost as error:
            return error
        except TimeoutError:
            return TemplateLost("the template has closed its connection")

    def expect(self, kind: int, deadline: float | None = None, after: tuple[int, ...] = ()) -> Any:
        """Wait for a frame of that *kind* from the template and return its data.

        Frames of the kinds *after* may come before it. Raises TimeoutError and TemplateLost.
        """
        while True:
            frame = self.reader.take()
            if frame is not None and frame[0] not in after:
                return self.check(frame, kind)
            if frame is not None:
                continue
            self.wait(None, deadline)

    def check(self, frame: tuple[int, bytes], kind: int) -> Any:
        """Return the data of *frame*, which must be of that *kind*."""
        if frame[0] not in (kind, frames.FAILED):
            raise TemplateLost(f"the template sent the message {frame[0]} out of order")
        try:
            if frame[0] == frames.FAILED:
                raise TemplateLost(f"the template failed:\n{load(frame[1])}")
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
        import pickle

        order = {"chain": chain, "terminal": self.terminal_state}
        self.tell(frames.TEAR_DOWN, pickle.dumps(order))
        return self.expect(frames.TORN_DOWN)

    def measured(self) -> None:
        """Collect what the template itself has measured so far."""
        self.tell(frames.MEASURE)
        self.coverage.add(self.expect(frames.MEASURED))

    def finish(self, within: float | None = None) -> None:
        """Let the template tear down what is left and finish its session; kill it after *within* seconds.

        It may have been interrupted in a test.
        """
        self.finished = True
        deadline = None if within is None else time.monotonic() + within
        try:
            self.tell(frames.FINISH)
            self.expect(frames.TORN_DOWN, deadline, (frames.CLONED, frames.ENDED))
            # Until the template has run its session-finish hooks.
            while not self.reader.at_end:
                self.wait(None, deadline)
                self.reader.take()
        except (NsisolateError, TimeoutError):
            pass  # its tests have been reported; there is nothing left to blame
        finally:
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
        self._launcher.reap()
        if self.series is not None:
            self.series.sweep()
        for file in (self.out, self.err, self.stacks, self._log):
            file.close()

    def forget_output(self) -> None:
        """Empty the output files before a test."""
        for file in (self.out, self.err, self.stacks):
            os.ftruncate(file.fileno(), 0)
            # A test may have changed how it is written to, for everybody (asyncio does, for pipes).
            fcntl.fcntl(file, fcntl.F_SETFL, os.O_RDWR | os.O_APPEND)


def _interpreter_flags() -> list[str]:
    """Return the options of this interpreter: what multiprocessing has of them, and all of -X."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
    for name, value in sys._xoptions.items():  # noqa: SLF001
        text = name if value is True else f"{name}={value}"
        if text not in flags:
            flags += ["-X", text]
    return flags


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
