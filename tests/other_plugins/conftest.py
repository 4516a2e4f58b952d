"""What these tests start from: the project of the plugin's tests."""

from __future__ import annotations

from ..plugin.conftest import project

__all__ = ["project"]
