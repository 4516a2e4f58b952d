"""What the user asked for: command line, ini file and marks, checked and turned into sandbox settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeGuard

import pytest

from . import limits
from .limits import NO_LIMITS, Limits, read_limit
from .rootfs.kinds import OWN_DIRECTORIES, Sandbox
from .runtime.record import Record

#: Seconds: poll(2) takes milliseconds, as an int.
_LONGEST = 2_147_483
MODES = ("require", "skip", "off")
MARKS = ("isolated", "nsisolated")
_NETWORKS = ("host", "none")
_KEYWORDS = (
    "cpu",
    "env",
    "hostname",
    "memory",
    "network",
    "pids",
    "root",
    "rootfs",
    "timeout",
    "writable",
)


class Request(Record):
    """What one test asks for: the sandbox, and what is applied to each test in it."""

    sandbox: Sandbox
    env: tuple[tuple[str, str], ...] = ()
    timeout: float | None = None
    limits: Limits = NO_LIMITS


#: What an item asks for; None for one that is not isolated.
REQUEST = pytest.StashKey[Request | None]()


def add_options(parser: pytest.Parser) -> None:
    """Declare the command line's options and the ini file's."""
    group = parser.getgroup("nsisolate", "isolation in Linux namespaces")
    group.addoption(
        "--nsisolate-all",
        action="store_true",
        default=False,
        help="run every test isolated, save those marked isolated(False)",
    )
    group.addoption(
        "--nsisolate",
        choices=MODES,
        default="require",
        help="what to do when isolation is asked for: require it (default), skip the test if this "
        "machine cannot give it, or turn it off",
    )
    group.addoption(
        "--nsisolate-stats",
        action="store_true",
        default=False,
        help="print at the end what the sandboxes cost: time, CPU, memory, and the most expensive tests",
    )
    parser.addini("nsisolate_all", "run every test isolated", type="bool", default=False)
    parser.addini("nsisolate_network", "host (default) or none", default="host")
    parser.addini("nsisolate_hostname", "the host name inside", default="nsisolate")
    parser.addini(
        "nsisolate_writable",
        "paths of the host that isolated tests may write to",
        type="paths",
        default=[],
    )
    parser.addini(
        "nsisolate_env", "NAME=value, one a line, set inside", type="linelist", default=[]
    )
    parser.addini("nsisolate_timeout", "seconds that an isolated test may take", default="")
    parser.addini("nsisolate_memory", "memory that an isolated test may use, as 512M", default="")
    parser.addini("nsisolate_pids", "processes and threads of an isolated test", default="")
    parser.addini("nsisolate_cpu", "processors that an isolated test may use, as 0.5", default="")
    parser.addini(
        "nsisolate_host_fixtures",
        "fixtures of a wider scope than function that are set up on the host",
        type="args",
        default=[],
    )


def register_marks(config: pytest.Config) -> None:
    """Declare the marks."""
    for name in MARKS:
        config.addinivalue_line(
            "markers",
            f"{name}(network=, hostname=, root=, rootfs=, writable=, env=, timeout=, memory=, "
            "pids=, cpu=): run the test in namespaces of its own; isolated(False) opts out of "
            "--nsisolate-all",
        )


def wants_everything(config: pytest.Config) -> bool:
    """Tell whether tests without a mark are isolated, too. Raises UsageError."""
    if config.getoption("nsisolate_all"):
        return True
    try:
        return bool(config.getini("nsisolate_all"))
    except (pytest.UsageError, ValueError) as error:
        raise pytest.UsageError(f"nsisolate_all: {error}; write true or false") from None


def slowest(config: pytest.Config) -> int | None:
    """Return the N of ``--durations=N``; None without it."""
    found: int | None = getattr(config.option, "durations", None)
    return found


def costs_are_wanted(config: pytest.Config) -> bool:
    """Tell whether the user wants to see what sandboxes cost."""
    return bool(config.option.nsisolate_stats) or slowest(config) is not None


class Options:
    """The session's options, read once."""

    def __init__(self, config: pytest.Config) -> None:
        self.everything = wants_everything(config)
        self.env = tuple(_env_line(line) for line in config.getini("nsisolate_env"))
        self._timeout = _seconds(config.getini("nsisolate_timeout"), "nsisolate_timeout")
        self._limits = _limits_of({n: config.getini(f"nsisolate_{n}") for n in limits.KEYWORDS})
        network = config.getini("nsisolate_network")
        if network not in _NETWORKS:
            raise pytest.UsageError(f"nsisolate_network: {network!r} is not one of host, none")
        self._default = Sandbox(
            project=_project(config),
            network=network,
            hostname=_hostname(config.getini("nsisolate_hostname"), "nsisolate_hostname"),
            writable=_writable(
                [str(path) for path in config.getini("nsisolate_writable")], "nsisolate_writable"
            ),
        )

    def request_of(self, item: pytest.Item) -> Request | None:
        """Return what *item* asks for, or None if it is not to be isolated. Raises UsageError."""
        mark = _nearest_mark(item)
        if mark is None:
            if not self.everything:
                return None
            return Request(
                sandbox=self._default, env=self.env, timeout=self._timeout, limits=self._limits
            )
        where = f"{item.nodeid}: @pytest.mark.{mark.name}"
        if not _is_wanted(mark, where):
            return None
        return self._with_keywords(dict(mark.kwargs), where)

    def _with_keywords(self, keywords: dict[str, Any], where: str) -> Request:
        sandbox, env, timeout = self._default, self.env, self._timeout
        if "network" in keywords:
            network = keywords["network"]
            if network not in _NETWORKS:
                raise _wrong(where, "network", network, 'write "host" or "none"')
            sandbox = sandbox.replace(network=network)
        if "hostname" in keywords:
            sandbox = sandbox.replace(hostname=_hostname(keywords["hostname"], where))
        if "root" in keywords:
            if not isinstance(keywords["root"], bool):
                raise _wrong(where, "root", keywords["root"], "write True or False")
            sandbox = sandbox.replace(root=keywords["root"])
        if "rootfs" in keywords:
            sandbox = sandbox.replace(rootfs=_rootfs(keywords["rootfs"], where))
        if "writable" in keywords:
            more = _writable(keywords["writable"], where)
            sandbox = sandbox.replace(writable=(*sandbox.writable, *more))
        if "env" in keywords:
            env = (*env, *_env_mapping(keywords["env"], where))
        if "timeout" in keywords:
            timeout = _seconds(keywords["timeout"], where)
        given = {name: keywords[name] for name in limits.KEYWORDS if name in keywords}
        limited = self._limits.replace(
            **{name: read_limit(name, value, where) for name, value in given.items()}
        )
        return Request(sandbox=sandbox, env=env, timeout=timeout, limits=limited)


def _limits_of(settings: dict[str, str]) -> Limits:
    read = {name: read_limit(name, text, f"nsisolate_{name}") for name, text in settings.items()}
    return NO_LIMITS.replace(**read)


def _nearest_mark(item: pytest.Item) -> pytest.Mark | None:
    for mark in item.iter_markers():
        if mark.name in MARKS:
            return mark
    return None


def _is_wanted(mark: pytest.Mark, where: str) -> bool:
    _refuse_unknown(mark.kwargs, where)
    if not mark.args:
        return True
    if len(mark.args) > 1 or not isinstance(mark.args[0], bool):
        raise pytest.UsageError(
            f"{where}: takes keywords, or False to opt out, and got {mark.args[0]!r}"
        )
    return bool(mark.args[0])


def _refuse_unknown(keywords: Mapping[str, Any], where: str) -> None:
    for name in keywords:
        if name not in _KEYWORDS:
            raise pytest.UsageError(
                f"{where}: there is no keyword {name!r}, only {', '.join(_KEYWORDS)}"
            )


def _wrong(where: str, name: str, value: object, remedy: str) -> pytest.UsageError:
    return pytest.UsageError(f"{where}: {name}={value!r} cannot be used; {remedy}")


def _hostname(value: object, where: str) -> str:
    if not _is_text(value, errors="strict") or not 0 < len(value.encode()) <= 64 or "\n" in value:
        raise _wrong(where, "hostname", value, "write a name of 1 to 64 bytes")
    return value


def _is_text(value: object, errors: str = "surrogateescape") -> TypeGuard[str]:
    """Tell whether the kernel takes it: a string that can be encoded, without NUL."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode("utf-8", errors)
    except UnicodeEncodeError:
        return False
    return True


def _rootfs(value: object, where: str) -> str:
    if not isinstance(value, str | os.PathLike) or not os.path.isdir(value):
        raise _wrong(where, "rootfs", value, "write the path of a directory")
    if os.path.realpath(value) == "/":
        raise _wrong(where, "rootfs", value, "write a directory that holds another system")
    return os.path.realpath(os.fspath(value))


def _writable(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str | os.PathLike) or not isinstance(value, list | tuple):
        raise _wrong(where, "writable", value, "write a list of paths")
    for path in value:
        if not isinstance(path, str | os.PathLike) or not os.path.exists(path):
            raise _wrong(where, "writable", path, "write paths that exist")
        real = os.path.realpath(path)
        if real in OWN_DIRECTORIES:
            raise _wrong(where, "writable", path, "the sandbox has its own; write one below it")
        if real.startswith("/proc/"):
            raise _wrong(where, "writable", path, "the sandbox has a /proc of its own")
    return tuple(os.path.realpath(os.fspath(path)) for path in value)


def _env_line(line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not name or not equals:
        raise pytest.UsageError(f"nsisolate_env: {line!r} is not NAME=value")
    return name.strip(), value


def _env_mapping(value: object, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(
        _is_text(name) and name and "=" not in name and _is_text(text)
        for name, text in value.items()
    ):
        raise _wrong(where, "env", value, "write a dict of strings")
    return tuple(value.items())


def _seconds(value: object, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        seconds = float(value) if not isinstance(value, bool) else -1.0  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        seconds = -1.0
    if not 0 < seconds < _LONGEST:
        remedy = f"write a number of seconds above 0, and below {_LONGEST:,} (24 days)"
        raise _wrong(where, "timeout", value, remedy)
    return seconds


def _project(config: pytest.Config) -> tuple[str, ...]:
    """Return the directories that hold the project: rootdir, where pytest was started, and arguments."""
    found = [str(config.rootpath), str(config.invocation_params.dir)]
    for arg in config.args:
        path = os.path.join(config.invocation_params.dir, arg.split("::")[0])
        if os.path.isdir(path):
            found.append(path)
        elif os.path.exists(path):
            found.append(os.path.dirname(path))
    return tuple(dict.fromkeys(os.path.realpath(path) for path in found))
