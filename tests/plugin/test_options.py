"""The mark's keywords and the ini file's settings: which count, and how wrong ones are refused."""

from __future__ import annotations

import pytest

from .project import Project

WRONG_KEYWORDS = [
    ('network="bridge"', 'network=\'bridge\' cannot be used; write "host" or "none"'),
    ("network=None", "network=None cannot be used"),
    ('hostname=""', "hostname='' cannot be used; write a name of 1 to 64 bytes"),
    ("hostname='x' * 65", "write a name of 1 to 64 bytes"),
    ("hostname=5", "hostname=5 cannot be used"),
    ("hostname='a\\0b'", "write a name of 1 to 64 bytes"),
    ("hostname='\\ud800'", "write a name of 1 to 64 bytes"),
    ("hostname='\\udc80'", "write a name of 1 to 64 bytes"),
    ("root=1", "root=1 cannot be used; write True or False"),
    (
        'rootfs="/nonexistent"',
        "rootfs='/nonexistent' cannot be used; write the path of a directory",
    ),
    ("rootfs=__file__", "write the path of a directory"),
    ("rootfs='/'", "write a directory that holds another system"),
    ('writable="/tmp"', "writable='/tmp' cannot be used; write a list of paths"),
    ('writable=["/nonexistent"]', "writable='/nonexistent' cannot be used; write paths that exist"),
    ("writable=[1]", "writable=1 cannot be used"),
    ("writable=['/proc/sys']", "the sandbox has a /proc of its own"),
    ("env=['A=b']", "cannot be used; write a dict of strings"),
    ("env={'A': 1}", "cannot be used; write a dict of strings"),
    ("env={'A=B': 'x'}", "cannot be used; write a dict of strings"),
    ("env={'A': 'x\\0y'}", "cannot be used; write a dict of strings"),
    ("env={'A': '\\ud800'}", "cannot be used; write a dict of strings"),
    ("timeout=0", "timeout=0 cannot be used; write a number of seconds above 0"),
    ("timeout='soon'", "timeout='soon' cannot be used"),
    ("timeout=True", "timeout=True cannot be used"),
    ("timeout=float('nan')", "timeout=nan cannot be used"),
    ("timeout=3_000_000", "above 0, and below 2,147,483 (24 days)"),
    ("timeout=10**400", "above 0, and below 2,147,483 (24 days)"),
    (
        "memory=0",
        'memory=0 cannot be used; write a number of bytes above 0, or a text such as "512M"',
    ),
    ("memory='much'", "memory='much' cannot be used"),
    ("memory='1.5.2G'", "memory='1.5.2G' cannot be used"),
    ("memory=1.5", "memory=1.5 cannot be used"),
    ("memory=True", "memory=True cannot be used"),
    ("pids=0", "pids=0 cannot be used; write a number of processes above 0"),
    ("pids='few'", "pids='few' cannot be used"),
    ("pids=-1", "pids=-1 cannot be used"),
    ("cpu=0", "cpu=0 cannot be used; write a number of processors, 0.01 or more"),
    ("cpu=float('inf')", "cpu=inf cannot be used"),
    ("cpu=True", "cpu=True cannot be used"),
    ("netwrok='none'", "there is no keyword 'netwrok', only cpu, env, hostname, memory, network"),
    ("False, netwrok='none'", "there is no keyword 'netwrok'"),
    ("True, True", "takes keywords, or False to opt out"),
    ("'none'", "takes keywords, or False to opt out, and got 'none'"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG_KEYWORDS)
def test_wrong_keyword(project: Project, arguments: str, sentence: str) -> None:
    """A keyword that is unknown or has a wrong value ends the run with 4 and names test, field and remedy."""
    result = project.test_marked(
        f"""
        import pytest

        @pytest.mark.isolated({arguments})
        def test_it():
            pass
        """
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    error = result.stderr.str()
    assert "ERROR: test_it.py::test_it: @pytest.mark.isolated" in error
    assert sentence in error
    assert "Traceback" not in error + result.stdout.str()


WRONG_SETTINGS = [
    ("nsisolate_network = bridge", "nsisolate_network", "host"),
    ("nsisolate_hostname =", "nsisolate_hostname", "write a name of 1 to 64 bytes"),
    ("nsisolate_writable = nonexistent", "nsisolate_writable", "write paths that exist"),
    ("nsisolate_env = NOVALUE", "nsisolate_env", "NAME=value"),
    ("nsisolate_env = =x", "nsisolate_env", "NAME=value"),
    ("nsisolate_timeout = soon", "nsisolate_timeout", "write a number of seconds above 0"),
    ("nsisolate_memory = 1 apple", "nsisolate_memory", "a text such as"),
    ("nsisolate_pids = 1.5", "nsisolate_pids", "write a number of processes above 0"),
    ("nsisolate_cpu = 0.001", "nsisolate_cpu", "write a number of processors"),
    ("nsisolate_timeout = -1", "nsisolate_timeout", "write a number of seconds above 0"),
]


@pytest.mark.parametrize(("line", "field", "remedy"), WRONG_SETTINGS)
def test_wrong_setting(project: Project, line: str, field: str, remedy: str) -> None:
    """A wrong value in the ini file ends the run with 4 and names the setting and the remedy."""
    project.write("pytest.ini", f"[pytest]\n{line}\n")
    result = project.test("def test_it():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    error = result.stderr.str()
    assert field in error
    assert remedy in error
    assert "Traceback" not in error + result.stdout.str()


def test_wrong_truth_value(project: Project) -> None:
    """nsisolate_all is true or false."""
    project.write("pytest.ini", "[pytest]\nnsisolate_all = perhaps\n")
    result = project.test_marked("def test_it():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*nsisolate_all: *'perhaps'*true or false*"])


def test_wrong_mode(project: Project) -> None:
    """--nsisolate takes three words only."""
    result = project.test("def test_it():\n    pass\n", "--nsisolate=maybe")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--nsisolate: invalid choice: 'maybe'*"])


def test_nearest_mark_wins(project: Project) -> None:
    """A mark on a function replaces its class's, that its module's, keywords included."""
    project.test_marked(
        """
        import os, pytest, socket

        pytestmark = pytest.mark.isolated(hostname="module", env={"WHERE": "module"})

        def test_module():
            assert (socket.gethostname(), os.environ["WHERE"]) == ("module", "module")

        @pytest.mark.isolated(hostname="class")
        class TestIt:
            def test_class(self):
                assert socket.gethostname() == "class"
                assert "WHERE" not in os.environ

            @pytest.mark.nsisolated(env={"WHERE": "function"})
            def test_function(self):
                assert (socket.gethostname(), os.environ["WHERE"]) == ("nsisolate", "function")

            @pytest.mark.isolated(False)
            def test_plain(self):
                assert os.getpid() > 10
        """
    ).assert_outcomes(passed=4)


def test_opting_out_of_all(project: Project) -> None:
    """With --nsisolate-all, isolated(False) on a test, a class or a parameter keeps it outside."""
    project.test(
        """
        import os, pytest

        @pytest.mark.isolated(False)
        def test_plain():
            assert os.getpid() > 10

        @pytest.mark.isolated(False)
        class TestPlain:
            def test_plain(self):
                assert os.getpid() > 10

            @pytest.mark.isolated(True)
            def test_isolated(self):
                assert os.getpid() < 10

        @pytest.mark.parametrize("inside", [True, pytest.param(False, marks=pytest.mark.isolated(False))])
        def test_parameter(inside):
            assert (os.getpid() < 10) == inside
        """
    ).assert_outcomes(passed=5)


def test_settings_of_the_ini_file(project: Project) -> None:
    """Every setting counts for all tests, and a mark's keyword replaces or adds to it."""
    shared, other = project.home / "shared", project.home / "other"
    shared.mkdir()
    other.mkdir()
    project.write(
        "pytest.ini",
        f"""
        [pytest]
        nsisolate_all = true
        nsisolate_network = none
        nsisolate_hostname = from-ini
        nsisolate_writable = {shared}
        nsisolate_env =
            A=ini with = sign
            B=ini
        """,
    )
    project.test_marked(
        f"""
        import os, pathlib, pytest, socket

        SHARED, OTHER = pathlib.Path({str(shared)!r}), pathlib.Path({str(other)!r})

        def test_settings():
            assert socket.gethostname() == "from-ini"
            assert (os.environ["A"], os.environ["B"]) == ("ini with = sign", "ini")
            assert [name for _number, name in socket.if_nameindex()] == ["lo"]
            (SHARED / "one").touch()
            assert not OTHER.exists()

        @pytest.mark.isolated(network="host", hostname="mark", env={{"B": "mark"}}, writable=[OTHER])
        def test_mark():
            assert socket.gethostname() == "mark"
            assert (os.environ["A"], os.environ["B"]) == ("ini with = sign", "mark")
            (SHARED / "two").touch()
            (OTHER / "three").touch()
        """
    ).assert_outcomes(passed=2)
    assert sorted(path.name for path in shared.iterdir()) == ["one", "two"]
    assert [path.name for path in other.iterdir()] == ["three"]


def test_header(project: Project) -> None:
    """The header says which mode is on, what is isolated, and in what."""
    for options, line in (
        (
            [],
            "nsisolate: require, marked tests, in user, pid, mount, uts, ipc and cgroup namespaces",
        ),
        (["--nsisolate-all", "--nsisolate=skip"], "nsisolate: skip, all tests, in *"),
        (["--nsisolate-all", "--nsisolate=off"], "nsisolate: off"),
    ):
        project.test_marked("def test_it():\n    pass\n", *options).stdout.fnmatch_lines([line])


def test_marks_are_declared(project: Project) -> None:
    """--strict-markers accepts both marks, and --markers explains them."""
    source = (
        "import pytest\n@pytest.mark.isolated\n@pytest.mark.nsisolated\ndef test_it():\n    pass\n"
    )
    for mode in ("require", "off"):
        project.test_marked(source, "--strict-markers", f"--nsisolate={mode}").assert_outcomes(
            passed=1
        )
    project.run("--markers").stdout.fnmatch_lines(["@pytest.mark.isolated(*opts out*"])


def test_collect_only_builds_nothing(project: Project) -> None:
    """--collect-only lists isolated tests without any sandbox."""
    result = project.test("def test_it():\n    pass\n", "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_it.py::test_it"])
