"""Go programs, built in GOPATH mode with Debian's golang-*-dev packages: no module proxy is needed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from . import command
from .debian import Release, own_codename
from .errors import SetupError

_DEVELOPMENT_PACKAGES = r"golang-.*-dev"


class Workspace:
    """A GOPATH in *directory* with the packages that a Debian source package is built with."""

    def __init__(self, directory: Path, release: Release, log: Path) -> None:
        self.directory = directory
        self._release = release
        self._log = log
        self._toolchain = directory / "toolchain"

    def fill(self, source_package: str, extra: Sequence[str] = ()) -> None:
        """Unpack the golang-*-dev packages of *source_package*, and those of *extra* that the release has."""
        shutil.rmtree(self.directory, ignore_errors=True)
        unpacked = self.directory / "unpacked"
        unpacked.mkdir(parents=True)
        wanted = [*self._release.build_depends(source_package), *filter(self._release.has, extra)]
        start = [
            package
            for package in wanted
            if package.startswith("golang-") and package.endswith("-dev")
        ]
        packages = self._release.with_depends(start, _DEVELOPMENT_PACKAGES)
        if not packages:
            raise SetupError(
                f"{source_package}: {self._release.codename} has no golang-*-dev package for it"
            )
        self._release.unpack(packages, unpacked)
        (unpacked / "usr/share/gocode/src").rename(self.directory / "src")
        shutil.rmtree(unpacked)
        if self._release.codename != own_codename():
            self._unpack_toolchain()

    def _unpack_toolchain(self) -> None:
        """Take the compiler of the release too: its packages may need a newer one than the machine's."""
        packages = self._release.with_depends(["golang-go"], r"golang-[0-9.]+-(go|src)")
        self._release.unpack(packages, self._toolchain)

    @property
    def environment(self) -> dict[str, str]:
        """The environment for Go's own command and for make."""
        values = {
            "GO111MODULE": "off",
            "GOPATH": str(self.directory),
            "GOCACHE": str(self.directory / "cache"),
            "GOFLAGS": "",
            "GOTOOLCHAIN": "local",
        }
        for root in self._toolchain.glob("usr/lib/go-*"):
            values["GOROOT"] = str(root)
            values["PATH"] = f"{root}/bin:{command.SYSTEM_PATH}"
        return values

    def link(self, import_path: str, source: Path) -> Path:
        """Make *source* importable as *import_path*; return the path to build in."""
        place = self.directory / "src" / import_path
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            place.unlink()
        else:
            shutil.rmtree(place, ignore_errors=True)
        place.symlink_to(source)
        return place

    def build(self, import_path: str, program: Path, tags: str = "") -> None:
        """Build the main package *import_path* as *program*."""
        arguments = ["go", "build", "-tags", tags, "-o", str(program), import_path]
        command.call(
            arguments, log=self._log, directory=self.directory, environment=self.environment
        )

    def make(self, directory: Path, *targets: str) -> None:
        """Run make in *directory*."""
        # PWD, since Go finds its import path by the name of the directory as it was entered.
        environment = {**self.environment, "PWD": str(directory)}
        command.call(
            ["make", *targets], log=self._log, directory=directory, environment=environment
        )
