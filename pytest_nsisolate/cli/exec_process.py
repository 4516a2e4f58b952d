"""The process that ``exec`` is to run: the container's own one, changed by the command line."""

from __future__ import annotations

from ..runtime.plan import Capabilities, Process, User
from ..runtime.spec.decoding import decode
from ..runtime.spec.process import read_process
from ..runtime.spec.reader import ID_MAX, Reader
from .arguments import UsageError, first

REPEATED = ("--env", "-e", "--cap", "-c", "--additional-gids", "-g", "--cgroup")


def process_to_execute(
    own: Process, given: dict[str, str], repeated: dict[str, list[str]], command: list[str]
) -> Process:
    """Return the process; *own* is the container's. Raises UsageError and SpecError."""
    path = first(given, "--process", "-p")
    if path:
        process = _read(path)
    elif command:
        process = _changed(own.replace(terminal=False, console_size=None), given, repeated, command)
    else:
        raise UsageError("process args cannot be empty: COMMAND, or --process FILE, is needed")
    if first(given, "--tty", "-t"):
        process = process.replace(terminal=True)
    return process


def _read(path: str) -> Process:
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise UsageError(f"cannot read {path!r}: {error.strerror}") from None
    try:
        config = decode(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path!r} is not JSON: {error}") from None
    return read_process(Reader(config, "process"))


def _changed(
    own: Process, given: dict[str, str], repeated: dict[str, list[str]], command: list[str]
) -> Process:
    process = own.replace(args=tuple(command), cwd=given.get("--cwd", own.cwd))
    if not process.cwd.startswith("/"):
        raise UsageError(f"--cwd: {process.cwd!r} is not an absolute path")
    added = tuple(repeated["--env"] + repeated["-e"])
    for entry in added:
        if entry.find("=") < 1:
            raise UsageError(f"--env: {entry!r} is not NAME=value")
    user = _user(own.user, first(given, "--user", "-u"))
    groups = tuple(_id(text) for text in repeated["--additional-gids"] + repeated["-g"])
    return process.replace(
        env=process.env + added,
        user=user.replace(additional_gids=user.additional_gids + groups),
        capabilities=_capabilities(own.capabilities, repeated["--cap"] + repeated["-c"]),
        no_new_privileges=own.no_new_privileges or "--no-new-privs" in given,
        apparmor_profile=given.get("--apparmor") or own.apparmor_profile,
        selinux_label=given.get("--process-label") or own.selinux_label,
    )


def _user(own: User, text: str) -> User:
    if not text:
        return own
    uid, colon, gid = text.partition(":")
    return own.replace(uid=_id(uid), gid=_id(gid) if colon else own.gid)


def _id(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or int(text[:11]) > ID_MAX:
        raise UsageError(f"{text!r} is not the number of a user or group")
    return int(text)


def _capabilities(own: Capabilities | None, names: list[str]) -> Capabilities | None:
    if not names:
        return own
    added = []
    for name in names:
        upper = name.upper()
        added.append(upper if upper.startswith("CAP_") else f"CAP_{upper}")
    sets = own or Capabilities()
    # Not to the inheritable set, from which a file could give them to others (CVE-2022-24769).
    return sets.replace(
        bounding=(*sets.bounding, *added),
        effective=(*sets.effective, *added),
        permitted=(*sets.permitted, *added),
    )
