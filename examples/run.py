"""Runs the examples: the isolated tests of beacon, then an OCI bundle. ``python examples/run.py``."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import make_bundle

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run both; return 0 if both did what they should."""
    print("== isolated tests: an installer, a daemon, a server on port 80", flush=True)
    tests = [sys.executable, "-m", "pytest", "-p", "nsisolate", "-p", "no:cacheprovider"]
    # What else is installed here has no say in beacon's tests.
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    tested = subprocess.run([*tests, *sys.argv[1:]], cwd=HERE / "beacon", env=alone, check=False)
    print("\n== an OCI bundle", flush=True)
    with tempfile.TemporaryDirectory(prefix="nsisolate-example-") as directory:
        bundle = Path(directory) / "bundle"
        print("rootfs:", make_bundle.make(bundle), flush=True)
        command = [sys.executable, "-m", "pytest_nsisolate", "run", str(bundle)]
        code = subprocess.run(command, check=False).returncode
    print(f"exit code {code}, and config.json's script ends with 7", flush=True)
    return 1 if tested.returncode or code != 7 else 0


if __name__ == "__main__":
    sys.exit(main())
