"""Run pytest tests, and OCI bundles, in fresh Linux namespaces.

There are no assertions about tests in here, and in a sandbox this package is imported before pytest is
configured, which pytest would warn of: PYTEST_DONT_REWRITE.
"""

__version__ = "0.1.0"
