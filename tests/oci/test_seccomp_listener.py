"""``linux.seccomp.listenerPath``: who decides about some of the container's calls (seccomp_unotify(2))."""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .. import capabilities
from .bundle import TIMEOUT, Bundle
from .lifecycle import create, ok, start
from .runtime_under_test import ours_only
from .test_errors import assert_one_sentence
from .test_seccomp import needs_libseccomp, profile, refuse

__all__ = ["needs_libseccomp"]
pytestmark = ours_only("the state, the sentences, and what may be asked about")

RECEIVE, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
CONTINUE = 1
ENOSPC = 28


class Listener:
    """Accepts one connection; answers every call, with the errno, or with 0 to let it go on."""

    def __init__(self, path: Path, errno: int) -> None:
        self.message: dict[str, Any] = {}
        self.after = b"nothing came"
        self.asked = 0
        self._errno = errno
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        path.chmod(0o777)
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _address = self._server.accept()
        except OSError:
            return
        with connection:
            raw, fds, _flags, _from = socket.recv_fds(connection, 65536, 1)
            if not fds:
                return
            self.message = json.loads(raw)
            poll = select.poll()
            poll.register(fds[0], select.POLLIN)
            while poll.poll(TIMEOUT * 1000)[0][1] & select.POLLIN:
                self._answer(fds[0])
            self.after = connection.recv(1)
            os.close(fds[0])

    def _answer(self, fd: int) -> None:
        request = array.array("B", bytes(80))
        fcntl.ioctl(fd, RECEIVE, request)
        (call_id,) = struct.unpack_from("=Q", request)
        flags = 0 if self._errno else CONTINUE
        response = array.array("B", struct.pack("=QqiI", call_id, 0, -self._errno, flags))
        fcntl.ioctl(fd, SEND, response)
        self.asked += 1

    def finish(self) -> None:
        """Wait until the last process that has the filter is gone."""
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.finish()


@pytest.fixture
def listen(bundle: Bundle) -> Iterator[Any]:
    """Return what starts a listener for the bundle, which is asked about some calls."""
    capabilities.need(hasattr(socket, "recv_fds"), "recv_fds")
    listeners: list[Listener] = []

    def begin(*names: str, errno: int = 0) -> Listener:
        path = bundle.path / "listener"
        profile(bundle, {"names": list(names), "action": "SCMP_ACT_NOTIFY"})
        bundle.linux["seccomp"] |= {"listenerPath": str(path), "listenerMetadata": "for you"}
        listeners.append(Listener(path, errno))
        return listeners[-1]

    yield begin
    for listener in listeners:
        listener.close()


def test_the_listener_gets_the_descriptor(bundle: Bundle, listen: Any) -> None:
    """It is sent the descriptor and the container process state, once a connection, and decides."""
    listener = listen("mkdir", "mkdirat", errno=ENOSPC)
    bundle.config["annotations"] = {"org.example": "yes"}
    running = bundle.start("mkdir /tmp/x; echo ready; cat >/dev/null")
    assert running.line() == "ready"
    state = listener.message
    assert state["fds"] == ["seccompFd"]
    assert state["ociVersion"] == "0.2.0"
    assert state["metadata"] == "for you"
    assert state["pid"] == state["state"]["pid"] == running.container_pid()
    assert state["state"]["id"] == bundle.id
    assert state["state"]["bundle"] == str(bundle.path)
    assert state["state"]["annotations"] == {"org.example": "yes"}
    assert "No space left" in running.finish().err
    listener.finish()
    assert (listener.asked, listener.after) == (1, b"")


@pytest.mark.parametrize(
    "names",
    [
        ("execve", "openat", "open", "read", "close"),
        ("sendmsg", "close", "mmap", "brk", "munmap"),
        ("sendmmsg", "prlimit64", "rt_sigaction"),
    ],
)
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_it_may_be_asked_about_calls_of_the_runtime(
    bundle: Bundle, listen: Any, names: tuple[str, ...], no_new_privileges: bool
) -> None:
    """Also what we call ourselves between loading the filter and execve waits for its answer."""
    listener = listen(*names)
    bundle.process["noNewPrivileges"] = no_new_privileges
    assert bundle.output("echo ran") == "ran"
    listener.finish()
    assert listener.asked > 0


@pytest.mark.parametrize("form", ["run", "start"])
def test_it_is_asked_about_hooks(bundle: Bundle, listen: Any, form: str) -> None:
    """A startContainer hook runs under the filter, and gets no descriptor of it."""
    listener = listen("mkdir", "mkdirat", "sendmsg")
    script = "mkdir /tmp/x; ls /proc/self/fd > /tmp/x/fds"
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    if form == "run":
        bundle.output("true")
    else:
        start(bundle)
        ok(bundle, "delete", "--force", bundle.id)
    listener.finish()
    assert listener.asked >= 1
    assert (bundle.rootfs / "tmp/x/fds").read_text().split() == ["0", "1", "2", "3"]


def test_it_is_told_at_start(bundle: Bundle, listen: Any) -> None:
    """A container that was created and never started has no filter yet: the connection just ends."""
    listener = listen("mkdir")
    create(bundle)
    assert listener.message == {}
    ok(bundle, "delete", "--force", bundle.id)
    listener.finish()
    assert listener.message == {}


def test_a_listener_that_is_not_there(bundle: Bundle) -> None:
    """config-linux.md: if sending fails, the runtime MUST generate an error."""
    profile(bundle, {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"})
    bundle.linux["seccomp"]["listenerPath"] = str(bundle.path / "missing")
    sentence = "failed to connect with seccomp agent at linux.seccomp.listenerPath"
    assert_one_sentence(bundle.run("true"), sentence, "ENOENT")


def test_without_notify_it_is_told_all_the_same(bundle: Bundle, listen: Any) -> None:
    """A listener that is asked nothing gets the state and the descriptor, as with crun."""
    listener = listen("mkdir")
    bundle.linux["seccomp"]["syscalls"] = []
    assert bundle.output("mkdir /tmp/x; echo ran") == "ran"
    listener.finish()
    assert listener.message["state"]["id"] == bundle.id
    assert (listener.asked, listener.after) == (0, b"")


def test_without_notify_it_may_be_missing(bundle: Bundle) -> None:
    """config-linux.md: the state is sent when SCMP_ACT_NOTIFY is used, so that nothing depends on it here."""
    profile(bundle, refuse("mkdir"))
    bundle.linux["seccomp"]["listenerPath"] = str(bundle.path / "missing")
    assert bundle.output("echo ran") == "ran"
