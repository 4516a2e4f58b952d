"""The conformance command's tables and lists: what counts as a regression, and what --accept writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import expected, table
from tests.conformance.errors import SetupError
from tests.conformance.expected import Comparison, Expectation
from tests.conformance.runtime_tools_suite import Assertions
from tests.conformance.table import Result, TableFile

RESULTS = [
    Result(test="a", result="pass", seconds=0.5),
    Result(test="b", result="fail", seconds=1.25, note="no such file"),
    Result(test="c", result="skip", seconds=0, note="needs a second CPU"),
]


def expectations(**results: str) -> dict[str, Expectation]:
    """Return a list of expected results."""
    return {test: Expectation(result=result, reason="known") for test, result in results.items()}


def compare(**results: str) -> Comparison:
    """Compare RESULTS, as a whole run, with a list."""
    return expected.compare(RESULTS, expectations(**results), is_whole=True)


def test_the_same_results_are_no_change() -> None:
    """A run that gave what the list has differs in nothing."""
    nothing = Comparison(regressed=[], improved=[], unknown=[], missing=[])
    assert compare(a="pass", b="fail", c="skip") == nothing
    assert not nothing.is_regression


def test_a_failure_that_was_not_expected_is_a_regression() -> None:
    """It is shown with what it says."""
    comparison = compare(a="pass", b="pass", c="skip")
    assert comparison.regressed == ["b: fail, expected pass: no such file"]
    assert comparison.is_regression


def test_a_skip_where_a_pass_was_expected_is_a_regression() -> None:
    """A test that is not run any more proves nothing."""
    comparison = compare(a="pass", b="fail", c="pass")
    assert comparison.regressed == ["c: skip, expected pass: needs a second CPU"]
    assert comparison.is_regression


def test_a_failure_where_a_skip_was_expected_is_a_regression() -> None:
    """A test that could not be run before, and now fails, shows."""
    assert compare(a="pass", b="skip", c="skip").is_regression


def test_better_results_are_shown_and_no_regression() -> None:
    """The list is out of date then, which fails nothing."""
    comparison = compare(a="fail", b="fail", c="fail")
    assert comparison.improved == ["a: pass, expected fail", "c: skip, expected fail"]
    assert not comparison.is_regression


def test_tests_that_the_list_does_not_have() -> None:
    """A new test that fails is a regression, another one is only shown."""
    comparison = compare(c="skip")
    assert comparison.unknown == ["a: pass, expected nothing"]
    assert comparison.regressed == ["b: fail, expected nothing: no such file"]


def test_a_test_that_is_gone_is_a_regression_of_a_whole_run_only() -> None:
    """With --only, tests are left out on purpose."""
    known = {"a": "pass", "b": "fail", "c": "skip", "gone": "fail"}
    whole = expected.compare(RESULTS, expectations(**known), is_whole=True)
    assert whole.missing == ["gone"]
    assert whole.is_regression
    part = expected.compare(RESULTS, expectations(**known), is_whole=False)
    assert part.missing == []
    assert not part.is_regression


def test_only_what_both_peers_pass_is_worse_than_them() -> None:
    """A failure counts if crun and runc pass the test, both."""
    for crun, runc, worse in (
        ("pass", "pass", ["b"]),
        ("pass", "fail", []),
        ("skip", "pass", []),
    ):
        peers = {test: {"crun": crun, "runc": runc} for test in "abc"}
        assert expected.worse_than_peers(RESULTS, peers) == worse
    assert expected.worse_than_peers(RESULTS, {}) == []


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Notes of several lines become one line, and nothing else is changed."""
    file = TableFile(tmp_path / "table.tsv")
    for result in RESULTS:
        file.add(result)
    file.add(Result(test="d", result="fail", seconds=2, note=" one\ttwo\r\nthree\n"))
    *same, last = table.read_table(tmp_path / "table.tsv")
    assert same == RESULTS
    assert last.note == "one two three"
    assert table.totals(RESULTS) == "1 passed, 1 failed, 1 skipped"


def test_accepting_keeps_the_reasons_of_what_did_not_change(tmp_path: Path) -> None:
    """A new failure gets its note as the reason; a pass has none; what was not run stays with --only."""
    path = tmp_path / "list.tsv"
    path.write_text(
        "test\tresult\treason\n"
        "a\tfail\tthe kernel has no such thing\n"
        "c\tskip\tthis machine has one CPU\n"
        "gone\tfail\tfor a reason\n"
    )
    accepted = {
        "a": Expectation(result="pass", reason=""),
        "b": Expectation(result="fail", reason="no such file"),
        "c": Expectation(result="skip", reason="this machine has one CPU"),
    }
    expected.accept_own(path, RESULTS, is_whole=False)
    gone = Expectation(result="fail", reason="for a reason")
    assert expected.read_own(path) == {**accepted, "gone": gone}
    expected.accept_own(path, RESULTS, is_whole=True)
    assert expected.read_own(path) == accepted


def test_accepting_a_peer_leaves_the_other_alone(tmp_path: Path) -> None:
    """Each runtime has its column."""
    path = tmp_path / "peers" / "list.tsv"
    expected.accept_peer(path, "crun", RESULTS, is_whole=True)
    expected.accept_peer(path, "runc", RESULTS[:1], is_whole=True)
    expected.accept_peer(path, "crun", RESULTS[:2], is_whole=True)
    assert expected.read_peers(path) == {
        "a": {"crun": "pass", "runc": "pass"},
        "b": {"crun": "fail"},
    }


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a\tfail\t", "fail without a reason"),
        ("a\tskip\t ", "skip without a reason"),
        ("a\tbroken\twhy", "'broken' is none of pass, fail, skip"),
        ("a\tpass", "not 3 columns"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, line: str, complaint: str) -> None:
    """The message names the file and what is wrong."""
    path = tmp_path / "list.tsv"
    path.write_text(f"test\tresult\treason\n{line}\n")
    with pytest.raises(SetupError, match=complaint) as raised:
        expected.read_own(path)
    assert str(path) in str(raised.value)


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    """A table is not a list of expected results."""
    TableFile(tmp_path / "table.tsv")
    with pytest.raises(SetupError, match="has to name the columns test, result, reason"):
        expected.read_own(tmp_path / "table.tsv")


def test_the_lists_of_the_checkout_are_right() -> None:
    """Each failure that is expected has its reason, and crun and runc have a result for each test."""
    for path in expected.DIRECTORY.glob("*.tsv"):
        assert expected.read_own(path), path
    peers = list(expected.DIRECTORY.glob("peers/*.tsv"))
    assert len(peers) == 6
    for path in peers:
        for test, results in expected.read_peers(path).items():
            assert set(results) == {"crun", "runc"}, (path, test)
            assert set(results.values()) <= set(table.RESULTS), (path, test)


@pytest.mark.parametrize(
    ("exit_code", "output", "result", "note"),
    [
        (0, "TAP version 13\nok 1 - a\nok 2 - # SKIP b\n1..2\n", "pass", "1 ok, 0 not ok, 1 skip"),
        (0, "ok 1 - a\nnot ok 2 - b\n  ---\n  error: no pid\n  ...\n", "fail", "b no pid"),
        (1, "ok 1 - a\n", "fail", "exit code 1, 1 ok"),
        (0, "ok 1 - # SKIP no cgroup\n", "skip", "no cgroup"),
        (0, "TAP version 13\n", "pass", "silent"),
        (0, '# \n  "error": "wrong order"\n', "fail", "wrong order"),
    ],
)
def test_the_assertions_of_a_program_make_its_result(
    exit_code: int, output: str, result: str, note: str
) -> None:
    """One that does not hold fails the program, and so do its exit code and a diagnostic alone."""
    judged, why = Assertions.read(output).judge(exit_code, output)
    assert judged == result
    assert note in why
