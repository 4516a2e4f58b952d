"""Fetching and building a suite once; later runs find it in the work directory."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from pathlib import Path

from . import debian
from .errors import SetupError
from .suite import Built, Suite


def built(suite: type[Suite], work: Path, codename: str, source: Path | None) -> Built:
    """Return *suite*, built from the sources of the Debian release *codename*, or from the tree *source*."""
    key = codename
    if source is not None:
        digest = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:8]
        key = f"{codename}-{source.resolve().name}-{digest}"
    result = Built(directory=work / key / suite.name)
    result.directory.mkdir(parents=True, exist_ok=True)
    complete = result.directory / "version"
    with (result.directory / "lock").open("w") as lock:
        # Another command may be building it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            version = _build(suite, result, work, codename, source)
            complete.write_text(version + "\n")
    return result


def version(built_suite: Built) -> str:
    """Return the version of the Debian source package, or the path of the tree."""
    return (built_suite.directory / "version").read_text().strip()


def _build(
    suite: type[Suite], result: Built, work: Path, codename: str, source: Path | None
) -> str:
    shutil.rmtree(result.build, ignore_errors=True)
    result.build.mkdir()
    result.log.write_text("")
    release = debian.Release(codename, work / codename)
    release.prepare()
    print(f"building {suite.name} in {result.directory}", flush=True)
    if source is None:
        name = _fetch(suite, release, result.source)
    elif source.is_dir():
        shutil.rmtree(result.source, ignore_errors=True)
        shutil.copytree(source, result.source, symlinks=True)
        name = str(source)
    else:
        raise SetupError(f"--source {source}: no directory")
    suite.build(result, release)
    return name


def _fetch(suite: type[Suite], release: debian.Release, destination: Path) -> str:
    """Fetch the suite's source of *release*, or of the next release whose source the mirror has."""
    failures = []
    for codename in dict.fromkeys((release.codename, *debian.LATER)):
        candidate = debian.Release(codename, release.directory.parent / codename)
        candidate.prepare()
        try:
            version = candidate.source(suite.source_package, destination)
        except SetupError as error:
            failures.append(f"{codename}: {error}")
            continue
        if failures:
            print(f"took the source of {suite.source_package} of {codename}, {version}: {failures}")
        return version
    raise SetupError(f"{suite.source_package}: no source could be fetched: {'; '.join(failures)}")
