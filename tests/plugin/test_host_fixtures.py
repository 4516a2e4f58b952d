"""Fixtures that are set up once, on the host, for plain and isolated tests alike."""

from __future__ import annotations

from .project import Project

FIXTURE = """
import os, pytest, threading

@pytest.fixture(scope="SCOPE")
def shared():
    return VALUE
"""


def write(project: Project, value: str, scope: str = "session") -> None:
    """Write a project with one host-side fixture."""
    project.write("pytest.ini", "[pytest]\nnsisolate_host_fixtures = shared\n")
    project.write("conftest.py", FIXTURE.replace("SCOPE", scope).replace("VALUE", value))


def test_one_value_for_all(project: Project) -> None:
    """Plain and isolated tests have the value of one set-up, which happened on the host."""
    write(project, "{'pid': os.getpid(), 'secret': os.urandom(8)}")
    project.test_marked(
        """
        import os, pytest

        seen = []

        def test_plain(shared, tmp_path_factory):
            assert shared["pid"] == os.getpid()
            (tmp_path_factory.getbasetemp() / "secret").write_bytes(shared["secret"])

        @pytest.mark.isolated
        @pytest.mark.parametrize("number", [1, 2])
        def test_isolated(shared, tmp_path_factory, number):
            assert shared["pid"] > 10
            assert shared["secret"] == (tmp_path_factory.getbasetemp() / "secret").read_bytes()
            shared["changed"] = number
            assert len(shared) == 3

        def test_plain_again(shared):
            assert "changed" not in shared
        """
    ).assert_outcomes(passed=4)


def test_value_that_cannot_be_pickled(project: Project) -> None:
    """It is an error of the test that names the fixture, the type and the remedy."""
    write(project, "threading.Lock()")
    result = project.test("def test_it(shared):\n    pass\n\ndef test_next():\n    pass\n")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*nsisolate_host_fixtures: the value of 'shared', a lock, cannot be pickled*take it off the list*"
        ]
    )


def test_function_scope_is_refused(project: Project) -> None:
    """A fixture of function scope cannot be shared; the error says what to do."""
    write(project, "1", scope="function")
    result = project.test("def test_it(shared):\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*'shared' is of function scope*"])


def test_failing_host_fixture(project: Project) -> None:
    """Its error is reported at the tests that use it, with its traceback."""
    write(project, "[][1]")
    result = project.test("def test_it(shared):\n    pass\n\ndef test_next():\n    pass\n")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*IndexError: list index out of range*"])


def test_functions_that_only_the_host_has(project: Project) -> None:
    """Closures, generated functions, and parameters with an id of the moment are shipped and run inside."""
    project.test(
        """
        import os, pytest, time

        def make(expected):
            def test_made():
                assert os.getpid() < 10
                assert expected is not None
            return test_made

        test_closure = make(time.time_ns())
        test_other_closure = make("other")
        exec("def test_generated(): import os; assert os.getpid() < 10")

        @pytest.mark.parametrize("value", [time.time_ns(), os.getpid()])
        def test_parameter(value):
            assert value > 10
            assert os.getpid() < 10

        @pytest.mark.parametrize("function", [lambda: 5, make(3)], ids=["lambda", "closure"])
        def test_callable(function):
            assert function() in (5, None)

        test_lambda = lambda: None
        """
    ).assert_outcomes(passed=8)
