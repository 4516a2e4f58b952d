"""``nsisolate features``: what this runtime supports (runtime-spec, features.md)."""

from __future__ import annotations

from ..runtime import capabilities
from ..runtime.execution.records import MEMORY_FLAGS, MEMORY_MODES
from ..runtime.mounts import options as mount_options
from ..runtime.plan import NAMESPACE_TYPES, SPEC_VERSION
from ..runtime.seccomp.records import ACTIONS, FLAGS, OPERATORS
from ..runtime.spec.hooks import KINDS
from .arguments import read
from .building import EFFECTIVE_ANNOTATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate features

Prints, as JSON, what this runtime supports.
"""


def features() -> dict[str, object]:
    """Return the features structure."""
    from importlib.util import find_spec

    systemd = find_spec("jeepney") is not None
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC_VERSION,
        "hooks": list(KINDS),
        "mountOptions": list(mount_options.KNOWN_OPTIONS),
        "linux": {
            "namespaces": sorted(NAMESPACE_TYPES),
            "capabilities": list(capabilities.NAMES),
            "cgroup": {
                "v1": True,
                "v2": True,
                "systemd": systemd,
                "systemdUser": systemd,
                "rdma": True,
            },
            "seccomp": _seccomp(),
            "apparmor": {"enabled": True},
            "selinux": {"enabled": True},
            "intelRdt": {"enabled": True, "schemata": True, "monitoring": True},
            "memoryPolicy": {"modes": list(MEMORY_MODES), "flags": list(MEMORY_FLAGS)},
            "mountExtensions": {"idmap": {"enabled": True}},
            "netDevices": {"enabled": True},
        },
        "annotations": {},
        "potentiallyUnsafeConfigAnnotations": list(EFFECTIVE_ANNOTATIONS),
    }


def _seccomp() -> dict[str, object]:
    """Return what a profile may hold; nothing, where no binding of libseccomp is installed."""
    from ..runtime.errors import UnsupportedError
    from ..runtime.seccomp.compile import known_architectures
    from ..runtime.syscalls_seccomp import seccomp_knows_flag

    try:
        architectures = known_architectures()
    except UnsupportedError:
        return {"enabled": False}
    return {
        "enabled": True,
        "actions": list(ACTIONS),
        "operators": list(OPERATORS),
        "archs": architectures,
        "knownFlags": list(FLAGS),
        "supportedFlags": [name for name, flag in FLAGS.items() if seccomp_knows_flag(flag)],
    }


def main(argv: list[str], _settings: Settings) -> int:
    """Run the verb; return the exit code."""
    import json

    read(argv, most=0)
    print(json.dumps(features(), indent=2))
    return 0
