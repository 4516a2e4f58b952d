"""Fetching the runtime-spec's JSON schema from Debian's packages; fetch.py is the command."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ..conformance import debian
from ..conformance.errors import SetupError

#: Where the tests look for it, unless the variable says otherwise.
VARIABLE = "NSISOLATE_RUNTIME_SPEC"
DEFAULT = Path("/var/tmp/nsisolate-runtime-spec")
#: What has to be there for a schema to be whole.
FILES = tuple(
    f"{name}.json"
    for name in (
        "config-schema config-linux config-solaris config-vm config-windows config-zos "
        "defs defs-linux defs-vm defs-windows defs-zos features-schema features-linux"
    ).split()
)
#: The file that says which version it is.
VERSION_FILE = "VERSION"

_BINARY = "golang-github-opencontainers-specs-dev"
#: It has a copy of the spec, sometimes a newer one.
_SOURCE = "crun"


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="fetch.py", description="Fetch the runtime-spec's JSON schema."
    )
    parser.add_argument("--to", type=Path, default=default_directory(), metavar="DIR")
    parser.add_argument("--release", action="append", metavar="CODENAME")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="runtime-spec-") as work:
        trees = [
            tree
            for codename in given.release or ["sid", debian.own_codename()]
            for tree in _trees(debian.Release(codename, Path(work) / codename))
        ]
        found = max(trees, key=_version, default=None)
        if found is None:
            print("fetch.py: no release has a package with the whole schema", file=sys.stderr)
            return 1
        _keep(found, given.to)
    print(f"runtime-spec {(given.to / VERSION_FILE).read_text().strip()}: {given.to}")
    return 0


def default_directory() -> Path:
    """Return where the schema is, or is to be."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def _trees(release: debian.Release) -> Iterator[Path]:
    """Yield the trees of the runtime-spec that the release's packages have."""
    unpacked = release.directory / "unpacked"
    unpacked.mkdir(parents=True)
    _attempt(release, release.prepare)
    _attempt(release, lambda: release.unpack([_BINARY], unpacked / "binary"))
    _attempt(release, lambda: release.source(_SOURCE, unpacked / "source"))
    for path in sorted(unpacked.glob("**/schema/features-schema.json")):
        if all((path.parent / name).is_file() for name in FILES):
            yield path.parents[1]


def _attempt(release: debian.Release, step: Callable[[], object]) -> None:
    try:
        step()
    except SetupError as error:
        print(f"{release.codename}: {error}", file=sys.stderr)


def _version(tree: Path) -> tuple[int, int, int, bool]:
    """Return the version of a tree, to be compared; a development version is before its release."""
    major, minor, patch, suffix = _version_parts(tree)
    return int(major), int(minor), int(patch), not suffix


def _version_parts(tree: Path) -> tuple[str, str, str, str]:
    text = (tree / "specs-go/version.go").read_text()
    major, minor, patch = (
        re.findall(rf"^\s*Version{part} = (\d+)$", text, re.MULTILINE)[0]
        for part in ("Major", "Minor", "Patch")
    )
    suffix = re.findall(r'^\s*VersionDev = "(.*)"$', text, re.MULTILINE)[0]
    return major, minor, patch, suffix


def _keep(tree: Path, directory: Path) -> None:
    """Put the schema of *tree* into *directory*, in one step."""
    new = directory.with_name(f"{directory.name}.{os.getpid()}")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name in FILES:
        shutil.copy(tree / "schema" / name, new)
    major, minor, patch, suffix = _version_parts(tree)
    (new / VERSION_FILE).write_text(f"{major}.{minor}.{patch}{suffix}\n")
    shutil.rmtree(directory, ignore_errors=True)
    new.rename(directory)
