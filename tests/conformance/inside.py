"""The process inside the namespaces: prepares them, runs the tests one by one, and writes the table."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from . import cgroups, sandbox
from .plan import Plan
from .session import Sessions
from .suite import Built, Run
from .suites import SUITES
from .table import FAIL, Result, TableFile

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main(plan_file: Path) -> int:
    """Run the plan; return the exit code."""
    plan = Plan.read(plan_file)
    try:
        sandbox.prepare(plan)
        _run(plan)
    except KeyboardInterrupt:
        return 130
    except Exception:
        traceback.print_exc()
        return 2
    return 0


def _run(plan: Plan) -> None:
    scratch = Path(plan.scratch)
    environment = {
        "PATH": _PATH,
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "TERM": "xterm",
        "LC_ALL": "C",
    }
    if plan.user != 0:
        environment["XDG_RUNTIME_DIR"] = str(scratch / "xdg")
    before = sandbox.mounts()
    keep = cgroups.DELEGATED if plan.user != 0 and plan.delegation else None
    sessions = Sessions(
        plan.user, environment, lambda: cgroups.thaw(cgroups.roots()), lambda: _sweep(before, keep)
    )
    run = Run(
        built=Built(directory=Path(plan.built)),
        runtime=Path(plan.runtime),
        user=plan.user,
        id_maps=plan.id_maps,
        delegation=plan.delegation,
        timeout=plan.timeout,
        logs=Path(plan.directory) / "logs",
        scratch=scratch,
        lock=Path(plan.lock),
        sessions=sessions,
    )
    suite = SUITES[plan.suite](run)
    table = TableFile(Path(plan.table))
    for test in suite.tests():
        if not re.search(plan.only, test):
            continue
        try:
            result = suite.run(test)
        except OSError as error:
            result = Result(test=test, result=FAIL, seconds=0, note=f"could not be run: {error}")
        table.add(result)
        print(f"{result.result}  {result.seconds:6.2f} s  {test}", flush=True)


def _sweep(before: set[str], keep: str | None) -> str:
    """Remove the mounts and cgroups that a test left; say which there were."""
    mounts = sandbox.unmount_since(before)
    removed = []
    for root in cgroups.roots():
        removed += cgroups.remove_below(root, keep)
        if keep is not None:
            removed += cgroups.remove_below(root / keep)
    left = {"mounts": mounts, "cgroups": sorted(set(removed))}
    return ", ".join(f"left {kind} ({' '.join(names)})" for kind, names in left.items() if names)
