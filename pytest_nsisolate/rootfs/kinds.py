"""Kinds of sandboxes: what was asked for, before anything is planned. Cheap to import, in every session."""

from __future__ import annotations

from ..runtime.record import Record

#: Directories that the sandbox has of its own; a project cannot be one of them or around them.
OWN_DIRECTORIES = (
    "/",
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var",
)


class Sandbox(Record):
    """What distinguishes one kind of sandbox from another.

    *project* directories are copy-on-write (read-only without *overlay*), *writable* ones the host's own,
    *shared* likewise (for temporary directories that the host keeps). *rootfs* is a directory to use as
    the root instead of the generated one; *root* gives uid 0 with all powers inside.
    """

    project: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    network: str = "host"
    hostname: str = "nsisolate"
    root: bool = False
    rootfs: str = ""
    overlay: bool = True
