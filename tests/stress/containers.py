"""Many lifecycles of containers, one after the other."""

from __future__ import annotations

from . import bundles
from .enclosure import Enclosure


def run(enclosure: Enclosure, count: int) -> str:
    """Create, start, look at, kill and delete containers, or run them, in turn."""
    bundle = str(bundles.make(enclosure.directory / "bundle", "sleep", "600"))
    short = str(bundles.make(enclosure.directory / "short", "true"))
    for number in range(count):
        name = f"stress-{number}"
        if number % 4 == 3:
            bundles.call("run", "--bundle", short, name)
        else:
            bundles.call("create", "--bundle", bundle, name)
            bundles.call("start", name)
            assert '"status": "running"' in bundles.call("state", name)
            bundles.call("kill", name, "KILL")
            bundles.call("delete", "--force", name)
        enclosure.check(f"lifecycle {number}")
    return f"{count} lifecycles"
