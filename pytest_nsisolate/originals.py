"""The real ``os``, ``socket``, ... for this package, whatever tests and fixtures put in their place.

A fixture of a wide scope changes the process that tests are cloned from, and that is what it is for: pyfakefs
gives every loaded module a fake ``os``, freezegun a clock that stands still, a mock may replace ``os.fork``.
Cloning and reporting go on with what was there before.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import functools
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import ModuleType, SimpleNamespace

_KEPT = (errno, fcntl, os, select, signal, socket, subprocess, tempfile, time)


def keep() -> None:
    """Let every module of this package that is loaded now keep the functions of now.

    A copy of a module is no module, so that nobody who looks for those takes it for one.
    """
    copies = {id(module): SimpleNamespace(**vars(module)) for module in _KEPT}
    own = f"{__package__}."
    for name, module in list(sys.modules.items()):
        if name.startswith(own) and module is not sys.modules[__name__]:
            for attribute, value in list(vars(module).items()):
                if isinstance(value, ModuleType) and id(value) in copies:
                    setattr(module, attribute, copies[id(value)])
            module.__dict__.setdefault("open", functools.partial(builtins.open))
