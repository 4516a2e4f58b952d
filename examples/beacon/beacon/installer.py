"""Installs below ``/usr/local``, ``/etc`` and ``/var/lib``, and adds an account: needs root."""

import shutil
import sys
from pathlib import Path

from .settings import CONFIG, DEFAULT

ACCOUNT = "beacon:x:970:970:Beacon:/var/lib/beacon:/usr/sbin/nologin"
PREFIX = Path("/usr/local")
STATE = Path("/var/lib/beacon")
PASSWD = Path("/etc/passwd")
PROGRAM = """\
#!/bin/sh
PYTHONPATH={library} exec {python} -m beacon "$@"
"""


def install(prefix: Path = PREFIX) -> None:
    """Install the program, its configuration (an edited one is kept), state and account."""
    library = _library(prefix)
    shutil.copytree(Path(__file__).parent, library / "beacon", dirs_exist_ok=True)
    program = prefix / "bin/beacon"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(PROGRAM.format(library=library, python=sys.executable))
    program.chmod(0o755)
    if not CONFIG.exists():
        CONFIG.write_text(DEFAULT)
        CONFIG.chmod(0o640)
    STATE.mkdir(parents=True, exist_ok=True, mode=0o750)
    accounts = PASSWD.read_text()
    if ACCOUNT not in accounts.splitlines():
        PASSWD.write_text(f"{accounts}{ACCOUNT}\n")


def uninstall(prefix: Path = PREFIX) -> None:
    """Remove all of it again."""
    shutil.rmtree(_library(prefix))
    (prefix / "bin/beacon").unlink()
    CONFIG.unlink()
    shutil.rmtree(STATE)
    accounts = PASSWD.read_text().splitlines(keepends=True)
    PASSWD.write_text("".join(line for line in accounts if line.rstrip() != ACCOUNT))


def _library(prefix: Path) -> Path:
    # Version 0.3 removed the whole of `prefix / "lib"`, and with an empty prefix that of the system.
    if not prefix.is_absolute() or prefix == Path("/"):
        raise ValueError(f"{str(prefix)!r} is not a prefix")
    return prefix / "lib/beacon"
