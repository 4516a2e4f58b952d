"""runc's tests/integration/*.bats."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from . import cgroups, images
from .command import output
from .debian import Release
from .golang import Workspace
from .suite import GID_START, ID_COUNT, UID_START, Built, Run, Suite, telling
from .table import FAIL, PASS, SKIP, Result

_IMPORT_PATH = "github.com/opencontainers/runc"

#: Where the versions of runc have the programs that the tests call.
_PROGRAMS = ("contrib/cmd/*/*.go", "tests/cmd/*/*.go")

_TEST = re.compile(r'^@test "((?:[^"\\]|\\.)*)" \{$(.*?)^\}', re.MULTILINE | re.DOTALL)
_SPECIAL = re.compile(r"([][\\.^$*+?(){}|])")

_NOISE = (
    r"in test file|in file|from function|^`|spec \(status=0\)|--- teardown|list -q|delete -f"
    r"|rmdir: failed to remove"
)

#: The suite starts recvtty in the background and does not wait for its socket; on a busy machine the runtime
#: may be faster. Then recvtty says this, after the test has removed its directory.
_RACE = "[recvtty] fatal error: open "

#: A uid in the container, for a directory that the suite's script for rootless runs makes.
_AUX_UID = 1024
#: The first uid of the container that the subordinate ids are mapped to.
_MAPPED_UID = 1000


class RuncSuite(Suite):
    """The integration tests of runc; a test is called FILE:TITLE."""

    name = "runc"
    source_package = "runc"
    packages = tuple(
        "bats busybox-static dpkg-dev gawk gcc golang-go iproute2 jq libc6-dev libseccomp-dev mmdebstrap "
        "pkg-config procps uidmap xz-utils".split()
    )
    view = "hybrid"
    seconds_a_test = 40

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._bodies: dict[str, str] = {}

    @classmethod
    def build(cls, built: Built, release: Release) -> None:
        """Build the programs that the tests call, and the two root file systems."""
        workspace = Workspace(built.build / "gopath", release, built.log)
        workspace.fill(cls.source_package)
        workspace.link(_IMPORT_PATH, built.source)
        together = built.source / "tests/cmd/_bin"
        for directory in sorted(
            {p.parent for pattern in _PROGRAMS for p in built.source.glob(pattern)}
        ):
            program = directory / directory.name
            relative = directory.relative_to(built.source)
            workspace.build(f"{_IMPORT_PATH}/{relative}", program, tags="seccomp")
            # Newer versions look for all of them in one directory.
            together.mkdir(parents=True, exist_ok=True)
            (together / program.name).unlink(missing_ok=True)
            (together / program.name).symlink_to(program)
        architecture = output(["go", "env", "GOARCH"], log=built.log).strip()
        data = built.source / "tests/integration/testdata"
        images.busybox(data / f"busybox-{architecture}.tar.xz", built.build / "busybox", built.log)
        images.debian(data / f"debian-{architecture}.tar.xz", release, built.log)

    @property
    def _directory(self) -> Path:
        return self._run.built.source / "tests/integration"

    def tests(self) -> list[str]:
        """Return the titles of the tests of each file."""
        for path in sorted(self._directory.glob("*.bats")):
            for title, body in _TEST.findall(path.read_text()):
                name = re.sub(r"\\(.)", r"\1", title)
                self._bodies[f"{path.name}:{name}"] = body
        return list(self._bodies)

    def _environment(self) -> dict[str, str]:
        given = {"RUNC": str(self._run.runtime), "LC_ALL": "C.UTF-8"}
        if self._run.user == 0:
            return given
        features = {"idmap": self._run.id_maps, "cgroup": self._run.delegation}
        given["ROOTLESS_FEATURES"] = "".join(f"{name}+" for name, on in features.items() if on)
        if self._run.id_maps:
            directory = self._run.scratch / "aux"
            if not directory.exists():
                directory.mkdir()
                owner = UID_START - _MAPPED_UID + _AUX_UID
                output(["chown", str(owner), str(directory)], log=self._run.logs / "setup.log")
            given |= {
                "ROOTLESS_UIDMAP_START": str(UID_START),
                "ROOTLESS_UIDMAP_LENGTH": str(ID_COUNT),
                "ROOTLESS_GIDMAP_START": str(GID_START),
                "ROOTLESS_GIDMAP_LENGTH": str(ID_COUNT),
                "AUX_UID": str(_AUX_UID),
                "AUX_DIR": str(directory),
            }
        return given

    def run(self, test: str) -> Result:
        """Run one test, with the realtime bandwidth if it is about that."""
        if cgroups.is_realtime(self._bodies[test]):
            with cgroups.realtime(self._run.lock):
                return self._run_patiently(test)
        return self._run_patiently(test)

    def _run_patiently(self, test: str) -> Result:
        """Run the test once more if it failed by a race of the suite's own."""
        result = self._run_one(test)
        if result.result == FAIL and _RACE in self.log_of(test).read_text(errors="replace"):
            again = self._run_one(test)
            return replace(again, note=f"second try, recvtty was late in the first; {again.note}")
        return result

    def _run_one(self, test: str) -> Result:
        file_name, _, title = test.partition(":")
        pattern = "^" + _SPECIAL.sub(r"\\\1", title) + "$"
        done = self._run.sessions.run(
            ["bats", "--tap", "-f", pattern, str(self._directory / file_name)],
            directory=self._run.scratch,
            log=self.log_of(test),
            timeout=self.timeout,
            environment=self._environment(),
        )
        text = done.output
        if done.is_out_of_time:
            return self.out_of_time(test, done.seconds, telling(text, r"^1\.\.1"))
        line = re.search(r"^(not ok|ok) 1 (.*)$", text, re.MULTILINE)
        skipped = re.search(r" # skip ?(.*)$", line[0]) if line else None
        if re.search(r"^1\.\.1$", text, re.MULTILINE) is None or line is None:
            result, note = FAIL, f"not the TAP of exactly one test: {text[-200:]}"
        elif skipped:
            result, note = SKIP, skipped[1]
        elif line[1] == "ok":
            result, note = PASS, done.left
        else:
            result, note = FAIL, _why(text[line.end() :])
        return Result(test=test, result=result, seconds=done.seconds, note=note)


def _why(text: str) -> str:
    """Return what bats says about a failed test: line, command, and telling lines of its output."""
    command = re.search(r"#\s+`(.*)' failed", text)
    where = re.search(r"in test file .*?, line (\d+)", text)
    rest = telling(re.sub(r"^# ?", "", text, flags=re.MULTILINE), _NOISE)
    return f"line {where[1] if where else '?'} [{command[1] if command else ''}] {rest}"
