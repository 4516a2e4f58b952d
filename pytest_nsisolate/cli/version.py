"""``nsisolate --version``."""

from __future__ import annotations

from .. import __version__
from ..runtime.plan import SPEC_VERSION

_FEATURES = "+SYSTEMD +SELINUX +APPARMOR +CAP +SECCOMP +EBPF"


def print_version() -> None:
    """Print the versions of this program and of the spec, as runc does, and the features, as crun does."""
    print(f"nsisolate version {__version__}\nspec: {SPEC_VERSION}\n{_FEATURES}")
