"""Debian's packages: those that the machine needs, and those of one release, apart from the machine's own.

A release has its own package lists in the work directory, with sources, so neither the machine's lists nor
its installed packages change by it; development packages of a release are unpacked, not installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import command
from .errors import SetupError

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DEFAULT_MIRROR = "http://deb.debian.org/debian"
_SECONDS_FRESH = 24 * 3600

#: Releases to take the source of a suite from where the mirror lacks that of the machine's.
LATER = ("trixie", "sid")


def install(packages: Iterable[str], log: Path) -> None:
    """Install those of *packages* that the machine does not have."""
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    print(f"installing {' '.join(missing)}", flush=True)
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    command.call(["apt-get", "update", "-q"], log=log, environment=environment)
    command.call(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing],
        log=log,
        environment=environment,
    )


def _is_installed(package: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    done = subprocess.run(query, check=False, capture_output=True, text=True)
    return done.returncode == 0 and done.stdout == "installed"


def own_codename() -> str:
    """Return the codename of the machine's release, such as ``bookworm``."""
    text = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\S+)$", text, re.MULTILINE)
    if found is None:
        raise SetupError(
            "/etc/os-release has no VERSION_CODENAME: name the Debian release by --release"
        )
    return found[1]


class Release:
    """A Debian release by its codename (or ``sid``); its lists and downloads are in *directory*."""

    def __init__(self, codename: str, directory: Path) -> None:
        self.codename = codename
        self.directory = directory
        self.log = directory / "apt.log"
        self._downloads = directory / "downloads"

    @property
    def mirror(self) -> str:
        """The mirror that the machine's apt uses for Debian itself."""
        targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
        text = command.output([*targets, "Created-By: Packages", "Origin: Debian"], log=self.log)
        uris = [line.rstrip("/") for line in text.splitlines() if "security" not in line]
        return uris[0] if uris else _DEFAULT_MIRROR

    def prepare(self) -> None:
        """Fetch the package lists, unless they are of today."""
        for name in ("lists/partial", "downloads"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        fetched = self.directory / "fetched"
        if fetched.exists() and time.time() - fetched.stat().st_mtime < _SECONDS_FRESH:
            return
        lines = [
            f"{kind} [signed-by={_KEYRING}] {self.mirror} {self.codename} main\n"
            for kind in ("deb", "deb-src")
        ]
        (self.directory / "sources.list").write_text("".join(lines))
        self._apt("apt-get", "-qq", "update")
        fetched.touch()

    def _apt(self, program: str, *arguments: str, directory: Path | None = None) -> str:
        options = {
            "Dir::Etc::sourcelist": str(self.directory / "sources.list"),
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": str(self.directory / "lists"),
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Sandbox::User": "root",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return command.output([program, *given, *arguments], log=self.log, directory=directory)

    def source(self, package: str, destination: Path) -> str:
        """Unpack the source of *package*, with Debian's patches, as *destination*; return its version."""
        work = destination.with_name(destination.name + ".fetching")
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(destination, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            self._apt("apt-get", "-qq", "source", package, directory=work)
            (unpacked,) = (path for path in work.iterdir() if path.is_dir())
            unpacked.rename(destination)
            return next(work.glob("*.dsc")).stem.partition("_")[2]
        except SetupError:
            return self._source_without_description(package, work, destination)
        finally:
            shutil.rmtree(work)

    def _source_without_description(self, package: str, work: Path, destination: Path) -> str:
        """Do what source() does where the mirror lacks the .dsc file, or Debian's archive, of *package*.

        The package lists, which are signed, have the checksums of the archives too. Without Debian's archive
        the source is the upstream one.
        """
        offered = {}
        for line in self._apt("apt-get", "-qq", "source", "--print-uris", package).splitlines():
            uri, name, _size, checksum = line.split()
            kind = re.search(r"\.(orig|debian)\.tar\.[a-z0-9]+$", name)
            if kind:
                offered[kind[1]] = (uri.strip("'"), work / name, checksum)
        if set(offered) != {"orig", "debian"}:
            raise SetupError(
                f"{package}: {self.codename} has no source of an upstream and a Debian archive"
            )
        upstream = self._download(*offered["orig"])
        destination.mkdir()
        unpack = ["tar", "-x", "-C", str(destination), "--strip-components=1", "-f", str(upstream)]
        command.call(unpack, log=self.log)
        version = re.split(r"_|\.debian\.", offered["debian"][1].name)[1]
        try:
            archive = self._download(*offered["debian"])
        except SetupError:
            return f"{version} without Debian's patches"
        command.call(["tar", "-x", "-C", str(work), "-f", str(archive)], log=self.log)
        self._patch(destination, work / "debian/patches")
        return version

    def _download(self, uri: str, destination: Path, checksum: str) -> Path:
        fetch = ["/usr/lib/apt/apt-helper", "download-file", uri, str(destination), checksum]
        command.call(fetch, log=self.log)
        return destination

    def _patch(self, source: Path, patches: Path) -> None:
        series = patches / "series"
        for line in series.read_text().splitlines() if series.exists() else ():
            if line.strip() and not line.startswith("#"):
                apply = ["patch", "-s", "-p1", "-i", str(patches / line.split()[0])]
                command.call(apply, log=self.log, directory=source)

    def unpack(self, packages: Sequence[str], destination: Path) -> None:
        """Download *packages* and unpack them below *destination*."""
        for package in packages:
            directory = self._downloads / package
            if not any(directory.glob("*.deb")):
                directory.mkdir(exist_ok=True)
                self._apt("apt-get", "-qq", "download", package, directory=directory)
            for file in directory.glob("*.deb"):
                command.call(["dpkg", "-x", str(file), str(destination)], log=self.log)

    def has(self, package: str) -> bool:
        """Tell whether the release has a binary package of that name."""
        return bool(self._apt("apt-cache", "pkgnames", package).split().count(package))

    def build_depends(self, source_package: str) -> list[str]:
        """Return the names of the packages that *source_package* is built with, alternatives left out."""
        text = self._apt("apt-cache", "showsrc", source_package)
        # Sid shows each version that some architecture still has: the newest is the last.
        fields = re.findall(r"^Build-Depends: (.*)$", text, re.MULTILINE)
        return (
            [entry.split()[0] for entry in fields[-1].split(",") if entry.strip()] if fields else []
        )

    def with_depends(self, packages: Sequence[str], pattern: str) -> list[str]:
        """Return *packages* and all that they depend on, in any depth, if the names match *pattern*."""
        unwanted = "recommends suggests conflicts breaks replaces enhances".split()
        options = ["depends", "--recurse", *(f"--no-{kind}" for kind in unwanted)]
        text = self._apt("apt-cache", *options, *packages)
        names = {line for line in text.splitlines() if re.match(r"[a-z0-9]", line)}
        return sorted(name for name in names if re.fullmatch(pattern, name))
