"""pytest-django: its session-wide database is asked for at run time, by fixtures of function scope.

What is first asked for in a test's clone would be set up in each clone anew: here, a database.
"""

from __future__ import annotations

import pytest

#: Fixtures that ask for the database; all others of pytest-django's that need it name one of these.
_ASKING = frozenset(
    "db transactional_db django_db_reset_sequences django_db_serialized_rollback live_server".split()
)


def wide_fixtures(item: pytest.Item) -> list[str]:
    """Return the names of fixtures of wider scopes that *item* will ask for."""
    manager = item.config.pluginmanager
    if not (manager.has_plugin("django") or manager.has_plugin("pytest_django.plugin")):
        return []
    asks = _ASKING.intersection(getattr(item, "fixturenames", ()))
    return ["django_db_setup"] if asks or item.get_closest_marker("django_db") else []
