"""Collecting the test files, and finding the item that the host means."""

from __future__ import annotations

import os
from typing import Any

import cloudpickle
import pytest

from ..pytest_private import fixture_info, identity, rename, share_initial_paths
from ..wire.functions import fingerprint, ship_parameters


class Collection:
    """The items collected so far, by node id and path; *start* says what the host has collected."""

    def __init__(self, session: pytest.Session, start: dict[str, Any]) -> None:
        self._session = session
        self._collected: list[tuple[str, str]] = start["collected"]
        self._initial_paths: list[str] = start["initial_paths"]
        self._renamed: dict[str, str] = start["renamed"]
        self._items: dict[tuple[str, str], pytest.Item] = {}
        self._paths: set[str] = set()
        self._collectors: dict[tuple[str, str, str], pytest.Collector] = {}
        self._problems: list[str] = []
        #: The function that was looked at last, which its other parameters have, too, and its fingerprint.
        self._fingerprinted: tuple[object, str | None] = (None, None)

    def collect(self, paths: list[str]) -> None:
        """Collect the files *paths*, in this order, unless they have been collected."""
        new = [path for path in paths if path not in self._paths]
        self._paths.update(new)
        if not new:
            return
        try:
            items = self._session.perform_collect([self._argument(p) for p in new], genitems=True)
        except pytest.UsageError as error:
            self._problems += [str(arg) for arg in error.args]
            items = []
        for item in items:
            self._reuse_collectors(item)
            self._take_name(item)
            self._items.setdefault(identity(item), item)
        # What fixtures can see of a session is the host's.
        self._session.items = [self._items[one] for one in self._collected if one in self._items]
        self._session.testscollected = len(self._collected)

    def _argument(self, path: str) -> str:
        # In an argument, "[" begins a parameter's id; a relative path may do without the directory it is in.
        if "[" not in path:
            return path
        return os.path.relpath(path, self._session.config.invocation_params.dir)

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Let node ids be relative to what was named to the host, before there are any nodes."""
        if collector is self._session and self._initial_paths:
            share_initial_paths(self._session, self._initial_paths)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be collected."""
        if report.failed:
            self._problems.append(report.longreprtext)

    def known(self, wanted: tuple[str, str] | None) -> pytest.Item | None:
        """Return the item of that node id and path, if it was collected."""
        return None if wanted is None else self._items.get(wanted)

    def find(self, order: dict[str, Any]) -> pytest.Item | str:
        """Return the item that *order* names, or a sentence that says why there is none.

        The host decides what runs: if our own item has another function than the host's, or if there is
        none, the item is made from the function that was shipped.
        """
        nodeid = order["nodeid"]
        self.collect([order["path"]])
        own = self._items.get((nodeid, order["path"]))
        if own is not None and order["fingerprint"] in (None, self._fingerprint_of(own)):
            _give_parameters(own, order["parameters"])
            return own
        if order["function"] is None:
            return self._missing(nodeid, f"and it cannot be shipped: {order['function_problem']}")
        made = self._from_shipped(order)
        if isinstance(made, pytest.Item):
            self._take_name(made)
            self._items[nodeid, order["path"]] = made
        return made

    def _take_name(self, item: pytest.Item) -> None:
        # What gave it another on the host may not be at work in here: xdist's worker is the host.
        name = self._renamed.get(item.nodeid)
        if name is not None:
            rename(item, name)

    def _fingerprint_of(self, item: pytest.Item) -> str | None:
        function = getattr(item, "obj", None)
        function = getattr(function, "__func__", function)
        if self._fingerprinted[0] is not function:
            self._fingerprinted = (function, fingerprint(function))
        return self._fingerprinted[1]

    def _reuse_collectors(self, item: pytest.Item) -> None:
        # Every perform_collect makes nodes of its own for the directories on the way; pytest's set-up
        # state knows nodes by identity, so those that we have seen before take their place.
        node: Any = item
        while node.parent is not None:
            parent = node.parent
            key = (type(parent).__name__, *identity(parent))
            known = self._collectors.setdefault(key, parent)
            if known is not parent:
                node.parent = known
                return
            node = parent

    def _from_shipped(self, order: dict[str, Any]) -> pytest.Item | str:
        parent = self._parent_of(order)
        if parent is None:
            return self._missing(order["nodeid"], "nor anything that it could be part of")
        function = cloudpickle.loads(order["function"])
        parameters = order["parameters"]
        callspec = None if parameters is None else cloudpickle.loads(parameters)
        made: dict[str, Any] = {"callspec": callspec, "originalname": order["originalname"]}
        if isinstance(parent, pytest.Class):
            setattr(parent.obj, order["originalname"], function)
        else:
            made["callobj"] = function
        sibling = self._sibling_of(order)
        if sibling is not None:
            # What pytest worked out for the parameters of the same function under other ids.
            made["fixtureinfo"] = fixture_info(sibling)
        return pytest.Function.from_parent(parent, name=order["name"], **made)

    def _missing(self, nodeid: str, reason: str) -> str:
        problems = "".join(f"\n{problem}" for problem in self._problems)
        return f"the sandbox collected no item {nodeid!r}, {reason}{problems}"

    def _sibling_of(self, order: dict[str, Any]) -> Any:
        for item in self._items.values():
            if (
                isinstance(item, pytest.Function)
                and item.parent is not None
                and item.originalname == order["originalname"]
                and [type(item.parent).__name__, *identity(item.parent)] == list(order["chain"][-2])
            ):
                return item
        return None

    def _parent_of(self, order: dict[str, Any]) -> Any:
        wanted = order["chain"][-2]
        for key, collector in self._collectors.items():
            if list(key) == list(wanted):
                return collector
        return None


def _give_parameters(item: Any, shipped: bytes | None) -> None:
    """Give *item* the host's parameters, where they are not the same.

    They can differ under the same id, by the order of a set, say. Where they do not, the item keeps its own,
    which are the very objects that the test's module knows.
    """
    if shipped is not None and ship_parameters(item) != shipped:
        item.callspec = cloudpickle.loads(shipped)
