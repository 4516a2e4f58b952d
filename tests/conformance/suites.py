"""The suites by name."""

from __future__ import annotations

from .crun_suite import CrunSuite
from .runc_suite import RuncSuite
from .runtime_tools_suite import RuntimeToolsSuite
from .suite import Suite

SUITES: dict[str, type[Suite]] = {
    suite.name: suite for suite in (CrunSuite, RuncSuite, RuntimeToolsSuite)
}
