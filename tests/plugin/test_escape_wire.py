"""What a hostile test says to the host's pytest is not executed, not believed of others, and not fatal."""

from __future__ import annotations

import pytest

from .project import Project

#: Speaks to the host in our frames, past everything that would keep it to the rules.
HOSTILE = """
import json, os, pickle, socket, stat
import pytest


class Payload:
    def __reduce__(self):
        return os.system, ("touch MARK",)


def results():
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.stat(int(name)).st_mode):
                return socket.socket(fileno=os.dup(int(name)))
        except OSError:
            pass


def say(kind, payload):
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    results().sendall(bytes((kind,)) + len(payload).to_bytes(4, "big") + payload)


def report(item="test_it.py::test_hostile", **changes):
    data = {"nodeid": item, "location": ["x", 0, "x"], "keywords": {}, "outcome": "passed",
        "longrepr": None, "when": "call", "user_properties": [], "sections": [], "duration": 0.0,
        "start": 0.0, "stop": 0.0, "$report_type": "TestReport"}
    return {"report": {**data, **changes}, "exception": None, "failed_subtests": 0, "terminal": {}}


def failure(**changes):
    entry = {"type": "ReprEntry", "data": {"lines": ["x"], "reprfuncargs": None, "reprlocals": None,
        "reprfileloc": {"path": "p", "lineno": 1, "message": "m"}, "style": "long"}}
    longrepr = {"reprcrash": {"path": "p", "lineno": 1, "message": "m"},
        "reprtraceback": {"reprentries": [entry], "extraline": None, "style": "long"},
        "sections": [], "chain": None}
    return report(outcome="failed", longrepr={**longrepr, **changes})


def warning(**changes):
    error = {"module": "builtins", "name": "UserWarning", "text": "x", "args": ["x"], "attributes": {},
        "notes": [], "traceback": None, "suppress": False}
    return {"text": "x", "message": error, "module": "os", "name": "system", "filename": "SECRET",
        "lineno": 1, "line": "", "source": False, "nodeid": "x", "location": None, **changes}

"""

ATTACKS = {
    "pickle": "say(32, pickle.dumps(Payload()))",
    "pickle in data": "say(32, {'report': list(pickle.dumps(Payload()))})",
    "nothing": "say(32, b'')",
    "kinds": "[say(kind, b'{}') for kind in range(256)]",
    "orders of the host": "say(2, pickle.dumps(Payload()))",
    "another test": "say(32, report('test_it.py::test_other', outcome='failed'))",
    "a method": "say(32, report(longreprtext='x', get_sections='x', _to_json='x'))",
    "a worker": "say(32, report(node='x', worker_id='gw0', item_index=0))",
    "its class": "say(32, report(**{'__class__': 'x', '__dict__': {}}))",
    "huge numbers": "say(32, report(duration=10**400, start=float('inf'), stop=float('nan')))",
    "warnings that are none": "say(32, report(outcome='warnings', longrepr='x'))",
    "failures that are none": "say(33, report(outcome='xfailed', longrepr='x')); "
    "say(33, report(outcome='error', longrepr=None))",
    "an outcome that writes": "say(32, report(outcome='\\x1b]0;title\\x07'))",
    "a long outcome": "say(32, report(outcome='x' * 1000))",
    "an outcome that is no text": "say(32, report(outcome=['passed']))",
    "depth": "say(32, b'[' * 500000 + b']' * 500000)",
    "a skip that is none": "say(32, report(outcome='skipped', longrepr=None))",
    "a skip of numbers": "say(32, report(outcome='skipped', longrepr=[1, 2, 3]))",
    "a crash of numbers": "say(32, failure(reprcrash={'path': 1, 'lineno': 2, 'message': 3}))",
    "lines of numbers": "say(32, failure(reprtraceback={'reprentries': [{'type': 'ReprEntry', 'data': {"
    "'lines': [1, None], 'reprfuncargs': None, 'reprlocals': None, 'reprfileloc': None, 'style': 'long'}}], "
    "'extraline': 5, 'style': 'long'}))",
    "sections of numbers": "say(32, failure(sections=[1, 2]))",
    "a subtest": "say(33, {**report(), 'report': {**report()['report'], '$report_type': 'SubTestReport',"
    " '_subtest.context': {'msg': 5, 'kwargs': [1]}}})",
    "a warning": "say(34, warning(lineno=10**30))",
    "a warning's line": "say(34, warning(line=None))",
    "a stop": "say(35, {'kind': 'x'})",
    "a cache's key": "say(39, {'key': '../../executed', 'value': '1'})",
    "a path as the cache's key": "say(39, {'key': 'MARK', 'value': '1'})",
    "half a frame": "results().sendall(b'\\x20\\x00\\x00')",
    "a long frame": "results().sendall(b'\\x20\\xff\\xff\\xff\\xff' + b'x' * 100000)",
    "descriptors": "[socket.send_fds(results(), [b'\\x00'], [1] * 50) for _ in range(20)]",
    "the end": "say(36, b''); os._exit(0)",
}


@pytest.mark.parametrize("first", range(0, len(ATTACKS), 8))
def test_messages(project: Project, first: int) -> None:
    """Each attack fails its own test at the most; the next one passes, and nothing was executed."""
    mark = project.path / "executed"
    chosen = list(ATTACKS.values())[first : first + 8]
    secret = project.write("secret.txt", "the host's")
    text = HOSTILE.replace("MARK", str(mark)).replace("SECRET", str(secret))
    for number, attack in enumerate(chosen):
        code = attack.replace("MARK", str(mark))
        text += f"""
def test_hostile_{number}():
    global report
    own = report
    def report(item="test_it.py::test_hostile_{number}", **changes):
        return own(item, **changes)
    {code}

def test_after_{number}():
    pass
"""
    project.write("test_it.py", text)
    result = project.run("--nsisolate-all", "-rA", "-v")
    output = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in output
    assert "Traceback (most recent call last)" not in result.stderr.str()
    assert not mark.exists()
    assert "the host's" not in output
    for number in range(len(chosen)):
        assert f"PASSED test_it.py::test_after_{number}" in output, output
    assert "FAILED test_it.py::test_other" not in output


def test_a_debugger_without_a_terminal(project: Project) -> None:
    """A test that says that it is being debugged, where nobody can be, has no more time for that."""
    project.write(
        "test_it.py",
        HOSTILE
        + """
@pytest.mark.isolated(timeout=1)
def test_hostile():
    import time
    say(40, "entered")
    time.sleep(60)
""",
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*timeout: the test ran for more than 1 s*"])


def test_the_shared_files(project: Project) -> None:
    """What a test does to the files that the host reads its output from harms no other report."""
    project.write(
        "test_it.py",
        """
        import fcntl, os

        def test_spoil():
            for fd in map(int, os.listdir("/proc/self/fd")):
                try:
                    if not os.readlink(f"/proc/self/fd/{fd}").endswith("(deleted)"):
                        continue  # not one that the host made for it
                    again = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
                    os.ftruncate(again, 2**40)
                    os.pwrite(again, b"\\x1b]0;title\\x07", 2**39)
                    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_DIRECT)
                    os.fchmod(again, 0)
                except OSError:
                    pass
            os._exit(3)

        def test_next():
            print("output")
        """,
    )
    result = project.run("--nsisolate-all", "-rA")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["output"])
    assert "INTERNALERROR" not in result.stdout.str()


def test_symlinks_in_tmp_path_are_not_followed(project: Project) -> None:
    """What pytest removes later of the directory that it shares is a test's symlink, and not its target."""
    victim = project.path / "victim"
    victim.mkdir()
    (victim / "file").write_text("precious")
    project.write(
        "test_it.py",
        f"""
        import os

        def test_links(tmp_path):
            os.symlink({str(victim)!r}, tmp_path / "link")
            os.symlink({str(victim)!r}, tmp_path.parent / "test_links9")
            os.symlink({str(victim)!r}, tmp_path.parent / "test_linkscurrent2")
            os.mkdir(tmp_path / "closed")
            os.symlink({str(victim / "file")!r}, tmp_path / "closed/link")
            os.chmod(tmp_path / "closed", 0)
        """,
    )
    for _run in range(2):
        result = project.run(
            "--nsisolate-all", f"--basetemp={project.home}/temp", "-o", "tmp_path_retention_count=0"
        )
        result.assert_outcomes(passed=1)
    assert (victim / "file").read_text() == "precious"
