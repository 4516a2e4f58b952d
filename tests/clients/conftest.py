"""The fixtures: an image, and a client with a room of its own, of which nothing may be left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .. import capabilities
from ..oci.bundle import BUSYBOX
from ..oci.identity import Identity, identity_named
from ..terminal import Terminal
from .calling import TIMEOUT
from .containerd import Containerd
from .image import write_image
from .podman import Podman, has_ids_for_containers
from .room import Room

_DIRECTORIES_OF_SHIMS = ("/run/containerd/s", "/run/containerd")


@pytest.fixture(scope="session")
def archive() -> Iterator[Path]:
    """Yield the archive that holds the image."""
    capabilities.need(os.access(BUSYBOX, os.X_OK), "busybox (apt-get install busybox-static)")
    with tempfile.NamedTemporaryFile(prefix="nsisolate-image-", suffix=".tar") as file:
        path = Path(file.name)
        path.chmod(0o644)
        write_image(path)
        yield path


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Yield a terminal for a client."""
    made = Terminal(TIMEOUT)
    yield made
    made.close()


@contextmanager
def room_for_one_test(*, own_root: bool) -> Iterator[Room]:
    """Yield a room; nothing may be left of the containers, and a failed test shows what was called."""
    room = Room(own_root=own_root)
    try:
        yield room
    finally:
        print("calls of the runtime:", *room.calls(), sep="\n")
        left = room.remains()
        room.close()
    assert not left, "\n".join(["containers left behind:", *left])


@pytest.fixture(scope="session")
def images(archive: Path) -> Iterator[Callable[[Identity], Path]]:
    """Yield what gives each identity a storage of podman's with the image, which is loaded once."""
    stores: dict[Identity, Podman] = {}

    def store(identity: Identity) -> Path:
        if identity not in stores:
            made = Podman(Room(own_root=True), ordinary_user=identity.is_ordinary_user)
            stores[identity] = made
            made.load(archive)
            made.close()
        return stores[identity].storage

    yield store
    for made in stores.values():
        made.room.close()


@pytest.fixture
def podman(request: pytest.FixtureRequest, images: Callable[[Identity], Path]) -> Iterator[Podman]:
    """Yield podman with the image, called by root, or by whom a test's mark says."""
    capabilities.need(capabilities.has_program("podman"), "podman (apt-get install podman)")
    identity = identity_named(getattr(request, "param", "root"))
    identity.need()
    if not has_ids_for_containers():
        capabilities.need_root()
    with room_for_one_test(own_root=True) as room:
        store = images(identity)
        made = Podman(room, ordinary_user=identity.is_ordinary_user, images=store)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="session")
def directories_of_shims() -> Iterator[None]:
    """Remove the directories in /run that shims make, whatever the daemon's settings say."""
    before = set(filter(os.path.isdir, _DIRECTORIES_OF_SHIMS))
    yield
    for path in _DIRECTORIES_OF_SHIMS:
        if path not in before:
            # They may be somebody else's by now, and are not empty then.
            with suppress(OSError):
                os.rmdir(path)


@pytest.fixture
def containerd(archive: Path, directories_of_shims: None) -> Iterator[Containerd]:
    """Yield a containerd with the image."""
    del directories_of_shims
    capabilities.need_root()
    programs = ("containerd", "ctr", "containerd-shim-runc-v2")
    there = all(map(capabilities.has_program, programs))
    capabilities.need(there, "containerd (apt-get install containerd)")
    with room_for_one_test(own_root=False) as room:
        made = Containerd(room)
        try:
            made.load(archive)
            yield made
        finally:
            made.close()
            print("containerd:", made.said())
