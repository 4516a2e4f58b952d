"""The installer: it changes /usr/local, /etc and /var, for real. Each test starts from a clean system."""

import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from beacon import installer

pytestmark = pytest.mark.isolated(root=True)


def test_install() -> None:
    """Everything is where it belongs, with the right modes."""
    installer.install()
    assert os.access("/usr/local/bin/beacon", os.X_OK)
    assert stat.S_IMODE(os.stat("/etc/beacon.conf").st_mode) == 0o640
    assert stat.S_IMODE(os.stat("/var/lib/beacon").st_mode) == 0o750
    assert pwd.getpwnam("beacon").pw_dir == "/var/lib/beacon"


def test_nothing_is_left_of_other_tests() -> None:
    """What the other tests install is not here."""
    assert not os.path.exists("/usr/local/bin/beacon")
    with pytest.raises(KeyError):
        pwd.getpwnam("beacon")


def test_update_keeps_the_configuration() -> None:
    """A second installation keeps what an administrator has written, and adds no second account."""
    installer.install()
    Path("/etc/beacon.conf").write_text("[beacon]\nport = 8080\n")
    installer.install()
    assert "8080" in Path("/etc/beacon.conf").read_text()
    assert Path("/etc/passwd").read_text().count("beacon:x:") == 1


def test_uninstall() -> None:
    """All of it goes, and nothing else does."""
    Path("/usr/local/lib").mkdir(parents=True, exist_ok=True)
    Path("/usr/local/lib/neighbour").touch()
    before = _tree("/usr/local", "/etc", "/var/lib")
    installer.install()
    assert _tree("/usr/local", "/etc", "/var/lib") > before
    installer.uninstall()
    assert _tree("/usr/local", "/etc", "/var/lib") - {"/usr/local/bin"} == before - {
        "/usr/local/bin"
    }


@pytest.mark.parametrize("prefix", ["", ".", "/"])
def test_uninstall_refuses_what_is_no_prefix(prefix: str) -> None:
    """Version 0.3 removed /lib when the prefix was empty."""
    with pytest.raises(ValueError, match="not a prefix"):
        installer.uninstall(Path(prefix))
    assert os.path.exists("/lib")


def test_a_catastrophe_is_harmless() -> None:
    """Even what version 0.3 did can be tried; the next test has all of it back."""
    subprocess.run(["rm", "-rf", "/etc", "/usr/bin", "/usr/local", "/var"], check=False)
    assert not os.path.exists("/etc/passwd")
    assert not os.path.exists("/usr/bin/env")


@pytest.mark.isolated(root=False)
def test_install_as_an_ordinary_user() -> None:
    """Without root=True the system is read-only, and the installer says what it may not write."""
    with pytest.raises(OSError, match="/usr/local"):
        installer.install()


def _tree(*roots: str) -> set[str]:
    return {path for root in roots for path, _, _ in os.walk(root)} | {
        os.path.join(path, name)
        for root in roots
        for path, _, names in os.walk(root)
        for name in names
    }
