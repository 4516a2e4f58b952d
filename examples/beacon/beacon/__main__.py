"""The command line: ``beacon install | uninstall | start | stop | status``."""

import sys

from . import daemon, installer, server
from .settings import CONFIG, PID_FILE, Settings


def main(verb: str = "status") -> str | int:
    """Do what *verb* says; return the exit code, or what to complain about."""
    try:
        match verb:
            case "install":
                installer.install()
            case "uninstall":
                installer.uninstall()
            case "start":
                settings = Settings.read(CONFIG)
                daemon.start(lambda: server.listen(settings), PID_FILE)
            case "stop":
                daemon.stop(PID_FILE)
            case "status":
                pid = daemon.running(PID_FILE)
                print(f"running as {pid}" if pid else "not running")
                return 0 if pid else 3
            case _:
                return f"beacon: there is no {verb!r}"
    except (OSError, ValueError, daemon.DaemonError) as error:
        return f"beacon: {error}"
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
