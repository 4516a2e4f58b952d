"""What the running interpreter needs to go on running inside: its prefixes, and whatever it imports from."""

from __future__ import annotations

import os
import sys
import sysconfig


def interpreter_paths() -> list[str]:
    """Return the host paths that this interpreter imports from, as they are spelled and as they are.

    They are the prefixes (virtual environment and base), the executable through all of its links, every
    entry of ``sys.path``, the directories that editable installs map packages to, and the homes of the
    modules imported so far, which finds what import hooks bring in from elsewhere.
    """
    found: list[str] = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    found += _links(sys.executable)
    found += [path for path in sysconfig.get_paths().values() if os.path.isabs(path)]
    found += [os.path.abspath(entry) for entry in sys.path if entry]
    found += _editable_directories()
    found += _homes_of_modules()
    paths = dict.fromkeys(path for p in found for path in (p, os.path.realpath(p)))
    return [path for path in paths if os.path.exists(path) and path != "/"]


def _links(executable: str) -> list[str]:
    # A virtual environment's python is a link to the base's, sometimes by way of others (pyenv, Debian).
    found = []
    path = executable
    while path and path not in found:
        found.append(path)
        if not os.path.islink(path):
            break
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    # The directory, not the file: a link alone cannot be a mount point, and pyvenv.cfg is beside it.
    return [os.path.dirname(os.path.abspath(path)) for path in found if path]


def _editable_directories() -> list[str]:
    """Return what the finders of editable installs (PEP 660) map packages to."""
    found = []
    for finder in sys.meta_path:
        module = sys.modules.get(getattr(finder, "__module__", "") or "")
        mapping = getattr(module, "MAPPING", None) or getattr(finder, "mapping", None)
        if isinstance(mapping, dict):
            for value in mapping.values():
                if isinstance(value, str):
                    found.append(os.path.dirname(os.path.abspath(value)))
    return found


def _homes_of_modules() -> list[str]:
    found = set()
    for module in list(sys.modules.values()):
        origin = getattr(module, "__file__", None)
        if isinstance(origin, str) and os.path.isabs(origin):
            found.add(os.path.dirname(origin))
    return sorted(found)
