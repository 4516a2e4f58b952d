"""The fixtures: an image, and a client with a room of its own, of which nothing may be left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .. import capabilities
from ..oci.bundle import BUSYBOX
from ..oci.identity import identity_named
from ..terminal import Terminal
from .calling import TIMEOUT
from .image import write_image
from .podman import Podman
from .room import Room


@pytest.fixture(scope="session")
def archive() -> Iterator[Path]:
    """Yield the archive that holds the image."""
    capabilities.need(os.access(BUSYBOX, os.X_OK), "busybox (apt-get install busybox-static)")
    with tempfile.NamedTemporaryFile(prefix="nsisolate-image-", suffix=".tar") as file:
        path = Path(file.name)
        path.chmod(0o644)
        write_image(path, BUSYBOX)
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


@pytest.fixture(params=["root", "user"])
def podman(request: pytest.FixtureRequest, archive: Path) -> Iterator[Podman]:
    """Yield podman with the image; each test runs once for each user that is possible here."""
    capabilities.need(capabilities.has_program("podman"), "podman (apt-get install podman)")
    identity = identity_named(request.param)
    identity.need()
    with room_for_one_test(own_root=True) as room:
        made = Podman(room, ordinary_user=identity.is_ordinary_user, archive=archive)
        try:
            yield made
        finally:
            made.close()
