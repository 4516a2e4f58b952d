"""Running one item: its wider scopes here, the rest in a clone."""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import cloudpickle
import pytest

from .. import adapters
from ..pytest_private import (
    TEST_OUTCOME,
    arm_faulthandler,
    counted_as_set_up,
    disarm_faulthandler,
    fixture_definition,
    fixture_value,
    forget_failed_fixtures,
    forget_log_records,
    forget_stray_exceptions,
    install_fixture_value,
    renew,
    setup_state,
    wider_fixtures,
)
from .capture import SharedCapture
from .clone import Clone, Cloned, CloneFailed, Cloner
from .reporting import Reporter
from .wide_teardown import Chain


class ItemRunner:
    """Runs the protocol of one item up to the boundary of function scope, and there clones."""

    def __init__(
        self,
        item: pytest.Item,
        order: dict[str, Any],
        cloner: Cloner,
        reporter: Reporter,
        capture: SharedCapture,
        results: socket.socket | None,
    ) -> None:
        self._item = item
        self._order = order
        self._cloner = cloner
        self._reporter = reporter
        self._capture = capture
        self._results = results
        self._state = setup_state(item.session)
        self._protocol: Any = None
        self.in_clone: list[Callable[[pytest.Item], None]] = []

    def run(self) -> Clone | dict[str, Any]:
        """Run the item; return its clone, or how it ended without one. In the clone this does not return.

        An item that does not come as far as its set-up (a skip mark, say) needs no clone: what it reports is
        reported from here.
        """
        renew(self._item, self._order["sections"])
        if self._order["rerun"]:
            forget_failed_fixtures(self._item)
        self._cloner.follow(self._order)
        self._reporter.report_to(self._results)
        self._state.setup = self._set_up_and_clone
        self._state.teardown_exact = lambda _nextitem: None
        try:
            _inner_protocol(self._item)(item=self._item, nextitem=None)
            if not self._cloner.is_clone:
                self._reporter.done()
        except Cloned as cloned:
            # We are the template: the clone is at work, or has even ended.
            return cloned.clone
        except CloneFailed as error:
            return {"status": 0, "problem": str(error)}
        except BaseException as error:
            if self._cloner.is_clone:
                self._leave_clone(error)
            self._reporter.stop(error)
        finally:
            if not self._cloner.is_clone:
                self._forget()
        if self._cloner.is_clone:
            self._leave_clone(None)
        return {"status": 0}

    def get_ready(self) -> None:
        """In a clone that was made ahead: do what needs no order yet."""
        _set_up_wider_fixtures(self._item, self._order["fixtures"])
        self._leave_template()
        self._protocol = _inner_protocol(self._item)

    def run_in_clone(self, order: dict[str, Any], results: socket.socket) -> NoReturn:
        """Run the item in a clone that was made ahead, as the *order* says."""
        self._order, self._results = order, results
        try:
            renew(self._item, order["sections"])
            self._cloner.follow(order)
            self._cloner.settle(order, results)
            self._capture.start()
            self._reporter.report_to(results)
            self._begin_as_clone()
            self._protocol(item=self._item, nextitem=None)
        except BaseException as error:
            self._leave_clone(error)
        self._leave_clone(None)

    def _forget(self) -> None:
        self._reporter.report_to(None)
        del self._state.setup, self._state.teardown_exact
        # Popped, not torn down: what there is to tear down of it is in the clone.
        self._state.stack.pop(self._item, None)
        forget_log_records(self._item)
        self._close_results()

    def _close_results(self) -> None:
        if self._results is not None:
            self._results.close()

    def _set_up_and_clone(self, item: pytest.Item) -> None:
        """Stand in for ``SetupState.setup``: what it does up to the item happens in the template.

        An error in there is kept by pytest where it belongs, and raised again in the clone, which
        reports it.
        """
        set_up = type(self._state).setup
        try:
            set_up(self._state, item.parent)
            _set_up_wider_fixtures(item, self._order["fixtures"])
        except TEST_OUTCOME:
            pass
        disarm_faulthandler()
        before = time.perf_counter()
        clone = self._cloner.fork(self._order["doors"], self._results)
        if clone is not None:
            self._close_results()
            self._cloner.announce(clone)
            self._capture.detach()
            # What was recorded so far the clone reports.
            self._reporter.report_to(None)
            forget_stray_exceptions(item.config)
            raise Cloned(clone)
        # From here on we are the clone.
        self._cloner.settle(self._order, self._results)
        del self._state.setup
        self._leave_template()
        self._begin_as_clone()
        self._reporter.deduct(time.perf_counter() - before)
        set_up(self._state, item)

    def _leave_template(self) -> None:
        self._capture.leave_to_clone()
        os.register_at_fork(after_in_child=self._reporter.disown)
        boundary = ScopeBoundary(self._state)
        self._state.teardown_exact = boundary.tear_down

    def _begin_as_clone(self) -> None:
        arm_faulthandler(self._item.config)
        self._reporter.guard()
        for prepare in self.in_clone:
            prepare(self._item)
        self._item.config.option.maxfail = self._order["maxfail"]  # subtests ask whether to go on
        self._item.session.testsfailed = self._order["testsfailed"]

    def _leave_clone(self, error: BaseException | None) -> NoReturn:
        try:
            if isinstance(error, pytest.exit.Exception | KeyboardInterrupt | SystemExit):
                with suppress(BaseException):
                    # As pytest does at the end of a session that was stopped.
                    self._state.teardown_exact(None)
                self._reporter.stop(error)
            elif error is not None:
                traceback.print_exception(error)
                os._exit(70)
            self._reporter.done()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(0)


class ScopeBoundary:
    """In a clone, teardown ends at function scope; the template tears down the rest.

    Fixtures of wider scopes that were set up only in here, by ``getfixturevalue`` in a test, are torn down
    here as well: nobody else knows of them.
    """

    def __init__(self, state: Any) -> None:
        self._state = state
        self._known = {node: len(entry[0]) for node, entry in state.stack.items()}

    def tear_down(self, _nextitem: object) -> None:
        """Stand in for ``SetupState.teardown_exact``."""
        errors: list[BaseException] = []
        try:
            type(self._state).teardown_exact(self._state, Chain(list(self._known)))
        except TEST_OUTCOME as error:
            errors.append(error)
        for node in reversed(list(self._state.stack)):
            finalizers = self._state.stack[node][0]
            while len(finalizers) > self._known.get(node, 0):
                try:
                    finalizers.pop()()
                except TEST_OUTCOME as error:
                    errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("errors during test teardown", errors[::-1])


def _inner_protocol(item: pytest.Item) -> Any:
    """Return the protocol hook without what replaces it: reruns are the host's, each in a new sandbox."""
    manager = item.config.pluginmanager
    caller = item.ihook.pytest_runtest_protocol
    replacing = [
        impl.plugin
        for impl in caller.get_hookimpls()
        if not (impl.hookwrapper or impl.wrapper) and impl.plugin_name != "runner"
    ]
    return manager.subset_hook_caller("pytest_runtest_protocol", remove_plugins=replacing)


def _set_up_wider_fixtures(item: pytest.Item, shipped: dict[str, bytes]) -> None:
    wider = [*wider_fixtures(item), *adapters.wide_fixtures(item)]
    with counted_as_set_up(item):
        for name, pickled in shipped.items():
            _install_once(item, name, pickled)
        for name in wider:
            fixture_value(item, name)


#: By fixture definition, the pickled value that was installed last.
_installed: dict[Any, bytes] = {}


def _install_once(item: pytest.Item, name: str, pickled: bytes) -> None:
    """Install a value that the host shipped, unless it is the one that is there already."""
    definition = fixture_definition(item, name)
    if _installed.get(definition) != pickled:
        _installed[definition] = pickled
        install_fixture_value(item, name, cloudpickle.loads(pickled))
