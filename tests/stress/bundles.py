"""Bundles and calls of the runtime for the scenarios."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.oci.bundle import APPLETS, BUSYBOX, base_config
from tests.oci.identity import identity_named

RUNTIME = [sys.executable, "-m", "pytest_nsisolate"]
_TIMEOUT = 60 * int(os.environ.get("NSISOLATE_TEST_SLOWNESS", "1"))


def make(path: Path, *args: str) -> Path:
    """Make a bundle that runs *args*."""
    identity = identity_named("root" if os.geteuid() == 0 else "user")
    rootfs = path / "rootfs"
    for name in ("bin", "dev", "proc", "tmp"):
        (rootfs / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, rootfs / "bin/busybox")
    for name in APPLETS:
        (rootfs / "bin" / name).symlink_to("busybox")
    config: dict[str, Any] = base_config(identity)
    config["process"]["args"] = list(args)
    (path / "config.json").write_text(json.dumps(config))
    return path


def call(*args: str, code: int | None = 0) -> str:
    """Call the runtime; return what it printed. It has to end with *code*, unless that is None."""
    # A file, not a pipe: what a container inherits is open for as long as it runs.
    with tempfile.TemporaryFile(dir="/dev/shm", mode="w+") as said:
        done = subprocess.run(
            [*RUNTIME, *args],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            check=False,
        )
        said.seek(0)
        text = said.read()
    assert code is None or done.returncode == code, f"{args}: {done.returncode}: {text}"
    assert "Traceback" not in text, text
    return text
