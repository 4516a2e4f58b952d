"""A long session costs no more memory than without isolation: pytest's process, and what tests fork from."""

from __future__ import annotations

from .project import Project

#: Counts what is allocated after the 100th and after the 300th test.
COUNTING = """
import gc, sys

ended = 0

def pytest_runtest_logfinish():
    global ended
    ended += 1
    if ended in (100, 300):
        gc.collect()
        print("\\nblocks:", sys.getallocatedblocks())
"""
TESTS = """
import pytest

@pytest.mark.parametrize("number", range(301))
def test_it(number):
    pass
"""


def growth(project: Project, *args: str) -> float:
    """Return how many blocks of memory a test leaves in pytest's process."""
    result = project.run("-s", "-p", "no:cacheprovider", *args, timeout=200)
    result.assert_outcomes(passed=301)
    before, after = (int(line.split()[-1]) for line in result.outlines if "blocks:" in line)
    return (after - before) / 200


def test_reports_are_all_that_is_kept(project: Project) -> None:
    """What was needed to run a test is forgotten with it."""
    project.write("conftest.py", COUNTING)
    project.write("test_it.py", TESTS)
    plain, isolated = growth(project), growth(project, "--nsisolate-all")
    assert plain > 5
    assert isolated < 1.5 * plain


def test_garbage_in_the_template_is_collected(project: Project) -> None:
    """What a wide fixture, or we, leave in cycles goes as it does in any process."""
    project.write(
        "test_it.py",
        """
        import gc, pytest

        class Cycle:
            def __init__(self):
                self.itself = self

        @pytest.fixture(scope="class")
        def wide():
            for _ in range(50):
                Cycle()

        @pytest.mark.usefixtures("wide")
        class Base:
            def test_it(self):
                pass

        for number in range(200):
            globals()[f"Test{number}"] = type(f"Test{number}", (Base,), {})

        def test_last():
            alive = [type(each).__name__ for each in gc.get_objects()]
            assert alive.count("Cycle") < 3_000
            assert alive.count("ItemRunner") < 60
        """,
    )
    result = project.run("--nsisolate-all", "-p", "no:cacheprovider", timeout=200)
    result.assert_outcomes(passed=201)
