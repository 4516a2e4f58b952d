"""Reading /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

_ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def unescaped(field: str) -> str:
    """Return a path as it is: space, tab, newline and backslash are written as octal escapes there."""
    for code, character in _ESCAPES:
        field = field.replace(code, character)
    return field
