"""What goes wrong, for people on standard error and for callers in the file of ``--log``."""

from __future__ import annotations

import sys

from ..runtime.record import Record
from ..runtime.spec_json import encode
from ..runtime.state import now


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
            self._print("debug", message, "nsisolate: debug: ")

    def _print(self, level: str, message: str, prefix: str) -> None:
        # A caller that asks for JSON and names no file reads standard error.
        text = self._line(level, message) if self.as_json and not self.path else prefix + message
        print(text, file=sys.stderr)

    def _append(self, level: str, message: str) -> None:
        try:
            with open(self.path, "a") as file:
                file.write(self._line(level, message) + "\n")
        except OSError as error:
            print(f"nsisolate: cannot write {self.path!r}: {error.strerror}", file=sys.stderr)

    def _line(self, level: str, message: str) -> str:
        if self.as_json:
            return encode({"level": level, "msg": message, "time": now()})
        return f"time={encode(now())} level={level} msg={encode(message)}"
