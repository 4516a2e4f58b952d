"""What is made for a container before the fork: with the caller's rights, on the host's file systems.

A cgroup and a class of service to be in, a compiled filter of system calls, bind mounts and devices that the
container has no right to. A plan that asks for none of them costs no import.
"""

from __future__ import annotations

import os

from .errors import ChannelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .cgroups.group import Cgroup
    from .cgroups.systemd.placeholder import Placeholder
    from .plan import Plan
    from .resctrl import ClassOfService
    from .seccomp.load import Filter


class Preparation:
    """What was made; *cgroup*, *class_of_service* and *held_root* last as long as the container.

    *held_root* is the rootfs of a container in the caller's own mount namespace: its mounts lie there.
    """

    def __init__(self) -> None:
        self.cgroup: Cgroup | None = None
        self.placeholder: Placeholder | None = None
        self.class_of_service: ClassOfService | None = None
        self.syscall_filter: Filter | None = None
        self.held_root = ""
        self.binds: dict[int, int] = {}
        self.devices: dict[str, int] = {}

    def make_devices(self, plan: Plan) -> None:
        """Make what a user namespace may not: for the container's first process, before it is in one."""
        if plan.devices and plan.creates("user") and os.geteuid() == 0:
            from .mounts.devices import make_outside

            self.devices = make_outside(plan)

    @property
    def v2_directory(self) -> str:
        """Return the directory of the cgroup in the v2 hierarchy, or an empty string."""
        return (self.cgroup.v2_directory or "") if self.cgroup is not None else ""

    def join(self, born_in: str) -> None:
        """Be in the container's groups, but for *born_in*; before any namespace is entered."""
        # A cgroup namespace takes the cgroup that its creator is in as its root.
        if self.cgroup is not None:
            self.cgroup.join(born_in)
        if self.class_of_service is not None:
            self.class_of_service.join()

    def close(self) -> None:
        """Close what init has inherited, and end what has kept its place."""
        if self.placeholder is not None:
            self.placeholder.end()
        if self.syscall_filter is not None:
            self.syscall_filter.close()
        for fd in self.binds.values():
            os.close(fd)
        self.binds = {}

    def finish(self, plan: Plan, pid: int) -> None:
        """Do what has to wait until the container is built, and comes before its process runs."""
        if self.cgroup is not None:
            self.cgroup.limit_pids(plan.resources)
        if plan.net_devices:
            from .net_devices import move

            move(plan, pid)

    def explain(self, error: BaseException) -> None:
        """Raise the reason why init has died without a word, if it is known."""
        if self.cgroup is not None and isinstance(error, ChannelError):
            self.cgroup.explain_death(error)

    def groups(self) -> dict[str, object] | None:
        """Return what a state file keeps, as JSON: the groups, which outlive the launcher."""
        found: dict[str, object] = {}
        if self.cgroup is not None:
            found["cgroup"] = self.cgroup.to_state()
        if self.class_of_service is not None:
            service = self.class_of_service
            found["intelRdt"] = {"directory": service.directory, "made": list(service.made)}
        if self.held_root:
            found["root"] = self.held_root
        return found or None

    @staticmethod
    def of_groups(kept: object) -> Preparation:
        """Return the groups that :meth:`groups` told of. Raises SpecError for anything else."""
        found = Preparation()
        if kept is None:
            return found
        from .cgroups.group import Cgroup
        from .spec.reader import Reader, absolute

        reader = Reader(kept, "groups")
        if reader.has("cgroup"):
            found.cgroup = Cgroup.of_state(reader.raw("cgroup"))
        if reader.has("intelRdt"):
            from .resctrl import ClassOfService

            service = reader.object("intelRdt")
            found.class_of_service = ClassOfService(
                directory=service.string("directory"),
                tasks=(),
                made=service.array("made", absolute),
            )
        found.held_root = reader.string("root")
        return found

    def remove(self) -> None:
        """Remove the groups, with whatever is still in them, after the container's end."""
        if self.cgroup is not None:
            from .cgroups.removal import remove

            remove(self.cgroup)
        if self.class_of_service is not None:
            self.class_of_service.remove()
        if self.held_root:
            from .mounts.pivot import release_root

            release_root(self.held_root)


#: Who makes the cgroups: ``--cgroup-manager``.
CGROUPFS, SYSTEMD, DISABLED = CGROUP_MANAGERS = ("cgroupfs", "systemd", "disabled")

#: For a plan that asks for none of it.
NOTHING = Preparation()


def prepare(
    plan: Plan,
    container_id: str,
    state: Mapping[str, object],
    *,
    cgroup_manager: str = CGROUPFS,
    always_cgroup: bool = False,
    note: Callable[[Preparation], None] | None = None,
) -> Preparation:
    """Make what the plan asks for. Raises SetupError and UnsupportedError; nothing is left then.

    *state* is what a seccomp listener is told of the container. With *always_cgroup* there is a cgroup
    wherever there can be one, for a container that may be paused. *note* is told what groups there are going
    to be, so that they can be removed even if this process is killed before it has made them all.
    """
    made = Preparation()

    def note_cgroup(cgroup: Cgroup) -> None:
        if note is not None:
            planned = Preparation()
            planned.cgroup = cgroup
            note(planned)

    try:
        asked = plan.resources is not None or plan.cgroups_path or always_cgroup
        if asked and cgroup_manager != DISABLED:
            from .cgroups.group import create

            if cgroup_manager == SYSTEMD:
                from .cgroups.systemd.placeholder import Placeholder

                made.placeholder = Placeholder()
            member = made.placeholder.pid if made.placeholder is not None else 0
            made.cgroup = create(
                plan, container_id, always=always_cgroup, member=member, note=note_cgroup
            )
        if plan.intel_rdt is not None:
            from . import resctrl

            made.class_of_service = resctrl.prepare(plan.intel_rdt, container_id)
        if plan.seccomp is not None:
            from .seccomp.load import Filter

            made.syscall_filter = Filter(plan.seccomp, state)
        if not plan.has("mount"):
            from .mounts.pivot import hold_root

            hold_root(plan.root.path)
            made.held_root = plan.root.path
        if _needs_binds(plan):
            from .mounts import host_binds

            made.binds = host_binds.make(plan)
    except BaseException:
        made.close()
        made.remove()
        raise
    return made


def _needs_binds(plan: Plan) -> bool:
    return (plan.creates("user") and os.geteuid() == 0) or any(
        mount.uid_mappings or {"idmap", "ridmap"} & {*mount.options} for mount in plan.mounts
    )
