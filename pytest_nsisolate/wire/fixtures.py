"""What host and template both have to know of pytest's fixtures."""

from __future__ import annotations

from typing import Any

import pytest
from _pytest.scope import Scope


def is_wider(item: pytest.Item, request: Any, name: str) -> bool:
    """Tell whether the item's fixture *name* has a wider scope than function."""
    definitions = request._arg2fixturedefs.get(name)
    if not definitions:
        return False
    callspec: Any = getattr(item, "callspec", None)
    scope: Scope = definitions[-1]._scope
    if callspec is not None and name in getattr(callspec, "_arg2scope", {}):
        scope = callspec._arg2scope[name]
    return scope > Scope.Function
