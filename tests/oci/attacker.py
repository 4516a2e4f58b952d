"""What attacks are written in: Python in the container; and a copy of it for our runtime to run in.

The copy is what an attack may destroy: the machine's own interpreter is out of its reach whatever happens.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest_nsisolate

from .bundle import TIMEOUT, Bundle, Finished
from .identity import demotion

#: The interpreter, and not a virtual environment's link to it.
INTERPRETER = os.path.realpath(sys.executable)


def add_python(bundle: Bundle) -> None:
    """Bind, read-only, what the host's Python needs into the container."""
    wanted = {"/usr", "/lib", "/lib64", sys.base_prefix}
    for path in sorted(p for p in wanted if os.path.isdir(p)):
        if path == "/usr" or not path.startswith("/usr/"):
            bundle.bind(path, path, "rbind", "ro")


def set_attack(bundle: Bundle, code: str) -> None:
    """Make Python code the container's process."""
    bundle.process["args"] = [INTERPRETER, "-I", "-S", "-c", code]


class Copy:
    """Our runtime in a copy of the interpreter, which belongs to the container's root."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.path = bundle.path / "python"
        shutil.copy(INTERPRETER, self.path)
        self.path.chmod(0o755)
        bundle.give(self.path)
        self._before = self._look()

    def command(self, *args: str) -> list[str]:
        """Return a command line of our runtime."""
        return [str(self.path), "-m", "pytest_nsisolate", *args]

    def environment(self) -> dict[str, str]:
        """Return the runtime's environment."""
        return self._bundle.environment() | {
            "PYTHONPATH": str(Path(pytest_nsisolate.__file__).parents[1]),
            "PYTHONHOME": sys.base_prefix,
        }

    def call(self, *args: str) -> Finished:
        """Call our runtime; its output, and that of what it leaves running, goes to files."""
        out, err = self._bundle.path / "copy.out", self._bundle.path / "copy.err"
        with out.open("w") as stdout, err.open("w") as stderr:
            done = subprocess.run(
                self.command(*args),
                cwd="/",
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                timeout=TIMEOUT,
                check=False,
                **demotion(self._bundle.identity),
            )
        return Finished(done.returncode, out.read_text(), err.read_text())

    def is_unharmed(self) -> bool:
        """Tell whether content, mode and owner are what they were."""
        return self._look() == self._before

    def _look(self) -> tuple[object, ...]:
        found = self.path.stat()
        return self.path.read_bytes(), found.st_mode, found.st_uid, found.st_gid
