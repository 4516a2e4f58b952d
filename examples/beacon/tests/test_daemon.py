"""The daemon, as installed: /usr/local/bin/beacon, /run/beacon.pid, port 80.

No test stops its daemon to tidy up: it ends with the test's pid namespace.
"""

import http.client
import os
import signal
import subprocess
from pathlib import Path

import pytest

from beacon import daemon, installer
from beacon.settings import PID_FILE

pytestmark = pytest.mark.isolated(root=True, network="none", hostname="lighthouse", timeout=30)


@pytest.fixture(autouse=True)
def installed() -> None:
    """Install it, for each test anew."""
    installer.install()


def beacon(verb: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program."""
    return subprocess.run(
        ["/usr/local/bin/beacon", verb], capture_output=True, text=True, timeout=10, check=False
    )


def get() -> str:
    """Return the page."""
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_it_serves_on_port_80() -> None:
    """The page carries the host's name, which is the test's own."""
    assert beacon("start").returncode == 0
    assert get() == "here I am: lighthouse\n"


def test_it_goes_into_the_background() -> None:
    """The daemon has a session of its own and no terminal, and nobody but init as its parent."""
    beacon("start")
    pid = int(PID_FILE.read_text())
    assert os.getsid(pid) not in (pid, os.getsid(0))
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == "1"
    assert beacon("status").stdout == f"running as {pid}\n"


def test_it_starts_once() -> None:
    """A second start is refused, and the first one goes on."""
    beacon("start")
    second = beacon("start")
    assert second.returncode == 1
    assert "already running" in second.stderr
    assert get().startswith("here I am")


def test_it_stops() -> None:
    """After stop there is no process, no pid file and no listener."""
    beacon("start")
    pid = int(PID_FILE.read_text())
    assert beacon("stop").returncode == 0
    assert not os.path.exists(f"/proc/{pid}")
    assert not PID_FILE.exists()
    with pytest.raises(ConnectionRefusedError):
        get()


def test_a_stale_pid_file_does_not_matter() -> None:
    """After a crash the pid file is still there; start works all the same."""
    beacon("start")
    os.kill(int(PID_FILE.read_text()), signal.SIGKILL)
    assert beacon("status").stdout == "not running\n"
    assert beacon("start").returncode == 0
    assert get().startswith("here I am")


def test_a_taken_port_is_reported() -> None:
    """What goes wrong in the background is said in the foreground."""
    beacon("start")
    PID_FILE.unlink()
    second = beacon("start")
    assert second.returncode == 1
    assert "Address already in use" in second.stderr


@pytest.mark.parametrize("port", [80, 443, 8080])
def test_the_port_can_be_chosen(port: int) -> None:
    """Whatever listens on the machine's own ports, the test's ports are free."""
    Path("/etc/beacon.conf").write_text(f"[beacon]\nport = {port}\n")
    assert beacon("start").stderr == ""
    assert daemon.running(PID_FILE)


def test_only_our_processes_are_there() -> None:
    """A test sees its own processes only, so a count of daemons is reliable."""
    beacon("start")
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert sum(b"-m\0beacon\0start" in command for command in commands) == 1
