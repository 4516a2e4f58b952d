"""Fetches the runtime-spec's JSON schema from Debian, for the tests; nothing is installed.

    python tests/runtime_spec/fetch.py [--to DIR] [--release CODENAME]...

Each release (by default sid and the machine's own) is asked for the packages that have the schema in them,
and the newest version is kept: a line says which. What a mirror lacks is said, and the rest goes on. Exit
code 1 if there is none. Standard library only.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.runtime_spec.fetching import main

    sys.exit(main(sys.argv[1:]))
