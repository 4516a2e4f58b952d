"""The files that a generated root file system starts with: directories, symlinks, small files."""

from __future__ import annotations

import os

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Entry(Record):
    """One directory (*kind* ``d``), symlink (``l``: *content* is its target) or file (``f``)."""

    kind: str
    path: str
    mode: int = 0o755
    content: str = ""


def write(entries: Iterable[Entry], root: str) -> None:
    """Create *entries* below the directory *root*; missing parents are made with mode 0o755."""
    for entry in entries:
        path = root + entry.path
        make_directories(os.path.dirname(path))
        if entry.kind == "d":
            make_directories(path)
        elif entry.kind == "l":
            os.symlink(entry.content, path)
            continue
        else:
            with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(entry.content)
    # Modes last: a directory that its owner may not write to could not be filled.
    for entry in entries:
        if entry.kind != "l":
            os.chmod(root + entry.path, entry.mode)


def make_directories(path: str) -> None:
    """Make the directory *path* and its parents, with mode 0o755."""
    # os.makedirs makes parents with the umask's mode, and the umask is 0 in here.
    if not os.path.isdir(path):
        make_directories(os.path.dirname(path))
        os.mkdir(path, 0o755)
