"""What a run is expected to give, and how a table differs from that.

expected/SUITE.tsv is about our runtime (test, result, reason: each that is not a pass has its reason), and
expected/peers/SUITE.tsv about crun and runc (test, crun, runc). Runs as an ordinary user have lists of their
own, SUITE-user.tsv.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError
from .runtime import OURS
from .table import FAIL, PASS, RESULTS, Result, read_rows

DIRECTORY = Path(__file__).with_name("expected")
PEERS = ("crun", "runc")

_OWN_COLUMNS = ("test", "result", "reason")
_PEER_COLUMNS = ("test", *PEERS)
_NO_RESULT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The *result* that a test is expected to have, and why."""

    result: str
    reason: str


Expectations = Mapping[str, Expectation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a table differs from its list.

    *regressed*: failed, or were skipped, though they should not have. *improved*: did better than expected,
    so the list is out of date. *unknown*: not in the list, and did not fail. *missing*: in the list only.
    """

    regressed: list[str]
    improved: list[str]
    unknown: list[str]
    missing: list[str]

    @property
    def is_regression(self) -> bool:
        """Tell whether the run is worse than expected."""
        return bool(self.regressed or self.missing)


def own_list(suite: str, is_user: bool, directory: Path = DIRECTORY) -> Path:
    """Return the path of the list of our runtime."""
    return directory / f"{suite}{'-user' if is_user else ''}.tsv"


def peer_list(suite: str, is_user: bool, directory: Path = DIRECTORY) -> Path:
    """Return the path of the list of crun and runc."""
    return directory / "peers" / f"{suite}{'-user' if is_user else ''}.tsv"


def read_own(path: Path) -> Expectations:
    """Read the list of our runtime; raise SetupError where a result is unknown or lacks its reason."""
    expectations = {}
    for row in read_rows(path, *_OWN_COLUMNS):
        if row["result"] not in RESULTS:
            raise SetupError(
                f"{path}: {row['test']}: {row['result']!r} is none of {', '.join(RESULTS)}"
            )
        if row["result"] != PASS and not row["reason"].strip():
            raise SetupError(f"{path}: {row['test']}: {row['result']} without a reason")
        expectations[row["test"]] = Expectation(result=row["result"], reason=row["reason"])
    return expectations


def read_peers(path: Path) -> dict[str, dict[str, str]]:
    """Read the results of crun and runc: by test, then by runtime."""
    peers = {}
    for row in read_rows(path, *_PEER_COLUMNS):
        test = row.pop("test")
        peers[test] = {name: result for name, result in row.items() if result != _NO_RESULT}
    return peers


def expectations_of(runtime: str, suite: str, is_user: bool) -> Expectations | None:
    """Return what the runtime of that name is expected to give; None if there is no list."""
    if runtime == OURS and own_list(suite, is_user).exists():
        return read_own(own_list(suite, is_user))
    if runtime in PEERS and peer_list(suite, is_user).exists():
        peers = read_peers(peer_list(suite, is_user))
        known = {test: row[runtime] for test, row in peers.items() if runtime in row}
        return {test: Expectation(result=word, reason="") for test, word in known.items()}
    return None


def compare(results: Iterable[Result], expectations: Expectations, is_whole: bool) -> Comparison:
    """Compare; tests can be missing only if *is_whole*, if no test was left out on purpose."""
    regressed: list[str] = []
    improved: list[str] = []
    unknown: list[str] = []
    seen: set[str] = set()
    for result in results:
        seen.add(result.test)
        known = expectations.get(result.test)
        described = (
            f"{result.test}: {result.result}, expected {known.result if known else 'nothing'}"
        )
        note = f": {result.note}" if result.note else ""
        if known is None:
            (regressed if result.result == FAIL else unknown).append(described + note)
        elif _rank(result.result) < _rank(known.result):
            regressed.append(described + note)
        elif _rank(result.result) > _rank(known.result):
            improved.append(described)
    missing = [test for test in expectations if test not in seen] if is_whole else []
    return Comparison(regressed=regressed, improved=improved, unknown=unknown, missing=missing)


def _rank(result: str) -> int:
    """Order the results: a skip is worse than a pass, and better than a failure."""
    return (FAIL, "skip", PASS).index(result)


def worse_than_peers(
    results: Iterable[Result], peers: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """Return the tests that failed although both crun and runc pass them."""
    failed = [result.test for result in results if result.result == FAIL]
    return [test for test in failed if all(peers.get(test, {}).get(name) == PASS for name in PEERS)]


def accept_own(path: Path, results: Iterable[Result], is_whole: bool) -> None:
    """Write *results* to the list of our runtime; known reasons stay while the result is the same.

    A new failure or skip gets the note of the run as its reason, to be replaced by a better one.
    """
    known = dict(read_own(path)) if path.exists() else {}
    new = {}
    for result in results:
        before = known.get(result.test)
        keeps = before is not None and before.result == result.result
        reason = before.reason if keeps and before else result.note or "no output"
        new[result.test] = Expectation(
            result=result.result, reason="" if result.result == PASS and not keeps else reason
        )
    merged = new if is_whole else {**known, **new}
    rows = [(test, known.result, known.reason) for test, known in merged.items()]
    _write(path, _OWN_COLUMNS, rows)


def accept_peer(path: Path, runtime: str, results: Iterable[Result], is_whole: bool) -> None:
    """Write *results* to the column of *runtime* in the list of crun and runc."""
    peers = read_peers(path) if path.exists() else {}
    if is_whole:
        for row in peers.values():
            row.pop(runtime, None)
    for result in results:
        peers.setdefault(result.test, {})[runtime] = result.result
    rows = [
        (test, *(row.get(name, _NO_RESULT) for name in PEERS)) for test, row in peers.items() if row
    ]
    _write(path, _PEER_COLUMNS, rows)


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in [columns, *rows]), encoding="utf-8")
