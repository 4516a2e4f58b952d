"""CVE-2019-5736: overwriting the runtime through ``/proc/self/exe``, which is here the Python interpreter.

Each attack changes the mode of what it gets hold of, which needs no waiting for the file not to be busy;
one writes to it, as the exploits of the time did.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from .attacker import Copy, add_python, set_attack
from .bundle import Bundle
from .lifecycle import wait_for
from .runtime_under_test import ours_only

pytestmark = ours_only("the interpreter that our runtime runs in")

CHANGE = "import os; os.fchmod(os.open('/proc/self/exe', os.O_RDONLY), 0o777); print('escaped')"

#: Keeps the file, becomes another program, and writes once nobody executes the file any more.
OVERWRITE = """\
import os
os.dup2(os.open('/proc/self/exe', os.O_RDONLY), 9)
os.execv('/bin/sh', ['sh', '-c', '''
n=0
until { echo owned > /proc/self/fd/9; } 2>/dev/null; do n=$((n+1)); [ $n -lt 500 ] || exit 1; sleep 0.01; done
echo escaped; sleep 60'''])
"""


@pytest.fixture
def copy(bundle: Bundle) -> Copy:
    """Return our runtime in a copy of the interpreter, and give the container what it takes to run it."""
    add_python(bundle)
    return Copy(bundle)


def as_argument(_bundle: Bundle, code: str) -> list[str]:
    """Execute it by its name."""
    return ["/proc/self/exe", "-I", "-S", "-c", code]


def as_symlink(bundle: Bundle, code: str) -> list[str]:
    """Execute it by a symlink where a shell is expected."""
    (bundle.rootfs / "bin/bash").symlink_to("/proc/self/exe")
    return ["bash", "-I", "-S", "-c", code]


def as_script(bundle: Bundle, code: str) -> list[str]:
    """Execute it as what a script is for."""
    script = bundle.rootfs / "bin/bash"
    script.write_text(f"#!/proc/self/exe\n{code}\n")
    script.chmod(0o755)
    bundle.give(script)
    return ["bash"]


WAYS = pytest.mark.parametrize("way", [as_argument, as_symlink, as_script])
Way = Callable[[Bundle, str], list[str]]


@WAYS
def test_run_cannot_be_made_to_execute_it(bundle: Bundle, copy: Copy, way: Way) -> None:
    """The container's program cannot be our interpreter, and so cannot change it."""
    bundle.process["args"] = way(bundle, CHANGE)
    bundle.write_config()
    finished = copy.call("run", "--bundle", str(bundle.path), bundle.id)
    assert "escaped" not in finished.out
    assert finished.code == 126, finished
    assert "exec format error" in finished.err
    assert copy.is_unharmed()


@WAYS
def test_start_cannot_be_made_to_execute_it(bundle: Bundle, copy: Copy, way: Way) -> None:
    """Nor can that of a container that was created: when start is gone, nothing keeps the file busy."""
    bundle.process["args"] = way(bundle, OVERWRITE)
    bundle.write_config()
    created = copy.call("create", "--bundle", str(bundle.path), bundle.id)
    assert created.code == 0, created
    started = copy.call("start", bundle.id)
    assert started.code != 0, started
    assert copy.is_unharmed()


@WAYS
def test_exec_cannot_be_made_to_execute_it(bundle: Bundle, copy: Copy, way: Way) -> None:
    """Nor can what is executed in a running container, whose files are its own to exchange."""
    bundle.process["args"] = ["sleep", "60"]
    bundle.write_config()
    ran = copy.call("run", "--detach", "--bundle", str(bundle.path), bundle.id)
    assert ran.code == 0, ran
    finished = copy.call("exec", bundle.id, *way(bundle, CHANGE))
    assert "escaped" not in finished.out
    assert "exec format error" in finished.err
    assert copy.is_unharmed()


WATCH = """\
import os
print('watching', flush=True)
seen = set()
while not os.path.exists('/stop'):
    for pid in os.listdir('/proc'):
        if pid.isdecimal() and pid not in seen and int(pid) != os.getpid():
            try:
                if 'python' in os.readlink(f'/proc/{pid}/exe'):
                    os.fchmod(os.open(f'/proc/{pid}/exe', os.O_RDONLY), 0o777)
                    print('escaped', flush=True)
            except OSError:
                pass
print('done', flush=True)
"""


def test_exec_shows_it_to_nobody(bundle: Bundle, copy: Copy) -> None:
    """While a process joins a container, those in there do not get at its executable by /proc/PID/exe.

    Not even with CAP_SYS_PTRACE: there is no interpreter behind it any more.
    """
    bundle.add_capabilities("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
    set_attack(bundle, WATCH)
    watcher = bundle.start()
    assert watcher.line() == "watching"
    for _round in range(12):
        finished = copy.call("exec", bundle.id, "/bin/true")
        assert finished.code == 0, finished
    (bundle.rootfs / "stop").touch()
    assert watcher.finish().out == "done\n"
    assert copy.is_unharmed()


def test_the_first_process_has_let_go_of_it(bundle: Bundle, copy: Copy) -> None:
    """What waits for ``start`` has an executable that is empty, and that nobody can write to."""
    bundle.process["args"] = ["sleep", "60"]
    bundle.write_config()
    pid_file = bundle.path / "pid"
    bundle.path.chmod(0o777)
    copy.call("create", "--bundle", str(bundle.path), "--pid-file", str(pid_file), bundle.id)
    wait_for(pid_file.exists)
    if os.geteuid() == 0:
        assert "python" not in os.readlink(f"/proc/{pid_file.read_text()}/exe")
        with open(f"/proc/{pid_file.read_text()}/exe", "rb") as file:
            assert file.read() == b""
    started = copy.call("start", bundle.id)
    assert started.code == 0, started
