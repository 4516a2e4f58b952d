"""What this plugin uses of pytest that pytest does not promise: all of it, pytest_private_*.py included.

A new pytest that changes one of these things changes these files. They are tried with pytest 8.4 and 9.x.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from _pytest import faulthandler as _faulthandler
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter
from _pytest.config import _prepareconfig
from _pytest.logging import caplog_handler_key, caplog_records_key
from _pytest.outcomes import Exit, OutcomeException
from _pytest.scope import Scope
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks, xfailed_key
from _pytest.threadexception import thread_exceptions
from _pytest.unraisableexception import unraisable_exceptions

_subtests: Any
try:
    from _pytest import subtests as _subtests
except ImportError:  # before pytest 9 subtests are a plugin, which counts for itself
    _subtests = None

#: What a fixture or a test may raise and pytest takes for an outcome.
TEST_OUTCOME = (OutcomeException, Exception)

#: What ``pytest.skip()``, ``fail()`` and ``xfail()`` raise.
OUTCOME_EXCEPTIONS = (pytest.skip.Exception, pytest.fail.Exception, pytest.xfail.Exception)

#: What passes through the phases of an item's protocol.
ProtocolExit = Exit


def make_config(args: list[str]) -> pytest.Config:
    """Return the Config of a command line, as xdist makes one for its workers."""
    return _prepareconfig(args, None)


def worker_input(config: pytest.Config) -> dict[str, Any] | None:
    """Return what makes a session one of xdist's workers, or None."""
    found: dict[str, Any] | None = getattr(config, "workerinput", None)
    return found


def make_worker(config: pytest.Config, workerinput: dict[str, Any] | None) -> None:
    """Make the session the same worker of xdist's as another, if that is one."""
    if workerinput is not None:
        config.workerinput = workerinput  # type: ignore[attr-defined]
        config.workeroutput = {}  # type: ignore[attr-defined]


def identity(node: Any) -> tuple[str, str]:
    """Return a node's id and path: outside of rootdir, nodes of several directories have the same id."""
    return node.nodeid, str(node.path)


def collected(config: pytest.Config) -> list[tuple[str, str]]:
    """Return the identities of the session's items, in the order in which they are run."""
    session: Any = config.pluginmanager.get_plugin("session")
    return [identity(item) for item in session.items]


def initial_paths(config: pytest.Config) -> list[str]:
    """Return the arguments outside of rootdir, to which the ids of the nodes in them are relative."""
    session: Any = config.pluginmanager.get_plugin("session")
    paths = getattr(session, "_initialpaths", ())
    return [str(path) for path in paths if not path.is_relative_to(config.rootpath)]


def share_initial_paths(session: pytest.Session, paths: list[str]) -> None:
    """Make *paths* the session's arguments outside of rootdir; those in it have no say in node ids."""
    inside = {p for p in session._initialpaths if p.is_relative_to(session.config.rootpath)}
    session._initialpaths = frozenset({*inside, *map(Path, paths)})


def own_id(item: pytest.Item) -> str:
    """Return the node id that pytest gives an item whose collector does not choose another."""
    assert item.parent is not None
    return f"{item.parent.nodeid}::{item.name}"


def renamed(config: pytest.Config) -> dict[str, str]:
    """Return, by own id, the node ids that a plugin has replaced, as xdist does for its groups."""
    session: Any = config.pluginmanager.get_plugin("session")
    ids = ((own_id(item), item.nodeid) for item in session.items)
    return {own: given for own, given in ids if given != own}


def rename(item: pytest.Item, nodeid: str) -> None:
    """Replace an item's node id, where pytest lets it be replaced; newer ones make it from its parts."""
    item._nodeid = nodeid  # type: ignore[attr-defined]


def is_fixture_used(config: pytest.Config, name: str) -> bool:
    """Tell whether any of the session's items uses the fixture *name*."""
    session: Any = config.pluginmanager.get_plugin("session")
    return any(name in getattr(item, "fixturenames", ()) for item in session.items)


def base_temp(config: pytest.Config) -> str | None:
    """Return the directory that ``tmp_path`` directories are made in; it is made if need be.

    None where pytest has no such thing (``-p no:tmpdir``).
    """
    factory: Any = getattr(config, "_tmp_path_factory", None)
    return None if factory is None else str(factory.getbasetemp())


def share_base_temp(config: pytest.Config, path: str | None) -> None:
    """Make *path* the directory that ``tmp_path`` directories are made in."""
    factory: Any = getattr(config, "_tmp_path_factory", None)
    if factory is not None and path is not None:
        # Given, so that this session does not clean it up; ready, so that it does not empty it.
        factory._given_basetemp = factory._basetemp = Path(path)


def least_duration(config: pytest.Config) -> float:
    """Return the seconds below which ``--durations`` leaves something out."""
    if config.get_verbosity() > 1:
        return 0.0
    least: float | None = getattr(config.option, "durations_min", None)
    return 0.005 if least is None else least


def disarm_faulthandler() -> None:
    """Stop pytest's watchdog (``faulthandler_timeout``), whose thread no fork of ours would have."""
    faulthandler.cancel_dump_traceback_later()


def let_faulthandler_write_to(config: pytest.Config, stderr: int) -> None:
    """Let pytest's watchdog write to the descriptor *stderr*."""
    own = config.stash.get(_faulthandler.fault_handler_stderr_fd_key, None)
    if own is not None:
        os.dup2(stderr, own, inheritable=False)


def arm_faulthandler(config: pytest.Config) -> None:
    """Start pytest's watchdog again."""
    stderr = config.stash.get(_faulthandler.fault_handler_stderr_fd_key, None)
    if stderr is None or not config.pluginmanager.hasplugin("faulthandler"):
        return
    seconds = float(config.getini("faulthandler_timeout") or 0.0)
    if seconds > 0:
        faulthandler.dump_traceback_later(seconds, file=stderr)


def setup_state(session: pytest.Session) -> Any:
    """Return what keeps the collectors and the item that are set up."""
    return session._setupstate


def forget_stray_exceptions(config: pytest.Config) -> None:
    """Drop what threads and finalizers have raised and nobody has reported yet."""
    keys: tuple[Any, ...] = (thread_exceptions, unraisable_exceptions)
    for key in keys:
        found: Any = config.stash.get(key, None)
        if found is not None:
            found.clear()


def report_sections(item: pytest.Item) -> list[tuple[str, str, str]]:
    """Return what the item has printed so far: phase, stream or log, text."""
    return list(item._report_sections)


def sections_of_report(item: pytest.Item) -> list[tuple[str, str]]:
    """Return what the item has printed so far, as a report has it."""
    return [(f"Captured {kind} {when}", text) for when, kind, text in item._report_sections]


def take_report_sections(item: pytest.Item, number: int) -> list[tuple[str, str]]:
    """Take from what the item has printed all but the first *number* sections, as a report has them."""
    taken = sections_of_report(item)[number:]
    del item._report_sections[number:]
    return taken


def set_report_sections(item: pytest.Item, report: pytest.TestReport) -> None:
    """Make the sections of *report* what the item has printed so far."""
    named = [(*name.split(" ", 2), text) for name, text in report.sections]
    item._report_sections[:] = [
        (parts[2], parts[1], parts[3])
        for parts in named
        if len(parts) == 4 and parts[0] == "Captured"
    ]


def apply_xfail(item: pytest.Item, report: pytest.TestReport, error: BaseException | None) -> None:
    """Make the *report* of a failure an expected one, if the item's xfail mark counts, and expects *error*.

    None is no exception but a crash, which a mark expects that does not name any.
    """
    if item.config.getoption("runxfail", True):
        return
    try:
        xfail = _expectation(item)
    except TEST_OUTCOME:  # of a condition, which the test itself has told
        return
    if xfail is not None and (xfail.raises is None or _is_one_of(error, xfail.raises)):
        report.outcome, report.wasxfail = "skipped", xfail.reason


def _expectation(item: pytest.Item) -> Any:
    """Return the item's xfail mark if it counts, else None: pytest asks for none of what a mark skips."""
    return evaluate_xfail_marks(item) if evaluate_skip_marks(item) is None else None


def _is_one_of(error: BaseException | None, raises: Any) -> bool:
    if isinstance(raises, type | tuple):
        return isinstance(error, raises)
    return error is not None and bool(raises.matches(error))


def note_expected_failure(item: pytest.Item) -> None:
    """Let the item's xfail mark count for a phase that fails here, if there are such marks."""
    if item.config.pluginmanager.hasplugin("skipping"):
        try:
            item.stash[xfailed_key] = _expectation(item)
        except TEST_OUTCOME:  # of a condition; the failure that there is already is told
            pass


def is_not_to_be_run(item: pytest.Item) -> bool:
    """Tell whether a mark keeps the item from being set up; also if the sandbox will say that it is wrong."""
    if not item.config.pluginmanager.hasplugin("skipping"):
        return False
    try:
        xfail = None if item.config.option.runxfail else evaluate_xfail_marks(item)
        return evaluate_skip_marks(item) is not None or (xfail is not None and not xfail.run)
    except TEST_OUTCOME:
        return True


def mark_as_debugged(report: pytest.TestReport) -> None:
    """Keep the failure from being printed again at the end: whoever debugged it has seen it."""
    report._pdbshown = True  # type: ignore[attr-defined]


def forget_failed_fixtures(item: pytest.Item) -> None:
    """Let the item's fixtures whose set-up failed be set up again, of whatever scope they are."""
    info = getattr(item, "_fixtureinfo", None)
    for definitions in getattr(info, "name2fixturedefs", {}).values():
        for definition in definitions:
            if definition.cached_result is not None and definition.cached_result[2] is not None:
                definition.cached_result = None
                definition._finalizers.clear()


def renew(item: pytest.Item, sections: list[tuple[str, str, str]]) -> None:
    """Make *item* as if it had never been run, save for the *sections* of earlier attempts."""
    initrequest = getattr(item, "_initrequest", None)
    if initrequest is not None:
        initrequest()
    item._report_sections[:] = sections


def forget_sections(item: pytest.Item) -> None:
    """Drop what the item has reported of its output."""
    item._report_sections.clear()


def start_log_records(item: pytest.Item) -> None:
    """Let the logging plugin find what it expects of an item that has been set up."""
    item.stash.setdefault(caplog_records_key, {})


def forget_log_records(item: pytest.Item) -> None:
    """Drop what the logging plugin keeps of an item until its teardown."""
    keys: tuple[pytest.StashKey[Any], ...] = (caplog_records_key, caplog_handler_key)
    for key in keys:
        if key in item.stash:
            del item.stash[key]


@contextmanager
def counted_as_set_up(item: pytest.Item) -> Iterator[None]:
    """Let *item* be in the set-up state for a while, after its collectors.

    As long as it is not, pytest takes a request for one of its fixtures for one during teardown.
    """
    stack = setup_state(item.session).stack
    stack[item] = ([item.teardown], None)
    try:
        yield
    finally:
        del stack[item]


def wider_fixtures(item: pytest.Item) -> list[str]:
    """Return the names of the item's fixtures that are of a wider scope than function, in order."""
    request: Any = getattr(item, "_request", None)
    if not request:
        return []
    names = getattr(item, "fixturenames", ())
    return [name for name in names if _scope_of(item, request, name) > Scope.Function]


def _scope_of(item: pytest.Item, request: Any, name: str) -> Scope:
    definitions = request._arg2fixturedefs.get(name)
    if not definitions:
        return Scope.Function
    by_parameter = getattr(getattr(item, "callspec", None), "_arg2scope", {})
    scope: Scope = by_parameter.get(name, definitions[-1]._scope)
    if scope is Scope.Class and item.getparent(pytest.Class) is None:
        return Scope.Function  # a function that is in no class is its own
    return scope


def are_set_up(item: pytest.Item) -> bool:
    """Tell whether all that *item* needs of a wider scope than function is set up, without a failure.

    An item with a parameter of a wider scope is not taken to be, because that decides what is set up.
    """
    stack = setup_state(item.session).stack
    parents = item.listchain()[:-1]
    if list(stack) != parents or any(failure for _finalizers, failure in stack.values()):
        return False
    callspec: Any = getattr(item, "callspec", None)
    if any(scope > Scope.Function for scope in getattr(callspec, "_arg2scope", {}).values()):
        return False
    results = [fixture_definition(item, name).cached_result for name in _defined(item)]
    return all(result is not None and result[2] is None for result in results)


def _defined(item: pytest.Item) -> list[str]:
    return [name for name in wider_fixtures(item) if name != "request"]


def fixture_value(item: pytest.Item, name: str) -> Any:
    """Return the value of the item's fixture *name*, which is set up if need be."""
    request: Any = item._request  # type: ignore[attr-defined]
    return request.getfixturevalue(name)


def fixture_definition(item: pytest.Item, name: str) -> Any:
    """Return the definition of the fixture *name* that counts for *item*."""
    request: Any = item._request  # type: ignore[attr-defined]
    return request._arg2fixturedefs[name][-1]


def install_fixture_value(item: pytest.Item, name: str, value: object) -> None:
    """Make *value* that of the fixture *name*, as if it had been set up."""
    callspec: Any = getattr(item, "callspec", None)
    param = callspec.params.get(name) if callspec is not None else None
    fixture_definition(item, name).cached_result = (value, param, None)


def fixture_info(item: pytest.Function) -> Any:
    """Return what pytest worked out about the item's fixtures and parameters."""
    return item._fixtureinfo


def _subtest_key(report: Any) -> Any:
    return getattr(report, "id", report.nodeid)


def failed_subtests(config: pytest.Config, report: pytest.TestReport) -> int:
    """Return how many subtests of the report's test failed so far."""
    if _subtests is None:
        return 0
    counts: Any = config.stash.get(_subtests.failed_subtests_key, {})  # with -p no:subtests
    return int(counts.get(_subtest_key(report), 0))


def set_failed_subtests(config: pytest.Config, report: pytest.TestReport, count: int) -> None:
    """Make *count* the number of the test's failed subtests; a passed test fails by it."""
    if _subtests is not None and count:
        counts: Any = config.stash[_subtests.failed_subtests_key]
        counts[_subtest_key(report)] = count


def share_id(report: pytest.TestReport, item: pytest.Item) -> None:
    """Give the report the node id of its item, as it would have here: pytest 9.2 takes texts apart."""
    if "_id" in vars(report):
        vars(report)["_id"] = item.id  # type: ignore[attr-defined,unused-ignore]


def mend_subtest(report: pytest.TestReport, data: dict[str, Any]) -> None:
    """Undo that the parameters of a rebuilt subtest report, texts already, were made texts again."""
    if _subtests is not None and isinstance(report, _subtests.SubtestReport):
        kwargs, text = data["_subtest.context"]["kwargs"], data["_subtest.context"]["msg"]
        if not isinstance(kwargs, dict) or not isinstance(text, str | None):
            raise TypeError(
                "a subtest whose parameters are no dictionary, or whose message is no text"
            )
        object.__setattr__(report.context, "kwargs", kwargs)


class OpaqueRepr(TerminalRepr):
    """A failure that is a text; *message*, if given, stands in the short summary.

    *printed* is what it looks like with colours.
    """

    def __init__(self, text: str, message: str = "", printed: str = "") -> None:
        self._text = text
        self._printed = printed
        if message:
            self.reprcrash = ReprFileLocation("", 0, message)

    def __str__(self) -> str:
        return self._text

    def toterminal(self, tw: TerminalWriter) -> None:
        """Print the text."""
        if self._printed and tw.hasmarkup:
            tw.write(self._printed)
        else:
            tw.line(self._text)
