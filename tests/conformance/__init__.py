"""External conformance suites, run against any OCI runtime; run.py is the command."""
