"""What goes wrong, for people on standard error and for callers in the file of ``--log``."""

from __future__ import annotations

import os
import sys

from ..runtime.launch_options import silent
from ..runtime.lifecycle.state import now
from ..runtime.record import Record
from ..runtime.spec.decoding import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.launch_options import Detail


class Log(Record):
    """Where messages go: *path* is a file to append to, or empty."""

    path: str = ""
    as_json: bool = False
    debug: bool = False

    def fail(self, message: str) -> None:
        """Say why we end."""
        if self.path:
            self._append("error", message)
        self._print("error", message, "nsisolate: ")

    def warn(self, message: str) -> None:
        """Say what is worth knowing, and no reason to end: in the file, if there is one."""
        if self.path:
            self._append("warning", message)
        else:
            self._print("warning", message, "nsisolate: warning: ")

    def detail(self, message: str) -> None:
        """Say what is being done, with ``--debug``."""
        if self.debug and self.path:
            self._append("debug", message)
        elif self.debug:
            print(self._line("debug", message), file=sys.stderr)

    def details(self) -> Detail:
        """Return what says details also where the path, and standard error, mean something else.

        That is in a container: what is written to is open from now on.
        """
        if not self.debug:
            return silent
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            fd = os.open(self.path, flags, 0o666) if self.path else os.dup(2)
        except OSError as error:
            print(f"nsisolate: cannot write {self.path!r}: {error.strerror}", file=sys.stderr)
            return silent

        def say(message: str) -> None:
            try:
                os.write(fd, f"{self._line('debug', message)}\n".encode())
            except OSError:
                pass  # nobody reads it any more

        return say

    def _print(self, level: str, message: str, prefix: str) -> None:
        # A caller that asks for JSON and names no file reads standard error.
        text = self._line(level, message) if self.as_json and not self.path else prefix + message
        print(text, file=sys.stderr)

    def _append(self, level: str, message: str) -> None:
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(self._line(level, message) + "\n")
        except OSError as error:
            print(f"nsisolate: cannot write {self.path!r}: {error.strerror}", file=sys.stderr)

    def _line(self, level: str, message: str) -> str:
        if self.as_json:
            return encode({"level": level, "msg": message, "time": now()})
        return f"time={encode(now())} level={level} msg={encode(message)}"
