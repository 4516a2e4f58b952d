"""What the command tells its process inside the namespaces, as a file of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run: the *suite* that was built in *built*, the tests that match *only*, with *runtime*.

    *user* is the uid and gid of who calls the runtime; *view* one of cgroups.VIEWS; *timeout* is in seconds.
    *directory* is for what is kept of the run, *scratch* for what is not; *cgroups* are the run's own, by the
    name of the mount below /sys/fs/cgroup (``.`` if they are mounted there).
    """

    suite: str
    built: str
    runtime: str
    only: str
    user: int
    id_maps: bool
    delegation: bool
    view: str
    timeout: float | None
    directory: str
    table: str
    scratch: str
    lock: str
    cgroups: dict[str, str]

    def write(self, path: Path) -> None:
        """Write it to *path*."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read what write() wrote."""
        return cls(**json.loads(path.read_text()))
