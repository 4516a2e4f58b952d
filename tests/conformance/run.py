"""Runs an external conformance suite against an OCI runtime, ours by default.

    python tests/conformance/run.py crun|runc|runtime-tools [--runtime PATH] [--user [UID]] [--only REGEX]

As root. The suite's source comes from Debian, with what it is built with; nothing of it is in this
repository. Exit code 0 if no test did worse than the list of expected results says, 1 if one did, 2 if
the suite could not be run. docs/conformance.md has the details. Standard library only.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.conformance.main import main

    sys.exit(main(sys.argv[1:]))
