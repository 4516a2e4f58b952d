"""``linux.intelRdt``: the container's class of service below a mounted resctrl file system."""

from __future__ import annotations

import os

from .errors import SetupError, UnsupportedError
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .execution.records import IntelRdt

_STEP = "linux.intelRdt"


class ClassOfService(Record):
    """A directory of resctrl; *made* are the directories to remove with the container."""

    directory: str
    tasks: tuple[str, ...]
    made: tuple[str, ...] = ()

    def join(self) -> None:
        """Let the calling process, and what it forks, belong to the class."""
        for path in self.tasks:
            _write(path, "0")

    def take(self, pids: list[int]) -> None:
        """Move processes that run already in, with all their threads."""
        for pid in pids:
            try:
                threads = os.listdir(f"/proc/{pid}/task")
            except FileNotFoundError:
                continue
            for path in self.tasks:
                for thread in threads:
                    _write(path, thread)

    def change(self, wanted: IntelRdt) -> None:
        """Give the class other schemata; those that are not mentioned stay."""
        for line in _schemata(wanted):
            _write(f"{self.directory}/schemata", line + "\n")

    def remove(self) -> None:
        """Remove what was made for this container alone."""
        for path in self.made:
            try:
                os.rmdir(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SetupError(_STEP, f"rmdir {path}", error.errno or 0) from error


def mount_point() -> str | None:
    """Return where resctrl is mounted, or None."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            if after.startswith("resctrl "):
                return before.split()[4]
    return None


def prepare(wanted: IntelRdt, container_id: str, top: str | None = None) -> ClassOfService:
    """Make or find the class of service and give it its schemata."""
    top = top or mount_point()
    if top is None:
        raise UnsupportedError(
            "linux.intelRdt: no resctrl file system is mounted here: "
            "mount -t resctrl resctrl /sys/fs/resctrl, where the CPU has RDT"
        )
    directory = os.path.join(top, (wanted.clos_id or container_id).strip("/")).rstrip("/")
    lines = _schemata(wanted)
    made: list[str] = []
    try:
        if os.path.isdir(directory):
            _check_schemata(directory, lines)
        elif wanted.clos_id and not lines:
            raise SetupError(_STEP, f"closID: there is no {directory}, and no schema to make one")
        else:
            _mkdir(directory)
            # A named class may be another container's too, and stays.
            made += [] if wanted.clos_id else [directory]
            for line in lines:
                _write(f"{directory}/schemata", line + "\n")
        tasks = [f"{directory}/tasks"]
        if wanted.enable_monitoring or wanted.enable_cmt or wanted.enable_mbm:
            group = f"{directory}/mon_groups/{container_id}"
            _mkdir(group)
            made.insert(0, group)
            tasks.append(f"{group}/tasks")
    except BaseException:
        ClassOfService(directory=directory, tasks=(), made=tuple(made)).remove()
        raise
    return ClassOfService(directory=directory, tasks=tuple(tasks), made=tuple(made))


def _schemata(wanted: IntelRdt) -> list[str]:
    """Return the lines to write: memBwSchema goes before a line MB: of l3CacheSchema."""
    lines = [line for line in wanted.l3_cache_schema.splitlines() if line]
    if wanted.mem_bw_schema:
        lines = [line for line in lines if not line.startswith("MB:")] + [wanted.mem_bw_schema]
    return lines + [line for entry in wanted.schemata for line in entry.splitlines() if line]


def _check_schemata(directory: str, lines: list[str]) -> None:
    with open(f"{directory}/schemata", encoding="utf-8") as file:
        there = {"".join(line.split()) for line in file}
    for line in lines:
        if "".join(line.split()) not in there:
            raise SetupError(_STEP, f"{directory} is there already, and not with {line!r}")


def _mkdir(path: str) -> None:
    try:
        os.mkdir(path, 0o755)
    except OSError as error:
        raise SetupError(_STEP, f"mkdir {path}", error.errno or 0) from error


def _write(path: str, value: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)
    except OSError as error:
        call = f"write {value.strip()!r} to {path}"
        raise SetupError(_STEP, call, error.errno or 0) from error
