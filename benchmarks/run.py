"""Measures pytest-nsisolate next to its peers and to the physical limit, and prints a table.

    python benchmarks/run.py [--only NAME ...] [--rounds N] [--json FILE] [--chart FILE] [--from FILE ...]

Each metric is a ratio of two things that were measured alternately in the same run. The first time, virtual
environments with the peers are made below the cache (``--cache DIR``). Needs gcc, and for the command line's
metrics crun, runc and busybox-static; a chart needs the extra ``bench``. The exit code is 0 if every bound
holds, 1 if not, 2 if something could not be measured.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks.main import main

    sys.exit(main(sys.argv[1:]))
