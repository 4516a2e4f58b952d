"""The manager of units, over D-Bus (org.freedesktop.systemd1(5)).

Root's is on the machine's bus, everybody else's on his own; also that of whoever is root in a user namespace
only, whom the bus knows by his uid outside of it.
"""

from __future__ import annotations

import os
import socket

from ...caller import is_machine_root, runtime_directory, uid_outside
from ...errors import SetupError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any, Self

    from .properties import Property

_PATIENCE = 30.0
_BOOTED = "/run/systemd/system"  # sd_booted(3)
_SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
_OPTION = "--cgroup-manager systemd"
_NAME = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_NO_SUCH_UNIT = f"{_NAME}.NoSuchUnit"
_UNIT_EXISTS = f"{_NAME}.UnitExists"


class RefusedError(SetupError):
    """systemd, or the bus, answers with an error; *name* is the one that D-Bus has for it."""

    def __init__(self, method: str, name: str, text: str) -> None:
        super().__init__("cgroups", f"systemd refuses {method}: {text.rstrip('.')}")
        self.name = name


class Systemd:
    """A connection to the manager that is responsible for our caller. As a context manager: closed."""

    def __init__(self) -> None:
        """Connect. Raises UnsupportedError, with the remedy, where there is no systemd to talk to."""
        address = bus_address()
        if not os.path.isdir(_BOOTED) and not _exists(address):
            raise UnsupportedError(
                f"{_OPTION}: this machine was not booted with systemd; use --cgroup-manager cgroupfs"
            )
        self._library = _library()
        self._connection = self._connect(address)

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._connection.close()

    def start_scope(self, unit: str, properties: Sequence[Property]) -> None:
        """Start a transient unit, and wait until it has been started."""
        arguments: tuple[object, ...] = (unit, "replace", list(properties), [])
        try:
            result = self._job("StartTransientUnit", "ssa(sv)a(sa(sv))", arguments)
        except RefusedError as error:
            if error.name != _UNIT_EXISTS:
                raise
            # One that has failed is there until somebody has taken note of it.
            self._reset_failed(unit)
            result = self._job("StartTransientUnit", "ssa(sv)a(sa(sv))", arguments)
        if result != "done":
            self._reset_failed(unit)
            raise SetupError("cgroups", f"systemd does not start {unit}: {result}")

    def stop(self, unit: str) -> None:
        """Stop a unit, if it is there, and wait for its end."""
        try:
            self._job("StopUnit", "ss", (unit, "replace"))
        except RefusedError as error:
            if error.name != _NO_SUCH_UNIT:
                raise
        self._reset_failed(unit)

    def set_properties(self, unit: str, properties: Sequence[Property]) -> None:
        """Change properties, until the next start of the machine at most."""
        self._call("SetUnitProperties", "sba(sv)", (unit, True, list(properties)))

    def attach(self, unit: str, below: str, pid: int) -> None:
        """Move a process of ours into a unit's cgroup, or into *below*, such as ``/init``, in there."""
        self._call("AttachProcessesToUnit", "ssau", (unit, below, [pid]))

    def _reset_failed(self, unit: str) -> None:
        try:
            self._call("ResetFailedUnit", "s", (unit,))
        except RefusedError as error:
            if error.name != _NO_SUCH_UNIT:
                raise

    def _job(self, method: str, signature: str, arguments: tuple[object, ...]) -> str:
        """Let systemd do something that takes a while; return how it went: ``done``, if well."""
        from collections import deque

        bus = self._library.message_bus
        owner = self._owner()
        ended = self._library.MatchRule(
            type="signal",
            sender=owner,
            interface=f"{_NAME}.Manager",
            member="JobRemoved",
            path=_PATH,
        )
        self._exchange(bus.AddMatch(ended), "AddMatch")
        with self._connection.filter(ended, queue=deque()) as queue:
            (job,) = self._call(method, signature, arguments)
            while True:
                try:
                    signal = self._connection.recv_until_filtered(queue, timeout=_PATIENCE)
                except OSError as error:
                    raise _unanswered(method, error) from error
                _id, path, _unit, result = signal.body
                if path == job:
                    return str(result)

    def _owner(self) -> str:
        """Return who the manager is for the bus: anybody may send signals that look like the manager's."""
        manager = self._library.DBusAddress(_PATH, _NAME, "org.freedesktop.DBus.Peer")
        # Where the bus was only just started, systemd is still on its way: calls wait for it, and only they.
        self._exchange(self._library.new_method_call(manager, "Ping"), "Ping")
        (owner,) = self._exchange(self._library.message_bus.GetNameOwner(_NAME), "GetNameOwner")
        return str(owner)

    def _call(self, method: str, signature: str, arguments: tuple[object, ...]) -> tuple[Any, ...]:
        manager = self._library.DBusAddress(_PATH, bus_name=_NAME, interface=f"{_NAME}.Manager")
        message = self._library.new_method_call(manager, method, signature, arguments)
        return self._exchange(message, method)

    def _exchange(self, message: Any, method: str) -> tuple[Any, ...]:
        try:
            reply = self._connection.send_and_get_reply(message, timeout=_PATIENCE)
        except OSError as error:
            raise _unanswered(method, error) from error
        if reply.header.message_type is self._library.MessageType.error:
            name = reply.header.fields[self._library.HeaderFields.error_name]
            text = reply.body[0] if reply.body and isinstance(reply.body[0], str) else name
            raise RefusedError(method, name, text)
        found: tuple[Any, ...] = reply.body
        return found

    def _connect(self, address: str) -> Any:
        from jeepney.auth import AuthenticationError
        from jeepney.io.blocking import DBusConnection

        try:
            return DBusConnection(_authenticated(address))
        except (OSError, AuthenticationError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UnsupportedError(
                f"{_OPTION}: cannot talk to systemd through {address!r}: {reason}; {_remedy()}"
            ) from error


def _library() -> Any:
    try:
        import jeepney
    except ImportError:
        raise UnsupportedError(
            f"{_OPTION} needs the Python library jeepney: pip install 'pytest-nsisolate[systemd]'"
        ) from None
    return jeepney


def bus_address() -> str:
    """Return the address of the bus, in the form of D-Bus."""
    if is_machine_root():
        return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "") or _SYSTEM_BUS
    if address := os.environ.get("DBUS_SESSION_BUS_ADDRESS", ""):
        return address
    directory = runtime_directory(uid_outside)
    if not directory:
        raise UnsupportedError(
            f"{_OPTION}: there is no bus of this user's: set DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR"
        )
    return f"unix:path={directory}/bus"


def _exists(address: str) -> bool:
    path = address.partition("unix:path=")[2].partition(",")[0].partition(";")[0]
    return bool(path) and os.path.exists(path)


def _remedy() -> str:
    if is_machine_root():
        return "install and start dbus, or use --cgroup-manager cgroupfs"
    return (
        "install dbus-user-session, and log in or `loginctl enable-linger`, "
        "or use --cgroup-manager cgroupfs"
    )


def _unanswered(method: str, error: OSError) -> SetupError:
    why = f"no answer within {_PATIENCE:.0f} s" if isinstance(error, TimeoutError) else str(error)
    return SetupError("cgroups", f"systemd: {method}: {why}")


def _authenticated(address: str) -> socket.socket:
    """Return a connection to the bus on which messages may be sent."""
    from jeepney.auth import BEGIN, AuthenticationError, Authenticator
    from jeepney.bus import get_connectable_addresses

    try:
        (path, *_others) = get_connectable_addresses(address)
    except (RuntimeError, ValueError) as error:
        raise AuthenticationError(address, str(error)) from error
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_PATIENCE)
        connection.connect(path)
        connection.sendall(b"\0")
        authenticator = Authenticator(inc_null_byte=False)
        for line in authenticator:
            connection.sendall(_with_uid_outside(line))
            authenticator.feed(connection.recv(1024))
        connection.sendall(BEGIN)
    except BaseException:
        connection.close()
        raise
    connection.settimeout(None)
    return connection


def _with_uid_outside(line: bytes) -> bytes:
    # jeepney says what we are called in our own user namespace.
    if not line.startswith(b"AUTH EXTERNAL "):
        return line
    return b"AUTH EXTERNAL %s\r\n" % str(uid_outside()).encode().hex().encode()
