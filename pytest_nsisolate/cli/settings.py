"""The options before the verb, which are the same for all verbs."""

from __future__ import annotations

from ..runtime.errors import LifecycleError
from ..runtime.lifecycle import state
from ..runtime.preparation import CGROUP_MANAGERS, CGROUPFS, SYSTEMD
from ..runtime.record import Record
from .arguments import UsageError
from .log import Log

_FLAGS = ("--debug", "--systemd-cgroup")
_OPTIONS = ("--root", "--log", "--log-format", "--rootless", "--cgroup-manager", "--criu")


class Settings(Record):
    """What was said before the verb; *root* is empty if it was not said."""

    log: Log
    root: str = ""
    cgroup_manager: str = CGROUPFS

    def directory(self, container_id: str) -> state.Directory:
        """Return the directory of a container, which may not exist."""
        return state.Directory(self.state_root(), state.check_id(container_id))

    def state_root(self) -> str:
        """Return the directory of all containers. Raises LifecycleError if there can be none."""
        root = self.root or state.default_root()
        if not root:
            raise LifecycleError(
                "there is no directory for the state of containers: set XDG_RUNTIME_DIR, or use --root"
            )
        return root


def read_settings(argv: list[str]) -> tuple[Settings, list[str]]:
    """Return the settings, and the rest of *argv* from the verb on. Raises UsageError."""
    given: dict[str, str] = {}
    rest = list(argv)
    while rest and rest[0].startswith("--"):
        name, equals, value = rest[0].partition("=")
        if name in _FLAGS:
            given[name] = value or "true"
        elif name in _OPTIONS:
            if not equals:
                if len(rest) < 2:
                    raise UsageError(f"{name} needs a value")
                value = rest.pop(1)
            given[name] = value
        else:
            break
        del rest[0]
    manager = given.get("--cgroup-manager", CGROUPFS)
    if manager not in CGROUP_MANAGERS:
        raise UsageError(
            f"--cgroup-manager: {manager!r} is not one of {', '.join(CGROUP_MANAGERS)}"
        )
    if given.get("--systemd-cgroup", "false") not in ("false", "0"):
        manager = SYSTEMD
    form = given.get("--log-format", "text")
    if form not in ("text", "json"):
        raise UsageError(f"--log-format: {form!r} is not one of text, json")
    log = Log(
        path=given.get("--log", "").removeprefix("file:"),
        as_json=form == "json",
        debug=given.get("--debug", "false") not in ("false", "0"),
    )
    return Settings(log=log, root=given.get("--root", ""), cgroup_manager=manager), rest
