"""Calling the command line hundreds of times: each call a process, but only one start of the interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

from .bundle import TIMEOUT, Bundle, Finished
from .identity import demotion

#: Reads a list of (text of config.json, arguments) and prints a list of (exit code, output, errors).
#: cli.main ends the process, as the command does; what it imports is there already.
_CALLER = """\
import json, os, sys
from pytest_nsisolate.cli import create, main, run
from pytest_nsisolate.runtime.spec import execution, resources, seccomp
results = []
for text, argv in json.load(sys.stdin):
    with open("config.json", "w") as file:
        file.write(text)
    fds = [os.memfd_create(name) for name in ("out", "err")]
    pid = os.fork()
    if pid == 0:
        os.dup2(fds[0], 1)
        os.dup2(fds[1], 2)
        try:
            main(argv)
        except Exception:
            import traceback
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(99)
    _pid, status = os.waitpid(pid, 0)
    texts = [os.pread(fd, 1 << 20, 0).decode(errors="replace") for fd in fds]
    for fd in fds:
        os.close(fd)
    results.append((os.waitstatus_to_exitcode(status), *texts))
print(json.dumps(results))
"""


def call_many(bundle: Bundle, calls: list[tuple[str, list[str]]]) -> list[Finished]:
    """Call our runtime with each text of config.json and arguments, in the bundle's directory."""
    done = subprocess.run(
        [sys.executable, "-c", _CALLER],
        cwd=bundle.path,
        env=bundle.environment(),
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=12 * TIMEOUT,
        check=False,
        **demotion(bundle.identity),
    )
    assert done.returncode == 0, done.stderr
    return [Finished(*result) for result in json.loads(done.stdout)]
