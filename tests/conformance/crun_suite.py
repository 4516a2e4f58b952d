"""crun's tests/test_*.py: Python programs that print TAP, and take the names of tests in RUN_TESTS."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from . import command
from .debian import Release, own_codename
from .session import Finished
from .suite import Built, Suite, telling
from .table import FAIL, PASS, SKIP, Result

_PYTHON = "/usr/bin/python3"
_PROBE = Path(__file__).with_name("crun_probe.py")

#: Lines of the suite's own that do not tell why a test failed.
_NOISE = (
    r"^1\.\.1|^not ok|Test root|Working dir|TMPDIR|Traceback|^# *File|Test environment|Exception type"
    r"|temporary directory"
)


class CrunSuite(Suite):
    """The tests of crun; a test is called FILE:NAME."""

    name = "crun"
    source_package = "crun"
    packages = tuple(
        "dpkg-dev gcc iproute2 libc6-dev libseccomp-dev procps python3 python3-dev xz-utils".split()
    )
    view = "v1"
    seconds_a_test = 45

    @classmethod
    def build(cls, built: Built, release: Release) -> None:
        """Build tests/init, which is what runs in the containers, and the module libmount."""
        (built.build / "config.h").write_text("#define HAVE_SECCOMP 1\n#define HAVE_ERROR_H 1\n")
        arguments = ["gcc", "-static", "-O1", "-w", "-I", str(built.build), "-I", str(built.source)]
        arguments += ["-o", str(built.build / "init"), str(built.source / "tests/init.c")]
        command.call(arguments, log=built.log)
        _build_libmount(
            built.build,
            Release(own_codename(), release.directory.parent / own_codename()),
            built.log,
        )

    def tests(self) -> list[str]:
        """Ask each file for its tests."""
        (self._run.scratch / "tests").mkdir(exist_ok=True)
        shutil.copy2(self._run.built.build / "init", self._run.scratch / "tests/init")
        self._probe = self._run.scratch / _PROBE.name
        shutil.copyfile(_PROBE, self._probe)
        found = []
        for file in sorted(self._directory.glob("test_*.py")):
            listing = self._python(
                [str(self._probe), "list", str(file)], self._run.logs / f"{file.name}.list", {}
            )
            names = re.findall(r"^@@(.*)$", listing.output, re.MULTILINE)
            found += [f"{file.name}:{name}" for name in names or [""]]
        return found

    @property
    def _directory(self) -> Path:
        return self._run.built.source / "tests"

    def _python(self, arguments: list[str], log: Path, environment: dict[str, str]) -> Finished:
        given = {
            "OCI_RUNTIME": str(self._run.runtime),
            "INIT": str(self._run.built.build / "init"),
            "PYTHONPATH": str(self._run.built.build / "modules"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return self._run.sessions.run(
            [_PYTHON, *arguments],
            directory=self._run.scratch,
            log=log,
            timeout=self.timeout,
            environment={**given, **environment},
            output_is_terminal=True,
        )

    def run(self, test: str) -> Result:
        """Run one test of a file."""
        file_name, _, name = test.partition(":")
        if not name:
            return Result(
                test=test, result=FAIL, seconds=0, note="the file does not say which tests it has"
            )
        path = self._directory / file_name
        # RUN_TESTS is split at blanks: a name with one cannot be chosen, then all of the file runs.
        chosen = {} if re.search(r"\s", name) else {"RUN_TESTS": name}
        log = self.log_of(test)
        done = self._python([str(path)], log, chosen)
        if done.is_out_of_time:
            return self.out_of_time(test, done.seconds, telling(done.output, _NOISE))
        line = re.search(
            rf"(not ok|ok) \d+ - {re.escape(name)}(?: *#.*)?$", done.output, re.MULTILINE
        )
        if line is None:
            result, note = FAIL, f"no line of TAP: {done.output[-200:]}"
        elif "#SKIP" in line[0]:
            reason = re.sub(r"# [0-9.]+s$", "", line[0].partition("#SKIP")[2]).strip()
            result, note = SKIP, reason or self._skipped_at(path, chosen, log)
        elif line[1] == "ok":
            result, note = PASS, done.left
        else:
            result, note = FAIL, telling(done.output, _NOISE)
        return Result(test=test, result=result, seconds=done.seconds, note=note)

    def _skipped_at(self, path: Path, chosen: dict[str, str], log: Path) -> str:
        """Run the test again to learn which condition skipped it."""
        traced = self._python(
            [str(self._probe), "skip", str(path)], log.with_suffix(".trace"), chosen
        )
        found = re.search(r"@@(\d+)", traced.output)
        if found is None:
            return ""
        index = int(found[1]) - 1
        source = path.read_text().splitlines()
        above = [line.strip() for line in source[max(0, index - 3) : index]]
        conditions = [line for line in above if re.match(r"(if|except|elif)\b", line)]
        return f"line {index + 1}: {conditions[-1] if conditions else source[index].strip()}"


def _build_libmount(build: Path, release: Release, log: Path) -> None:
    """Build the Python module of util-linux, which test_mounts.py imports and Debian does not package.

    It is of the machine's own release, as is the interpreter that imports it.
    """
    release.prepare()
    source = build / "util-linux"
    release.source("util-linux", source)
    release.unpack(["libmount-dev", "libblkid-dev"], build / "headers")
    module = build / "modules/libmount"
    module.mkdir(parents=True, exist_ok=True)
    code = source / "libmount/python"
    shutil.copyfile(code / "__init__.py", module / "__init__.py")
    includes = command.output([f"{_PYTHON}-config", "--includes"], log=log).split()
    headers = build / "headers/usr/include"
    includes += [f"-I{path}" for path in (source / "include", headers, headers / "libmount")]
    flags = ["-shared", "-fPIC", "-O1", "-w", "-D_GNU_SOURCE", *includes]
    files = [str(path) for path in sorted(code.glob("*.c"))]
    library = str(module / "pylibmount.so")
    command.call(["gcc", *flags, "-o", library, *files, "-l:libmount.so.1"], log=log)
    shutil.rmtree(source)
