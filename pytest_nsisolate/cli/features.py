"""``nsisolate features``: what this runtime supports (runtime-spec, features.md)."""

from __future__ import annotations

from ..runtime import capabilities, mount_options
from ..runtime.plan import NAMESPACE_TYPES, SPEC_VERSION
from ..runtime.spec_hooks import KINDS
from .arguments import HelpRequested, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

_HELP = """\
usage: nsisolate features

Prints, as JSON, what this runtime supports.
"""


def features() -> dict[str, object]:
    """Return the features structure."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC_VERSION,
        "hooks": list(KINDS),
        "mountOptions": list(mount_options.KNOWN_OPTIONS),
        "linux": {
            "namespaces": sorted(NAMESPACE_TYPES),
            "capabilities": list(capabilities.NAMES),
            "cgroup": {
                "v1": False,
                "v2": False,
                "systemd": False,
                "systemdUser": False,
                "rdma": False,
            },
            "seccomp": {"enabled": False},
            "apparmor": {"enabled": False},
            "selinux": {"enabled": False},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": False}},
            "netDevices": {"enabled": False},
        },
        "annotations": {},
    }


def main(argv: list[str], _settings: Settings) -> int:
    """Run the verb; return the exit code."""
    import json

    try:
        read(argv, most=0)
    except HelpRequested:
        print(_HELP, end="")
        return 0
    print(json.dumps(features(), indent=2))
    return 0
