"""Fixtures of wider scopes are set up once, outside of the tests' own sandboxes, and seen in all of them."""

from __future__ import annotations

import pytest

from .project import Project


def traced(project: Project, *args: str) -> str:
    """Run the project's tests and return the letters that they appended to the file `trace`."""
    trace = project.path.parent / f"{project.path.name}-trace"
    trace.mkdir()
    (project.path / "trace.py").write_text(
        f"def trace(text):\n    with open({str(trace / 'trace')!r}, 'a') as file:\n        file.write(text)\n"
    )
    ini = f"[pytest]\nnsisolate_writable = {trace}\npythonpath = .\n"
    (project.path / "pytest.ini").write_text(ini)
    result = project.run(*args)
    assert result.ret == 0, result.stdout.str()
    return (trace / "trace").read_text()


SESSION_MODULE_FUNCTION = """
import pytest
from trace import trace

@pytest.fixture(scope="session")
def session():
    trace("S")
    yield
    trace("s")

@pytest.fixture(scope="module")
def module(session):
    trace("M")
    yield
    trace("m")

@pytest.fixture
def function(module):
    trace("F")
    yield
    trace("f")

@pytest.mark.parametrize("number", [1, 2, 3])
def test_it(function, number):
    pass
"""


def test_set_up_order_is_that_of_a_plain_run(project: Project) -> None:
    """Three tests with session, module and function fixtures trace `SMFfFfFfms`."""
    project.write("test_it.py", SESSION_MODULE_FUNCTION)
    assert traced(project, "--nsisolate-all") == "SMFfFfFfms"


ALL_SCOPES = """
import pytest
from trace import trace

@pytest.fixture(scope="session", autouse=True)
def session():
    trace("S")
    yield
    trace("s")

@pytest.fixture(scope="package")
def package():
    trace("P")
    yield
    trace("p")

@pytest.fixture(scope="module")
def module(package):
    trace("M")
    yield
    trace("m")

@pytest.fixture(scope="class", params=["x", "y"])
def klass(module, request):
    trace("C" + request.param)
    yield request.param
    trace("c" + request.param)
"""

ALL_SCOPES_TESTS = """
from trace import trace

def setup_module():
    trace("<")

def teardown_module():
    trace(">")

class TestOne:
    @classmethod
    def setup_class(cls):
        trace("(")

    @classmethod
    def teardown_class(cls):
        trace(")")

    def setup_method(self):
        trace("[")

    def teardown_method(self):
        trace("]")

    def test_a(self, klass):
        trace("a" + klass)

    def test_b(self, klass):
        trace("b" + klass)

class TestTwo:
    def test_c(self, module):
        trace("c")

def test_d(module):
    trace("d")
"""


def test_every_scope_in_two_packages(project: Project) -> None:
    """Package, class, parametrised and xunit fixtures come and go in a plain run's order."""
    project.write("conftest.py", ALL_SCOPES)
    for package in ("one", "two"):
        project.write(f"{package}/__init__.py", "")
        project.write(f"{package}/test_{package}.py", ALL_SCOPES_TESTS)
    isolated = traced(project, "--nsisolate-all")
    (project.path.parent / f"{project.path.name}-trace" / "trace").unlink()
    (project.path.parent / f"{project.path.name}-trace").rmdir()
    assert isolated == traced(project, "--nsisolate=off")


def test_wide_fixture_requested_inside_a_test(project: Project) -> None:
    """A test that asks for a wider fixture by getfixturevalue sets it up and tears it down itself."""
    project.write("test_it.py", GETFIXTUREVALUE)
    assert traced(project, "--nsisolate-all") == "W1wW1w"


GETFIXTUREVALUE = """
import pytest
from trace import trace

@pytest.fixture(scope="module")
def wide():
    trace("W")
    yield 1
    trace("w")

@pytest.mark.parametrize("number", [1, 2])
def test_it(request, number):
    trace(str(request.getfixturevalue("wide")))
"""


def test_mixed_run(project: Project) -> None:
    """Plain and isolated tests of one class and module share no values, and each kind sets up once."""
    project.write("test_it.py", MIXED)
    assert sorted(traced(project)) == sorted("WWwwabcdKKkk")


MIXED = """
import os, pytest
from trace import trace

@pytest.fixture(scope="module")
def wide():
    trace("W")
    yield []
    trace("w")

@pytest.fixture(scope="class")
def klass():
    trace("K")
    yield []
    trace("k")

class TestMixed:
    def test_a(self, wide, klass):
        assert os.getpid() > 10 and wide == []
        wide.append("a")
        trace("a")

    @pytest.mark.isolated
    def test_b(self, wide, klass):
        assert os.getpid() < 10 and wide == []
        wide.append("b")
        trace("b")

    def test_c(self, wide, klass):
        assert wide == ["a"]
        trace("c")

    @pytest.mark.isolated
    def test_d(self, wide, klass):
        assert wide == []
        trace("d")
"""


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_parametrised_wide_fixture(project: Project, scope: str) -> None:
    """Each parameter of a wide fixture is set up once and torn down before the next."""
    project.write("test_it.py", PARAMETRISED.replace("SCOPE", scope))
    assert traced(project, "--nsisolate-all") == "U1a1b1D1U2a2b2D2"


PARAMETRISED = """
import pytest
from trace import trace

@pytest.fixture(scope="SCOPE", params=[1, 2])
def wide(request):
    trace(f"U{request.param}")
    yield request.param
    trace(f"D{request.param}")

class TestIt:
    def test_a(self, wide):
        trace(f"a{wide}")

    def test_b(self, wide):
        trace(f"b{wide}")
"""


def test_class_scope_without_a_class(project: Project) -> None:
    """A fixture of class scope is set up, and torn down, for each function that is in no class."""
    source = """
        import pytest

        order = []

        @pytest.fixture(scope="class", autouse=True)
        def counted(request):
            order.append("up")
            yield
            order.append("down")
            print("order", order)

        def test_one():
            assert order == ["up"]

        def test_two():
            assert order[-1] == "up"

        class TestClass:
            def test_three(self):
                assert order[-1] == "up"

            def test_four(self):
                assert order[-1] == "up"
        """
    project.test(source, "-rA").assert_outcomes(passed=4)
    result = project.run("--nsisolate-all", "-rA", "-k", "test_one or test_three or test_four")
    # The class's own once, the function's with the function.
    assert result.stdout.str().count("order ['up', 'down']") == 2
