"""Processes in a container's pid namespace get nothing out of one that is about to join them.

CVE-2016-9962: between its arrival and execve it is still the runtime: with the host's files open, and
privileges that the container's own process will not have.
"""

from __future__ import annotations

import os

import pytest

from .attacker import add_python, set_attack
from .bundle import Bundle, Running
from .lifecycle import verb
from .runtime_under_test import ours_only

pytestmark = ours_only("the name that our processes have")

#: Looks at everybody who comes, as fast as it can, until it is told to stop.
WATCH = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
own = os.stat('/')
print('watching', flush=True)
seen = 0

def name(pid):
    try:
        return open(f'/proc/{pid}/comm').read().strip()
    except OSError:
        return ''

def attempt(pid, what, call):
    try:
        found = call()
        if found is not False and name(pid).startswith(NAMES):
            print('escaped by', what, flush=True)
        if type(found) is int:
            os.close(found)
    except OSError:
        pass

def seize(pid):
    # By a child, whose end lets go of what it traces.
    child = os.fork()
    if child == 0:
        done = libc.ptrace(0x4206, int(pid), 0, 0) == 0
        os._exit(done and name(pid).startswith(NAMES))
    return os.waitpid(child, 0)[1] != 0

while not os.path.exists('/stop'):
    for pid in os.listdir('/proc'):
        if not pid.isdecimal() or int(pid) in (1, os.getpid()) or not name(pid).startswith(NAMES):
            continue
        seen += 1
        here = f'/proc/{pid}'
        attempt(pid, 'ptrace', lambda: seize(pid))
        attempt(pid, 'memory', lambda: os.open(f'{here}/mem', os.O_RDWR))
        attempt(pid, 'environ', lambda: os.open(f'{here}/environ', os.O_RDONLY))
        attempt(pid, 'descriptors', lambda: os.stat(f'{here}/fd/0'))
        attempt(pid, 'executable', lambda: os.open(f'{here}/exe', os.O_RDONLY))
        attempt(pid, 'root', lambda: os.listdir(f'{here}/root'))
        attempt(pid, 'cwd', lambda: os.listdir(f'{here}/cwd'))
        attempt(pid, 'maps', lambda: os.listdir(f'{here}/map_files'))
print('seen' if seen else 'blind', flush=True)
"""


@pytest.fixture
def watcher(bundle: Bundle) -> Running:
    """Start a container that attacks whoever joins it, as its root."""
    add_python(bundle)
    set_attack(bundle, f"NAMES = ('python', 'nsisolate')\n{WATCH}")
    running = bundle.start()
    assert running.line() == "watching"
    return running


def stop(bundle: Bundle, watcher: Running) -> list[str]:
    """Return what it has found."""
    (bundle.rootfs / "stop").touch()
    return watcher.finish().out.splitlines()


def rounds() -> int:
    """Return how often to try; NSISOLATE_TEST_ROUNDS says for how many hundreds of times."""
    return 20 * int(os.environ.get("NSISOLATE_TEST_ROUNDS", "1"))


def test_exec_joins_unharmed(bundle: Bundle, watcher: Running) -> None:
    """What ``exec`` brings in is seen, and neither traced nor looked into."""
    for _round in range(rounds()):
        assert verb(bundle, "exec", bundle.id, "true").code == 0
    assert stop(bundle, watcher) == ["seen"]


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)  # who have two ids
def test_exec_as_another_user_joins_unharmed(bundle: Bundle, watcher: Running) -> None:
    """The same, where it becomes somebody else on its way, which changes who may trace it."""
    for _round in range(rounds()):
        assert verb(bundle, "exec", "--user", "1000:1000", bundle.id, "true").code == 0
    assert stop(bundle, watcher) == ["seen"]


def test_a_container_in_the_same_pid_namespace_is_built_unharmed(
    bundle: Bundle, watcher: Running
) -> None:
    """A further container in the pid and user namespaces of this one is built under its eyes."""
    pid = watcher.container_pid()
    config = bundle.config
    joined = {"pid": "pid", "user": "user"} if bundle.identity.user_namespace else {"pid": "pid"}
    for kind, file in joined.items():
        bundle.namespace(kind, f"/proc/{pid}/ns/{file}")
    for unwanted in ("uidMappings", "gidMappings"):
        config["linux"].pop(unwanted, None)
    bundle.process["args"] = ["true"]
    bundle.write_config()
    for number in range(rounds()):
        command = ("run", "--bundle", str(bundle.path), f"{bundle.id}-{number}")
        finished = verb(bundle, *command)
        assert finished.code == 0, finished
    assert stop(bundle, watcher) == ["seen"]
