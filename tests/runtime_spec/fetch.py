"""Fetches the runtime-spec's JSON schema from Debian, for the tests; nothing is installed.

    python tests/runtime_spec/fetch.py [--to DIR] [--release CODENAME]...

Each release (by default sid and the machine's own) is asked for the packages that have the schema in them,
and the newest version is kept: a line says which. What a mirror lacks is said, and the rest goes on. Exit
code 1 if there is none. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

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
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DEFAULT_MIRROR = "http://deb.debian.org/debian"


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description="Fetch the runtime-spec's JSON schema.")
    parser.add_argument("--to", type=Path, default=default_directory(), metavar="DIR")
    parser.add_argument("--release", action="append", metavar="CODENAME")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="runtime-spec-") as name:
        trees = [
            tree
            for release in given.release or ["sid", _own_codename()]
            for tree in _trees(release, Path(name) / release)
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


def _own_codename() -> str:
    found = re.search(
        r"^VERSION_CODENAME=(\S+)$", Path("/etc/os-release").read_text(), re.MULTILINE
    )
    return found[1] if found else "stable"


def _trees(release: str, work: Path) -> Iterator[Path]:
    """Yield the trees of the runtime-spec that the release's packages have."""
    for name in ("lists/partial", "binary", "source"):
        (work / name).mkdir(parents=True)
    lines = [
        f"{kind} [signed-by={_KEYRING}] {_mirror()} {release} main\n" for kind in ("deb", "deb-src")
    ]
    (work / "sources.list").write_text("".join(lines))
    if _apt(work, work, "update"):
        _apt(work, work / "binary", "download", _BINARY)
        # A file that the mirror lacks fails the command; those that came have been verified.
        _apt(work, work / "source", "source", "--download-only", _SOURCE)
    for package in work.glob("binary/*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(work / "binary")], check=True)
    for archive in work.glob("source/*.orig.tar.*[!c]"):
        subprocess.run(["tar", "-xf", str(archive), "-C", str(work / "source")], check=True)
    for path in sorted(work.glob("*/**/schema/features-schema.json")):
        if all((path.parent / name).is_file() for name in FILES):
            yield path.parents[1]


def _mirror() -> str:
    """Return the mirror that the machine's apt uses for Debian itself."""
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    done = subprocess.run([*targets, "Origin: Debian"], check=False, capture_output=True, text=True)
    uris = [line.rstrip("/") for line in done.stdout.splitlines() if "security" not in line]
    return uris[0] if uris else _DEFAULT_MIRROR


def _apt(work: Path, directory: Path, *arguments: str) -> bool:
    """Run apt-get with lists of its own; tell whether it succeeded, or print why not."""
    options = {
        "Dir::Etc::sourcelist": str(work / "sources.list"),
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": str(work / "lists"),
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    command = ["apt-get", "-qq", *given, *arguments]
    done = subprocess.run(command, check=False, cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip() or "no reason was given").splitlines()[0]
        print(f"{work.name}: apt-get {' '.join(arguments)}: {reason}", file=sys.stderr)
    return done.returncode == 0


def _version(tree: Path) -> tuple[int, int, int, bool]:
    """Return the version of a tree, to be compared; a development version is before its release."""
    major, minor, patch, suffix = _version_parts(tree)
    return int(major), int(minor), int(patch), not suffix


def _version_parts(tree: Path) -> tuple[str, str, str, str]:
    text = (tree / "specs-go/version.go").read_text()
    numbers = [re.findall(rf"^\s*Version{part} = (\d+)$", text, re.MULTILINE)[0]
               for part in ("Major", "Minor", "Patch")]  # fmt: skip
    suffix = re.findall(r'^\s*VersionDev = "(.*)"$', text, re.MULTILINE)[0]
    return numbers[0], numbers[1], numbers[2], suffix


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
