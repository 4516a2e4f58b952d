"""A disk with a Debian on it, from Debian's packages alone; building it takes root."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class MachineError(Exception):
    """A step of building or booting a machine failed; ``str()`` is a sentence with the remedy."""


USER = "tester"
UID = 1000
PACKAGES = (
    "apt dbus dbus-user-session iproute2 kmod libpam-systemd login openssh-server passwd procps systemd "
    "systemd-sysv udev util-linux linux-image-cloud-amd64 apparmor busybox-static crun gcc libc6-dev "
    "libcap2-bin libseccomp2 python3 strace uidmap podman netavark containerd"
).split()
_PROGRAMS = ("mmdebstrap", "mke2fs", "ssh-keygen")

#: What the kernel needs to find its disk; the rest it finds there.
_INITRAMFS = "virtio_pci\nvirtio_blk\next4\n"
_NETWORK = """\
[Match]
Name=e*
[Network]
Address=10.0.2.15/24
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
_SSHD = """\
PermitRootLogin prohibit-password
UseDNS no
"""
_MASKED = (
    "apt-daily-upgrade.timer apt-daily.timer containerd.service dpkg-db-backup.timer "
    "e2scrub_all.timer e2scrub_reap.service fstrim.timer getty@tty1.service podman-auto-update.timer "
    "serial-getty@ttyS0.service systemd-networkd-wait-online.service systemd-timesyncd.service"
).split()


@dataclass(frozen=True)
class Image:
    """What a machine is booted from, in a directory of its own."""

    suite: str
    directory: Path

    @property
    def disk(self) -> Path:
        """The root file system."""
        return self.directory / "disk.raw"

    @property
    def kernel(self) -> Path:
        """The kernel, as Debian ships it."""
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """Debian's initramfs."""
        return self.directory / "initrd.img"

    @property
    def recipe(self) -> Path:
        """By what it was made."""
        return self.directory / "recipe"

    @property
    def key(self) -> Path:
        """The private key that opens both accounts."""
        return self.directory / "key"


def build(image: Image) -> None:
    """Build the image, unless it is there as it is described here. Raises MachineError."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    if image.recipe.exists() and image.recipe.read_text() == recipe:
        return
    if os.geteuid() != 0:
        raise MachineError("building a machine takes root; running one does not")
    if missing := [name for name in _PROGRAMS if not shutil.which(name)]:
        raise MachineError(
            f"{', '.join(missing)} missing: apt-get install mmdebstrap e2fsprogs openssh-client"
        )
    image.directory.mkdir(parents=True, exist_ok=True)
    root = image.directory / "root"
    shutil.rmtree(root, ignore_errors=True)
    try:
        image.recipe.unlink(missing_ok=True)
        _key(image)
        _install(image.suite, root)
        _configure(image, root)
        for kind, target in (("vmlinuz", image.kernel), ("initrd.img", image.initrd)):
            (newest,) = root.glob(f"boot/{kind}-*")
            shutil.copy(newest, target)
        _fill_disk(image.disk, root)
        image.recipe.write_text(recipe)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise MachineError(f"{command[0]} ended with {done.returncode}")


def _key(image: Image) -> None:
    if not image.key.exists():
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", image.key)


def _install(suite: str, root: Path) -> None:
    conf = '"$1"/etc/initramfs-tools'
    modules = _INITRAMFS.replace("\n", "\\n")
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        "--aptopt=APT::Install-Recommends false",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")),
        # Before the kernel's package makes its initramfs.
        f"--essential-hook=mkdir -p {conf}/conf.d && echo MODULES=list >{conf}/conf.d/list",
        f"--essential-hook=printf '{modules}' >{conf}/modules",
        suite,
        str(root),
    ]
    _run(*command)


def _configure(image: Image, root: Path) -> None:
    def write(name: str, text: str) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("etc/hostname", f"{image.suite}\n")
    write("etc/hosts", f"127.0.0.1 localhost {image.suite}\n")
    write("etc/fstab", "/dev/vda / ext4 noatime 0 0\n")
    write("etc/systemd/network/machine.network", _NETWORK)
    write("etc/ssh/sshd_config.d/machine.conf", _SSHD)
    _run("chroot", root, "useradd", "-m", "-u", str(UID), "-s", "/bin/bash", USER)
    ranges = ("--add-subuids", "100000-165535", "--add-subgids", "100000-165535")
    _run("chroot", root, "usermod", *ranges, USER)
    # His systemd runs from the boot on, with what is delegated to it.
    write(f"var/lib/systemd/linger/{USER}", "")
    for home, owner in (("root", 0), (f"home/{USER}", UID)):
        write(f"{home}/.ssh/authorized_keys", image.key.with_suffix(".pub").read_text())
        for path in (root / home / ".ssh", root / home / ".ssh/authorized_keys"):
            os.chown(path, owner, owner)
    for name in _MASKED:
        (root / "etc/systemd/system" / name).symlink_to("/dev/null")
    _run("chroot", root, "systemctl", "-q", "enable", "systemd-networkd", "ssh")


def _fill_disk(disk: Path, root: Path) -> None:
    unfinished = disk.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with unfinished.open("wb") as file:
        file.truncate(8 << 30)
    _run("mke2fs", "-q", "-t", "ext4", "-F", "-m", "0", "-d", root, unfinished)
    unfinished.rename(disk)
