"""What a process knows of the program that it runs: ``sys.argv`` and the module ``__main__``.

Tests, and what they test, look at it: argparse names itself after it, multiprocessing imports it again.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

_COPIED = ("__cached__", "__doc__", "__file__", "__package__")


def describe_program() -> dict[str, Any]:
    """Return what :func:`resemble` needs, of this process."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    return {
        "argv": list(sys.argv),
        "orig_argv": list(sys.orig_argv),
        "main": {name: vars(main)[name] for name in _COPIED if name in vars(main)} if main else {},
        "spec": None if spec is None else spec.name,
    }


def resemble(program: dict[str, Any]) -> None:
    """Make this process look as if it ran that *program*."""
    sys.argv[:] = program["argv"]
    sys.orig_argv[:] = program["orig_argv"]
    main = sys.modules["__main__"]
    for name in _COPIED:
        vars(main).pop(name, None)
    vars(main).update(program["main"])
    main.__spec__ = importlib.util.find_spec(program["spec"]) if program["spec"] else None
