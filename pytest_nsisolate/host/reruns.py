"""pytest-rerunfailures: what it does to an item between two attempts has to be done in the template.

Its hook of the teardown, in which it keeps wider scopes set up for the next attempt, is not run for isolated
items: that phase is in the sandbox.
"""

from __future__ import annotations

from typing import Any

import pytest


def is_rerun(item: pytest.Item) -> bool:
    """Tell whether this is another attempt than the first."""
    count = getattr(item, "execution_count", 1)
    return _plugin(item) is not None and isinstance(count, int) and count > 1


def is_to_be_rerun(item: pytest.Item) -> bool:
    """Tell, before its teardown, whether the item gets another attempt."""
    plugin = _plugin(item)
    count = getattr(item, "execution_count", None)
    if plugin is None or count is None:
        return False
    reruns = plugin.get_reruns_count(item)
    if reruns is None or count > reruns:
        return False
    failed, terminal, expected = (
        any(getattr(item, name, {}).values())
        for name in ("_test_failed_statuses", "_terminal_errors", "_test_xfailed")
    )
    return failed and not terminal and not expected


def _plugin(item: pytest.Item) -> Any:
    plugin = item.config.pluginmanager.get_plugin("rerunfailures")
    return plugin if hasattr(plugin, "get_reruns_count") else None
