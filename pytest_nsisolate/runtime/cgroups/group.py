"""A container's cgroup: one directory in each hierarchy."""

from __future__ import annotations

import errno
import os

from ..errors import SetupError, UnsupportedError
from ..record import Record
from ..spec.reader import Reader, absolute
from . import limits
from .locate import UNIFIED, hierarchies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import ChannelError
    from ..plan import Plan
    from ..resources import DeviceRule, Resources
    from .limits import Write

_STEP = "cgroups"
_PAGE = os.sysconf("SC_PAGE_SIZE")
NO_RIGHTS = (errno.EACCES, errno.EPERM, errno.EROFS)
HINT = (
    "limits need root, or a cgroup v2 that is delegated to the caller: "
    "systemd-run --user --scope -p Delegate=yes ..."
)


class Cgroup(Record):
    """A cgroup that exists; what is in here is all that a state file has to keep.

    *directories* are by controller (``""`` is the v2 hierarchy's); *made* are those, leaves first, that
    are to be removed with it. *unit* is the scope of systemd whose cgroup it is, or empty.
    """

    directories: tuple[tuple[str, str], ...]
    made: tuple[str, ...] = ()
    unit: str = ""

    def to_state(self) -> dict[str, object]:
        """Return what a state file keeps of the cgroup, as JSON."""
        found: dict[str, object] = {"directories": dict(self.directories), "made": list(self.made)}
        return found | {"unit": self.unit} if self.unit else found

    @staticmethod
    def of_state(kept: object) -> Cgroup:
        """Return the cgroup that :meth:`to_state` told of. Raises SpecError for anything else."""
        reader = Reader(kept, "cgroup")
        directories = reader.string_map("directories", nameless=True)
        made = reader.array("made", absolute)
        return Cgroup(directories=directories, made=made, unit=reader.string("unit"))

    @property
    def paths(self) -> list[str]:
        """Return the different directories, in the hierarchies' order."""
        return list(dict.fromkeys(path for _controller, path in self.directories))

    def directory(self, controller: str) -> str | None:
        """Return the directory of a v1 controller, or, for ``""``, of the v2 hierarchy."""
        return dict(self.directories).get(controller)

    @property
    def v2_directory(self) -> str | None:
        """Return the directory of the v2 hierarchy."""
        return self.directory(UNIFIED)

    @property
    def shared(self) -> list[str]:
        """Return the directories that others were in before: not the container's to kill or remove."""
        return [] if self.unit else [path for path in self.paths if path not in self.made]

    @property
    def v2_controllers(self) -> tuple[str, ...]:
        """Return the controllers that the v2 directory has."""
        unified = self.v2_directory
        return tuple(read(f"{unified}/cgroup.controllers").split()) if unified else ()

    def join(self, born_in: str = "") -> None:
        """Move the calling process, which has one thread, in; but for *born_in*, where it is."""
        for path in self.paths:
            if path == born_in:
                continue
            try:
                write(entrance(path), "0", "")
            except SetupError as error:
                if not self.unit or error.errno not in NO_RIGHTS:
                    raise
                from .systemd.unit import attach

                attach(self.unit, path)

    def update(self, resources: Resources, *, but_pids: bool = False) -> None:
        """Apply *resources*; what they do not mention stays as it is.

        With *but_pids*, all but the limit of pids: for the container's set-up, which is itself two processes.
        """
        names = [controller for controller, _path in self.directories if controller]
        wanted = resources.replace(pids_limit=None) if but_pids else resources
        if resources.memory is not None and resources.memory.check_before_update:
            self._check_memory(resources.memory.limit or 0, resources.memory.swap or 0)
        pending = limits.writes(wanted, names, self.v2_controllers)
        self._write_all(pending)
        if self.unit:
            from .systemd.unit import limit

            limit(self, wanted)
        if resources.devices:
            self._limit_devices(resources.devices)

    def limit_pids(self, resources: Resources | None) -> None:
        """Apply the limit of pids, when the set-up is over."""
        if resources is not None and resources.pids_limit is not None:
            self.update(type(resources)(pids_limit=resources.pids_limit))

    def explain_death(self, error: ChannelError) -> None:
        """Raise the reason why the container's init has died, if it is to be found here."""
        from .removal import oom_kills

        if oom_kills(self):
            call = "container init was OOM-killed (memory limit too low?)"
            raise SetupError(_STEP, f"linux.resources.memory.limit: {call}") from error

    def _check_memory(self, limit: int, swap: int) -> None:
        """Refuse limits that are below what is in use: on v2 the kernel would kill, on v1 it refuses."""
        unified = self.v2_directory
        if not unified or "memory" not in self.v2_controllers:
            return
        used = int(read(f"{unified}/memory.current") or 0)
        swapped = int(read(f"{unified}/memory.swap.current") or 0)
        for name, words, asked, there in (
            ("swap", "memory+swap", swap, used + swapped),
            ("limit", "memory", limit, used),
        ):
            if 0 < asked < there:
                raise UnsupportedError(
                    f"linux.resources.memory.{name}: rejecting {words} limit {asked}: "
                    f"{there} bytes are in use (checkBeforeUpdate)"
                )

    def _write_all(self, pending: list[Write]) -> None:
        for i, entry in enumerate(pending):
            try:
                self._write(entry)
            except SetupError as error:
                # Two limits that bound each other: the second may have to go first.
                if error.errno != errno.EINVAL or not _bound_each_other(pending[i : i + 2]):
                    raise
                self._write(pending[i + 1])
                self._write(entry)

    def _write(self, entry: Write) -> None:
        directory = self.directory(UNIFIED if entry.version == 2 else entry.controller)
        path = f"{directory}/{entry.file}"
        if not os.path.exists(path):
            if entry.otherwise is not None:
                self._write(entry.otherwise)
            elif not entry.optional:
                raise UnsupportedError(
                    f"linux.resources.{entry.field}: this kernel has no {entry.file}"
                )
            return
        try:
            write(path, entry.value, f"linux.resources.{entry.field}: ")
        except SetupError:
            if not entry.implied:
                raise
        if entry.checked and int(read(path) or -1) // _PAGE != int(entry.value) // _PAGE:
            raise UnsupportedError(
                f"linux.resources.{entry.field}: this kernel takes no such limit in {entry.file}"
            )

    def _limit_devices(self, rules: tuple[DeviceRule, ...]) -> None:
        from . import devices

        directory = self.directory("devices")
        if directory is not None:
            for file, line in devices.lines(rules):
                write(f"{directory}/{file}", line, "linux.resources.devices: ")
            return
        unified = self.v2_directory
        if unified is None:
            raise UnsupportedError("linux.resources.devices: there is no cgroup that could")
        from .device_program import install

        install(unified, devices.program(rules))


def _bound_each_other(pair: list[Write]) -> bool:
    names = {entry.field.rpartition(".")[2] for entry in pair}
    return names in ({"limit", "swap"}, {"period", "quota"}, {"realtimePeriod", "realtimeRuntime"})


def entrance(path: str) -> str:
    """Return the file by which a process of one thread moves itself to a cgroup.

    With ``tasks``, which only v1 has, the kernel need not wait until nobody forks or exits.
    """
    tasks = f"{path}/tasks"
    return tasks if os.access(tasks, os.W_OK) else f"{path}/cgroup.procs"


def read(path: str) -> str:
    """Return the content of a file, or an empty string if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write(path: str, value: str, prefix: str) -> None:
    """Write a value in one write(2); the error's sentence begins with *prefix*."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        hint = HINT if error.errno in NO_RIGHTS else ""
        number = error.errno or 0
        raise SetupError(_STEP, f"{prefix}write {value!r} to {path}", number, hint) from error


def create(
    plan: Plan,
    container_id: str,
    *,
    always: bool = False,
    member: int = 0,
    note: Callable[[Cgroup], None] | None = None,
) -> Cgroup | None:
    """Make the plan's cgroup and set its limits, all but that of pids (:meth:`Cgroup.update`).

    A plan that asks for none gets one only with *always*. Where the caller may make none, it is None, and
    an error if limits were asked for: never silently weaker. With *member* it is a scope of systemd, which
    that process is in. *note* is told what is going to be made, before it is. Raises SetupError and
    UnsupportedError.
    """
    resources = plan.resources
    if resources is None and not plan.cgroups_path and not always:
        return None
    if member:
        from .systemd import creation as of_systemd

        cgroup, refused = of_systemd.make(plan, container_id, member)
    else:
        from . import creation

        found = hierarchies()
        if note is not None:
            note(creation.planned(plan, found, container_id))
        cgroup, refused = creation.make(plan, found, container_id)
    try:
        needed = _enforced(plan, cgroup)
        if needed is not None:
            if not cgroup.directories:
                raise refused or SetupError(_STEP, "linux.resources: no cgroups are mounted")
            if refused is not None:
                _need_all(needed, cgroup, refused)
            cgroup.update(needed, but_pids=True)
    except BaseException:
        from .removal import remove

        remove(cgroup)
        raise
    return cgroup if cgroup.directories else None


def _enforced(plan: Plan, cgroup: Cgroup) -> Resources | None:
    """Return what of the resources a cgroup has to enforce here.

    Device rules are moot in a new user namespace of somebody who may not set them: it can make no device
    node, the kernel opens none on its mounts, and those bound from the host the caller may open anyway.
    """
    resources = plan.resources
    if resources is None or not resources.devices or not plan.creates("user"):
        return resources
    directory = cgroup.directory("devices") or cgroup.directory(UNIFIED)
    may = directory is not None and os.geteuid() == 0
    rest = resources if may else resources.replace(devices=())
    return None if rest == type(rest)() else rest


def _need_all(resources: Resources, cgroup: Cgroup, refused: SetupError) -> None:
    """Raise *refused* if the limits need one of the directories that could not be made."""
    names = [controller for controller, _path in cgroup.directories if controller]
    try:
        limits.writes(resources, names, cgroup.v2_controllers)
    except UnsupportedError:
        raise refused from None
    if resources.devices and not {"devices", UNIFIED} & {c for c, _path in cgroup.directories}:
        raise refused
