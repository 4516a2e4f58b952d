"""The peers, each in a virtual environment of its own, with the pytest that it needs."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .places import CHECKOUT, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """An environment: what is installed in it, and the arguments that turn its isolation on."""

    name: str
    requirements: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    with_plugin: bool = False


_OURS = ("--nsisolate-all",)
#: pytest-forked and pytest-isolate fail every test on newer ones.
_PYTEST_8 = "pytest>=8.4,<9"

PLAIN = Peer(name="plain", requirements=("pytest",))
OURS = Peer(name="nsisolate", requirements=("pytest",), arguments=_OURS, with_plugin=True)
PLAIN_8 = Peer(name="plain-8.4", requirements=(_PYTEST_8,))
OURS_8 = Peer(name="nsisolate-8.4", requirements=(_PYTEST_8,), arguments=_OURS, with_plugin=True)
FORKED = Peer(
    name="pytest-forked", requirements=(_PYTEST_8, "pytest-forked"), arguments=("--forked",)
)
ISOLATE = Peer(
    name="pytest-isolate", requirements=(_PYTEST_8, "pytest-isolate"), arguments=("--isolate",)
)
ISOLATED = Peer(
    name="pytest-isolated", requirements=("pytest", "pytest-isolated"), arguments=("--isolated",)
)
XDIST = Peer(name="pytest-xdist", requirements=("pytest", "pytest-xdist"), arguments=("-n2",))
OURS_XDIST = Peer(
    name="nsisolate-xdist",
    requirements=("pytest", "pytest-xdist"),
    arguments=_OURS,
    with_plugin=True,
)
HEAVY = ("numpy", "pandas")


class Environments:
    """The virtual environments, made when they are first asked for."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache / "environments"
        self._sources = _digest_of_sources()

    def python(self, peer: Peer, *more: str) -> str:
        """Return the interpreter of the peer's environment, in which *more* is installed, too."""
        requirements = [*peer.requirements, *more]
        if peer.with_plugin:
            # As its users have it: a checkout's modules are compiled in each sandbox anew.
            requirements.append(str(CHECKOUT))
        digest = hashlib.sha256(" ".join([sys.version, *requirements]).encode()).hexdigest()[:8]
        directory = self._cache / f"{peer.name}-{digest}"
        python = str(directory / "bin/python")
        if not (directory / "complete").exists():
            shutil.rmtree(directory, ignore_errors=True)
            print(f"making the environment {directory.name}", file=sys.stderr)
            run([sys.executable, "-m", "venv", str(directory)])
            # Its console scripts import less than those of Debian's pip.
            run([python, "-m", "pip", "install", "-q", "--upgrade", "pip"])
            run([python, "-m", "pip", "install", "-q", *requirements])
            (directory / "complete").write_text(self._sources)
        elif peer.with_plugin and (directory / "complete").read_text() != self._sources:
            command = [python, "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps"]
            run([*command, str(CHECKOUT)])
            (directory / "complete").write_text(self._sources)
        return python


def _digest_of_sources() -> str:
    """Return what changes with the package."""
    digest = hashlib.sha256()
    for path in [
        CHECKOUT / "pyproject.toml",
        *sorted((CHECKOUT / "pytest_nsisolate").rglob("*.py")),
    ]:
        digest.update(bytes(path.relative_to(CHECKOUT)) + b"\0" + path.read_bytes())
    return digest.hexdigest()
