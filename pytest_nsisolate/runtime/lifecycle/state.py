"""What is known of the containers: a directory for each, with its state and its config.

::

    ROOT/ID/lock          held (lockf(3)) by whoever changes the container: create, start, delete
    ROOT/ID/config.json   the config as it was when the container was created
    ROOT/ID/status        the state, as JSON; replaced atomically, so that readers need no lock
    ROOT/ID/gate          where a created container waits for start (gate.py)

ROOT is /run/nsisolate, or $XDG_RUNTIME_DIR/nsisolate. The lock is one that a fork does not share: the
container's init may outlive by far whoever created it.
"""

from __future__ import annotations

import _signal
import fcntl
import os
import time

from ..caller import is_machine_root, runtime_directory
from ..errors import LifecycleError
from ..preparation import Preparation
from ..record import Record
from ..spec.decoding import decode, encode
from .liveness import open_process
from .state_files import check_types, refuse_others, write_atomically

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

CREATING = "creating"
CREATED = "created"
RUNNING = "running"
STOPPED = "stopped"
#: Not one of the spec's; runc and crun have it.
PAUSED = "paused"

#: A file's name has 255 bytes at the most, and a pid is put behind the id.
_LONGEST_ID = 240
_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-."


class State(Record):
    """A container. *phase* is how far it has got: its status, unless its process has ended.

    *external_descriptors* is a JSON array of what its standard streams were, under crun's name for it.
    *groups* are the cgroup and the class of service that end with it (preparation.py). *device_rules* is a
    JSON array of those that ``update`` has put in the place of the config's.
    """

    id: str
    bundle: str
    rootfs: str
    created: str
    owner_uid: int
    pid: int = 0
    start_time: int = 0
    phase: str = CREATING
    external_descriptors: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    groups: dict[str, object] | None = None
    device_rules: str = ""

    def status(self) -> str:
        """Return creating, created, running, paused or stopped."""
        pidfd = open_process(self.pid, self.start_time)
        if pidfd is None:
            return STOPPED
        os.close(pidfd)
        return PAUSED if self._is_paused() else self.phase

    def _is_paused(self) -> bool:
        cgroup = self.kept().cgroup
        if cgroup is None:
            return False
        from ..cgroups.removal import is_frozen

        return is_frozen(cgroup)

    def kept(self) -> Preparation:
        """Return the groups that outlive the container's launcher."""
        return Preparation.of_groups(self.groups)


def external_descriptors() -> str:
    """Return what the standard streams are, which the container process inherits."""
    found = []
    for fd in range(3):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            found.append("")
    return encode(found)


def now() -> str:
    """Return the time as RFC 3339 has it, in UTC."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09}Z"


class Directory:
    """The directory of one container. As a context manager: locked."""

    def __init__(self, root: str, container_id: str) -> None:
        self.id = container_id
        self.path = f"{root}/{container_id}"
        self._root = root
        self._lock_fd = -1

    def exists(self) -> bool:
        """Tell whether there is such a container, as far as this user is concerned."""
        try:
            return os.lstat(self.path).st_uid == os.geteuid()
        except OSError:
            return False

    def make(self, config: bytes) -> None:
        """Make the directory, locked, with the config in it. Raises LifecycleError if it exists.

        An interrupt waits until it is certain that the directory is ours, and to be removed.
        """
        mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT,))
        try:
            self._make()
            try:
                self._lock()
                self._write("config.json", config)
                _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
            except BaseException:
                self.remove()
                raise
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)

    def _make(self) -> None:
        umask = os.umask(0o077)  # whatever the caller's is: ours to use, and nobody else's
        try:
            for _attempt in range(100):
                _make_root(self._root)
                try:
                    os.mkdir(self.path, 0o700)
                    return
                except FileNotFoundError:
                    continue  # the root was empty, and has just been removed
            raise LifecycleError(f"--root {self._root!r} is a place where no directory can be made")
        except FileExistsError:
            raise LifecycleError(f"container with given ID already exists: {self.id!r}") from None
        finally:
            os.umask(umask)

    def __enter__(self) -> Self:
        """Wait for the lock. Raises LifecycleError if there is no such container."""
        if not self.exists():
            raise self.missing()
        self._lock()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Let go of the lock."""
        self.unlock()

    def hold(self) -> bool:
        """Lock the directory, if it is not locked by us already; False if it is gone."""
        try:
            if self._lock_fd < 0:
                self._lock()
        except LifecycleError:
            return False
        return True

    def unlock(self) -> None:
        """Let others change the container."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def missing(self) -> LifecycleError:
        """Return the error that says that there is no such container."""
        return LifecycleError(f"container does not exist: {self.id!r}")

    def save(self, state: State) -> None:
        """Write the state."""
        values = {field: getattr(state, field) for field in State._fields}
        values["annotations"] = dict(state.annotations)
        self._write("status", encode(values).encode())

    def load(self) -> State:
        """Read the state. Raises LifecycleError if there is none (yet)."""
        if not self.exists():
            raise self.missing()
        try:
            values: Any = decode(self._read("status"))
            values["annotations"] = tuple(values["annotations"].items())
            state = State(**values)
            check_types(state)
            return state
        except FileNotFoundError:
            raise self.missing() from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise LifecycleError(
                f"the state of container {self.id!r} is unreadable: {error}"
            ) from error

    def config(self) -> bytes:
        """Return the config with which the container was created."""
        try:
            return self._read("config.json")
        except FileNotFoundError:
            raise self.missing() from None

    def remove(self) -> bool:
        """Forget the container; False if somebody else has done so already."""
        # No id has this sign. From here on the container is not there for anybody else, who could put
        # something new into a directory that is being emptied.
        leaving = f"{self.path}~{os.getpid()}"
        try:
            os.rename(self.path, leaving)
            _remove_tree(leaving)
        except FileNotFoundError:
            return False
        finally:
            self.unlock()
        self._remove_root()
        return True

    def remove_remains(self) -> None:
        """Remove what is left where somebody was killed who removed the container, or was to make it."""
        for name in _names_in(self._root):
            if name.startswith(f"{self.id}~"):
                try:
                    _remove_tree(f"{self._root}/{name}")
                except FileNotFoundError:
                    continue  # he is still there, and has done it
        self._remove_root()

    def _remove_root(self) -> None:
        if self._root == default_root():
            try:
                os.rmdir(self._root)
            except OSError:
                pass  # others are in there

    def _lock(self) -> None:
        lock = f"{self.path}/lock"
        try:
            self._lock_fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(self._lock_fd, 0o600)  # the umask may have left less
            fcntl.lockf(self._lock_fd, fcntl.LOCK_EX)
            alive = os.stat(lock).st_ino == os.fstat(self._lock_fd).st_ino
        except FileNotFoundError:
            alive = False
        if not alive:  # it was deleted while we waited
            self.unlock()
            raise self.missing()

    def _write(self, name: str, content: bytes) -> None:
        write_atomically(f"{self.path}/{name}", content, 0o600)

    def _read(self, name: str) -> bytes:
        with open(f"{self.path}/{name}", "rb") as file:
            return file.read()


def _remove_tree(directory: str) -> None:
    for name in os.listdir(directory):
        path = f"{directory}/{name}"
        try:
            os.unlink(path)
        except IsADirectoryError:
            _remove_tree(path)
    os.rmdir(directory)


def _names_in(root: str) -> list[str]:
    try:
        return sorted(os.listdir(root))
    except FileNotFoundError:
        return []


def containers(root: str) -> list[Directory]:
    """Return the containers below *root*, by their ids."""
    names = _names_in(root)
    found = [Directory(root, name) for name in names if all(c in _SAFE for c in name)]
    return [directory for directory in found if directory.exists()]


def check_id(container_id: str) -> str:
    """Return *container_id* if it can name a container."""
    if (
        not container_id
        or container_id in (".", "..")
        or len(container_id) > _LONGEST_ID
        or not all(character in _SAFE for character in container_id)
    ):
        raise LifecycleError(
            f"invalid container ID {container_id!r}: up to {_LONGEST_ID} letters, digits and any of _+-. "
            "are allowed"
        )
    return container_id


def default_root() -> str:
    """Return where the containers are by default, or an empty string if there is no such place.

    /run is root's; a user, also one who is root in a user namespace only, has a runtime directory.
    """
    if is_machine_root():
        return "/run/nsisolate"
    if directory := runtime_directory():
        return f"{directory}/nsisolate"
    return "/run/nsisolate" if os.geteuid() == 0 else ""


def _make_root(root: str) -> None:
    try:
        os.makedirs(root, 0o700, exist_ok=True)
        refuse_others(root, is_default=root == default_root())
    except FileNotFoundError:
        return  # removed at once by the last container in it; the caller tries again
    except OSError as error:
        raise LifecycleError(f"cannot make the directory {root!r}: {error.strerror}") from None
