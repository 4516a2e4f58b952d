"""Runs the tests in virtual machines: Debian 12 and 13, as root and as an ordinary user.

    python tests/machines/run.py [--machine SUITE] [--user USER] [--kvm] [--cache DIR] [-- PYTEST ARG ...]

The first time, as root, it builds the machines' disks below the cache. The tests are those of tests/unit and
tests/oci unless arguments are given. Exit code 0 if all passed, 1 if not, 2 if a machine did not come up.
Standard library only.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.machines.main import main

    sys.exit(main(sys.argv[1:]))
