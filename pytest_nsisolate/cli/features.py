"""``nsisolate features``: what this runtime supports (runtime-spec, features.md)."""

from __future__ import annotations

from ..runtime import capabilities, mount_options
from ..runtime.execution.records import MEMORY_FLAGS, MEMORY_MODES
from ..runtime.plan import NAMESPACE_TYPES, SPEC_VERSION
from ..runtime.seccomp.records import ACTIONS, ARCHITECTURES, FLAGS, OPERATORS
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
        # A value that ends with a dot is what they begin with.
        "potentiallyUnsafeConfigAnnotations": ["org.systemd.property."],
    }


def _seccomp() -> dict[str, object]:
    """Return what a profile may hold; nothing, where no binding of libseccomp is installed."""
    from ..runtime.errors import UnsupportedError
    from ..runtime.seccomp.compile import binding

    try:
        lib = binding()
    except UnsupportedError:
        return {"enabled": False}
    prefix = "SCMP_ARCH_"
    return {
        "enabled": True,
        "actions": list(ACTIONS),
        "operators": list(OPERATORS),
        "archs": [a for a in ARCHITECTURES if hasattr(lib.Arch, a.removeprefix(prefix))],
        "knownFlags": list(FLAGS),
        "supportedFlags": list(FLAGS),
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
