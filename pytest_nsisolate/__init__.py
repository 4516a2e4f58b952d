"""Run pytest tests, and OCI bundles, in fresh Linux namespaces."""

__version__ = "0.1.0"
