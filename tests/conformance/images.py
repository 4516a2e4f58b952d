"""The root file systems that runc's suite would download, busybox and Debian, from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from . import command
from .debian import Release

_DIRECTORIES = (
    "bin dev etc/network home lib root tmp usr/bin usr/sbin var/spool/mail var/www"
).split()

_PASSWD = """\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
"""

_GROUP = """\
root:x:0:
tty:x:5:
wheel:x:10:root
users:x:100:
nobody:x:65534:
"""

#: What no test needs, and each test would unpack anew.
_NOT_NEEDED = (
    "usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/zoneinfo usr/share/i18n "
    "usr/share/lintian var/cache/apt var/lib/apt/lists var/log usr/lib/*/gconv"
).split()


def busybox(archive: Path, work: Path, log: Path) -> None:
    """Make the archive of a busybox root file system, laid out as the official image is."""
    shutil.rmtree(work, ignore_errors=True)
    for name in _DIRECTORIES:
        (work / name).mkdir(parents=True)
    (work / "tmp").chmod(0o1777)
    (work / "root").chmod(0o700)
    (work / "lib64").symlink_to("lib")
    program = work / "bin/busybox"
    shutil.copy2("/bin/busybox", program)
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)
    for applet in listed.stdout.split():
        if applet != "busybox":
            os.link(program, work / "bin" / applet)
    (work / "usr/bin/env").symlink_to("../../bin/env")
    (work / "etc/passwd").write_text(_PASSWD)
    (work / "etc/group").write_text(_GROUP)
    # The suite calls it .tar.xz; tar looks at what it is, and without compression each test is faster.
    command.call(["tar", "--numeric-owner", "-C", str(work), "-cf", str(archive), "."], log=log)
    shutil.rmtree(work)


def debian(archive: Path, release: Release, log: Path) -> None:
    """Make the archive of a minimal Debian of *release*."""
    made = archive.with_suffix(".tar")
    removal = " ".join(f'"$1"/{name}' for name in _NOT_NEEDED)
    options = ["--quiet", "--mode=root", "--variant=minbase", "--skip=check/qemu"]
    options.append(f"--customize-hook=rm -rf {removal}")
    command.call(
        ["unshare", "-m", "mmdebstrap", *options, release.codename, str(made), release.mirror],
        log=log,
    )
    made.rename(archive)
