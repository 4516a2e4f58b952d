"""The validation programs of OCI runtime-tools: each prints TAP for one part of the runtime-spec."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .debian import Release
from .golang import Workspace
from .suite import Built, Suite
from .table import FAIL, PASS, SKIP, Result

_IMPORT_PATH = "github.com/opencontainers/runtime-tools"

#: Packages that the validation programs import, and Debian's build, which leaves them out, does not need.
_MORE_PACKAGES = (
    "golang-github-google-uuid-dev",
    "golang-github-satori-go.uuid-dev",
    "golang-github-mrunalp-fileutils-dev",
)

_ASSERTION = re.compile(r"\s*(not ok|ok)\b\s*(\d+)?\s*(?:- )?(.*)$")
_DETAIL = re.compile(r'"?(?:error|stderr)"?:\s*(.*)')
_NOT_TROUBLE = re.compile(
    r"\s*(TAP|not ok|ok|1\.\.|---|\.\.\.|\{|\}|\"|#|reference|error|stderr|stdout)"
)


class RuntimeToolsSuite(Suite):
    """The validation programs; a test is called as its program, without the suffix."""

    name = "runtime-tools"
    source_package = "golang-github-opencontainers-runtime-tools"
    packages = tuple("dpkg-dev gcc golang-go iproute2 libc6-dev make procps xz-utils".split())
    view = "v1"
    seconds_a_test = 60

    @classmethod
    def build(cls, built: Built, release: Release) -> None:
        """Build the validation programs, and runtimetest, which they run in the container."""
        workspace = Workspace(built.build / "gopath", release, built.log)
        workspace.fill(cls.source_package, _MORE_PACKAGES)
        tap = workspace.directory / "src/github.com/mndrix/tap-go"
        tap.mkdir(parents=True)
        shutil.copyfile(Path(__file__).with_name("tap.go"), tap / "tap.go")
        place = workspace.link(_IMPORT_PATH, built.source)
        workspace.make(place, "runtimetest", "validation-executables")

    def _program(self, test: str) -> Path:
        return self._run.built.source / "validation" / test / f"{test}.t"

    def tests(self) -> list[str]:
        """Return the names of the programs that were built."""
        names = sorted(path.name for path in (self._run.built.source / "validation").iterdir())
        return [name for name in names if self._program(name).exists()]

    def run(self, test: str) -> Result:
        """Run one program."""
        done = self._run.sessions.run(
            [str(self._program(test))],
            directory=self._run.built.source,
            log=self.log_of(test),
            timeout=self.timeout,
            environment={"RUNTIME": str(self._run.runtime)},
        )
        seen = Assertions.read(done.output)
        if done.is_out_of_time:
            return self.out_of_time(test, done.seconds, seen.count())
        result, note = seen.judge(done.exit_code, done.output)
        if result == PASS and done.left:
            note = f"{note}, {done.left}"
        return Result(test=test, result=result, seconds=done.seconds, note=note)


@dataclass(slots=True)
class Assertions:
    """The assertions that a program printed."""

    passed: int = 0
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> Assertions:
        """Read them from the output of a program."""
        seen = cls()
        lines = text.splitlines()
        for index, line in enumerate(lines):
            match = _ASSERTION.match(line)
            if match is None:
                continue
            label = match[3].strip()
            skip = re.search(r"# *skip(.*)$", label, re.IGNORECASE)
            if skip:
                seen.skipped.append(skip[1].strip() or label)
            elif match[1] == "ok":
                seen.passed += 1
            else:
                seen.failed.append(label + _details(lines[index + 1 : index + 12]))
        return seen

    def count(self) -> str:
        """Count them."""
        return f"{self.passed} ok, {len(self.failed)} not ok, {len(self.skipped)} skip"

    def judge(self, exit_code: int | None, text: str) -> tuple[str, str]:
        """Return the result of the program and the note on it."""
        if exit_code != 0 or self.failed:
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            rest = " | ".join(line for line in lines if not _NOT_TROUBLE.match(line))[-150:]
            reasons = "; ".join(self.failed[:3])
            return FAIL, f"exit code {exit_code}, {self.count()}; {reasons} {rest}"
        if not self.passed and not self.skipped:
            # A few programs assert nothing when all is well, and print only a diagnostic when not.
            trouble = re.search(r'^\s*"?error"?: *(.*)$', text, re.MULTILINE)
            if trouble:
                return FAIL, f"diagnostic without assertion: {trouble[1]}"
            return PASS, "silent: no assertion, no diagnostic"
        if not self.passed:
            return SKIP, "; ".join(sorted(set(self.skipped)))
        return PASS, self.count()


def _details(lines: list[str]) -> str:
    """Return the errors in the details that follow an assertion."""
    found = ""
    for line in lines:
        if re.match(r"\s*(not ok|ok)\b|\s*\.\.\.", line):
            break
        error = _DETAIL.search(line)
        if error:
            found += f" {error[1]}"
    return found
