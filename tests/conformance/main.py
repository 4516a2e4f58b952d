"""The command: builds the suite, runs it in namespaces, and compares the table with what is expected."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import building, cgroups, debian, expected, inside, peers, runtime, sandbox, table
from .errors import SetupError
from .plan import Plan
from .runtime import OURS, Runtime
from .suite import Built, Suite
from .suites import SUITES

WORK = Path("/var/tmp/nsisolate-conformance")
ORDINARY_UID = 1000


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    if arguments[:1] == ["--inside"]:
        return inside.main(Path(arguments[1]))
    given = _parse(arguments)
    os.umask(0o022)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return _run(given)
    except SetupError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py", description="Run an external conformance suite against an OCI runtime."
    )
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--runtime", type=Path, metavar="PATH", help="absolute (default: ours)")
    parser.add_argument("--only", default="", metavar="REGEX", help="the tests whose names match")
    parser.add_argument(
        "--user", type=int, nargs="?", const=ORDINARY_UID, default=0, metavar="UID",
        help=f"call the runtime as an ordinary user (default: {ORDINARY_UID})",
    )  # fmt: skip
    parser.add_argument("--no-id-maps", action="store_true", help="--user has no subordinate ids")
    parser.add_argument("--no-delegation", action="store_true", help="--user has no cgroup")
    parser.add_argument("--view", choices=cgroups.VIEWS, help="of cgroups (default: the suite's)")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds a test may take")
    parser.add_argument("--release", help="Debian's, of the suite (default: the machine's)")
    parser.add_argument("--source", type=Path, metavar="DIR", help="a tree of the suite instead")
    parser.add_argument("--work", type=Path, default=WORK, help=f"what is kept (default: {WORK})")
    parser.add_argument("--table", type=Path, metavar="FILE", help="where to write the table")
    parser.add_argument("--accept", action="store_true", help="make the results the expected ones")
    parser.add_argument("--build-only", action="store_true", help="fetch and build, and stop there")
    given = parser.parse_args(arguments)
    try:
        re.compile(given.only)
    except re.error as error:
        parser.error(f"--only {given.only!r}: {error}")
    if given.user < 0:
        parser.error(f"--user {given.user}: not a uid")
    if given.timeout is not None and given.timeout <= 0:
        parser.error(f"--timeout {given.timeout:g}: has to be above 0")
    return given


def _run(given: argparse.Namespace) -> int:
    if os.geteuid() != 0:
        raise SetupError(
            "has to be root, to make namespaces and devices; --user tests as somebody else"
        )
    theirs = runtime.given(given.runtime, given.user) if given.runtime else None
    suite = SUITES[given.suite]
    work: Path = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    debian.install(suite.packages, work / "install.log")
    built = building.built(suite, work, given.release or debian.own_codename(), given.source)
    if given.build_only:
        print(f"{suite.name} {building.version(built)}: {built.directory}")
        return 0
    stamp = time.strftime("%Y%m%d-%H%M%S")
    directory = work / "runs" / f"{suite.name}{'-user' if given.user else ''}-{stamp}-{os.getpid()}"
    (directory / "logs").mkdir(parents=True)
    chosen = theirs or runtime.ours(directory, given.user)
    chosen = peers.adapted(chosen, suite.name, directory)
    table_file = (given.table or directory / "table.tsv").resolve()
    started = time.monotonic()
    code = _run_inside(given, suite, built, chosen, directory, table_file)
    if code != 0:
        raise SetupError(
            f"the process that runs the tests ended with exit code {code}; its output is above"
        )
    results = table.read_table(table_file)
    print(
        f"\n{suite.name} suite {building.version(built)}, {chosen} as uid {given.user}:"
        f" {table.totals(results)}, of {len(results)}, in {time.monotonic() - started:.0f} s"
    )
    print(f"table: {table_file}\nlogs: {directory / 'logs'}")
    return _conclude(given, chosen, results)


def _run_inside(
    given: argparse.Namespace,
    suite: type[Suite],
    built: Built,
    chosen: Runtime,
    directory: Path,
    table_file: Path,
) -> int:
    """Run the tests in namespaces; return the exit code of that."""
    # Short, for the sake of the sockets that tests make below it.
    scratch = Path(tempfile.mkdtemp(prefix="nsi-", dir="/var/tmp"))
    own = cgroups.Own(scratch.name)
    try:
        for path in (scratch, *(scratch / name for name in ("tmp", "home", "xdg"))):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
            os.chown(path, given.user, given.user)
        (scratch / "tmp").chmod(0o1777)
        plan = Plan(
            suite=suite.name,
            built=str(built.directory),
            runtime=str(chosen.path),
            only=given.only,
            user=given.user,
            id_maps=not given.no_id_maps,
            delegation=not given.no_delegation,
            view=given.view or peers.view(chosen, suite.view),
            timeout=given.timeout,
            directory=str(directory),
            table=str(table_file),
            scratch=str(scratch),
            lock=str(given.work.resolve() / "realtime.lock"),
            cgroups={name: str(path) for name, path in own.paths.items()},
        )
        plan.write(directory / "plan.json")
        return sandbox.enter(directory / "plan.json", own)
    finally:
        own.remove()
        shutil.rmtree(scratch, ignore_errors=True)


def _conclude(given: argparse.Namespace, chosen: Runtime, results: list[table.Result]) -> int:
    """Print how the results differ from the expected ones; return the exit code."""
    is_user, is_whole = given.user != 0, not given.only
    if given.accept:
        _accept(given.suite, chosen.name, results, is_user, is_whole)
    expectations = expected.expectations_of(chosen.name, given.suite, is_user)
    if chosen.name not in expected.PEERS:
        file = expected.peer_list(given.suite, is_user)
        worse = (
            expected.worse_than_peers(results, expected.read_peers(file)) if file.exists() else []
        )
        _print_list("failed although both crun and runc pass", worse)
    if expectations is None:
        print(f"{chosen}: there is no list of expected results")
        return 0
    comparison = expected.compare(results, expectations, is_whole)
    _print_list("worse than expected", comparison.regressed)
    _print_list("better than expected", comparison.improved)
    _print_list("not in the list of expected results", comparison.unknown)
    _print_list("not run, although expected", comparison.missing)
    return 1 if comparison.is_regression else 0


def _accept(
    suite: str, name: str, results: list[table.Result], is_user: bool, is_whole: bool
) -> None:
    if name == OURS:
        expected.accept_own(expected.own_list(suite, is_user), results, is_whole)
    elif name in expected.PEERS:
        expected.accept_peer(expected.peer_list(suite, is_user), name, results, is_whole)
    else:
        raise SetupError(f"--accept: only for {OURS}, {' and '.join(expected.PEERS)}")


def _print_list(title: str, tests: list[str]) -> None:
    if tests:
        print(f"{title} ({len(tests)}):")
        for test in tests:
            print(f"  {test}")
