"""What crun and runc need to be run by each other's suites, which call the options of their own runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .runtime import Runtime

#: runc has neither --cgroup-manager nor --config: the bundle is where it is called, its file config.json.
_RUNC_FOR_CRUN_SUITE = """\
#!/bin/bash
arguments=()
while [ $# != 0 ]; do
    case $1 in
    --cgroup-manager) shift ;;
    --config)
        shift
        [ "$1" = config.json ] || cp "$1" config.json
        ;;
    *) arguments+=("$1") ;;
    esac
    shift
done
exec {runtime} "${{arguments[@]}}"
"""


def adapted(runtime: Runtime, suite: str, directory: Path) -> Runtime:
    """Return *runtime* as *suite* can call it: runc gets a script in *directory* for crun's suite."""
    if (runtime.name, suite) != ("runc", "crun"):
        return runtime
    script = directory / "runc"
    script.write_text(_RUNC_FOR_CRUN_SUITE.format(runtime=runtime.path))
    script.chmod(0o755)
    return replace(runtime, path=script)


def view(runtime: Runtime, suite_view: str) -> str:
    """Return how *runtime* is shown cgroups: crun refuses both versions at once (1.8.1)."""
    return "v1" if runtime.name == "crun" else suite_view
