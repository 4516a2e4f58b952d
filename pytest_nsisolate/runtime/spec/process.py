"""``process`` of ``config.json`` (config.md, "Process")."""

from __future__ import annotations

from ..errors import SpecError
from ..plan import Capabilities, ConsoleSize, Process, Rlimit, User
from .reader import UINT64_MAX, Reader, an_id, env_entry, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..execution.records import CpuAffinity, IoPriority, Scheduler

RLIMITS = (
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
)


def read_process(reader: Reader) -> Process:
    """Return the container process that the object describes."""
    reader.required("args")
    args = reader.strings("args")
    if not args:
        raise reader.wrong("args", "is empty; its first entry is the program to run")
    cwd = reader.required_string("cwd")
    if not cwd.startswith("/"):
        raise reader.wrong("cwd", f"{show(cwd)} is not an absolute path")
    return Process(
        args=args,
        cwd=cwd,
        env=reader.array("env", env_entry),
        user=_user(reader.object("user")),
        terminal=reader.boolean("terminal"),
        console_size=_console_size(reader),
        capabilities=_capabilities(reader),
        no_new_privileges=reader.boolean("noNewPrivileges"),
        rlimits=_rlimits(reader),
        oom_score_adj=(
            reader.integer("oomScoreAdj", -1000, 1000, 0) if reader.has("oomScoreAdj") else None
        ),
        scheduler=_scheduler(reader),
        io_priority=_io_priority(reader),
        exec_cpu_affinity=_cpu_affinity(reader),
        apparmor_profile=reader.string("apparmorProfile"),
        selinux_label=reader.string("selinuxLabel"),
    )


def _user(reader: Reader) -> User:
    return User(
        uid=reader.id("uid"),
        gid=reader.id("gid"),
        umask=reader.integer("umask", 0, 0o777, 0) if reader.has("umask") else None,
        additional_gids=reader.array("additionalGids", an_id),
    )


def _scheduler(reader: Reader) -> Scheduler | None:
    if not reader.has("scheduler"):
        return None
    from .execution import read_scheduler

    return read_scheduler(reader.object("scheduler"))


def _io_priority(reader: Reader) -> IoPriority | None:
    if not reader.has("ioPriority"):
        return None
    from .execution import read_io_priority

    return read_io_priority(reader.object("ioPriority"))


def _cpu_affinity(reader: Reader) -> CpuAffinity | None:
    if not reader.has("execCPUAffinity"):
        return None
    from .execution import read_cpu_affinity

    return read_cpu_affinity(reader.object("execCPUAffinity"))


def _console_size(reader: Reader) -> ConsoleSize | None:
    if not reader.boolean("terminal") or not reader.has("consoleSize"):
        return None  # config.md: ignored if terminal is false
    size = reader.object("consoleSize")
    size.required("height", "width")
    return ConsoleSize(
        height=size.integer("height", 0, 65535, 0), width=size.integer("width", 0, 65535, 0)
    )


def _capabilities(reader: Reader) -> Capabilities | None:
    if not reader.has("capabilities"):
        return None
    sets = reader.object("capabilities")
    # Names that nobody knows are warned of, as config.md wants it, and not refused.
    return Capabilities(
        **{
            name: sets.strings(name)
            for name in ("bounding", "effective", "inheritable", "permitted", "ambient")
        }
    )


def _rlimits(reader: Reader) -> tuple[Rlimit, ...]:
    limits = reader.array("rlimits", _rlimit)
    seen: set[str] = set()
    for i, limit in enumerate(limits):
        if limit.type in seen:
            raise SpecError(f"{reader.field('rlimits')}[{i}].type", f"{limit.type} is there twice")
        seen.add(limit.type)
    return limits


def _rlimit(value: object, path: str) -> Rlimit:
    reader = Reader(value, path)
    reader.required("type", "soft", "hard")
    limit = Rlimit(
        type=reader.required_choice("type", RLIMITS),
        soft=reader.integer("soft", 0, UINT64_MAX, 0),
        hard=reader.integer("hard", 0, UINT64_MAX, 0),
    )
    if limit.soft > limit.hard:
        raise reader.wrong("soft", f"{limit.soft} is above the hard limit of {limit.hard}")
    return limit
