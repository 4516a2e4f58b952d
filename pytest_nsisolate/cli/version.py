"""``nsisolate --version``."""

from __future__ import annotations

from .. import __version__
from ..runtime.plan import SPEC_VERSION

#: The runc whose command line, output and tests this one keeps to; callers look for a number of its.
_RUNC = "1.1.5"
_FEATURES = "+SYSTEMD +SELINUX +APPARMOR +CAP +SECCOMP +EBPF"


def print_version() -> None:
    """Print the versions of this program and of the spec, as runc does, and the features, as crun does.

    Docker and others look for the lines by their beginnings; a release's commit is known by its tag.
    """
    print(
        f"nsisolate version {__version__}, in place of runc version {_RUNC}\ncommit: v{__version__}"
    )
    print(f"spec: {SPEC_VERSION}\n{_FEATURES}")
