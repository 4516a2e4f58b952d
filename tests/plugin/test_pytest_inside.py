"""pytest's own testing tools work in an isolated test."""

from __future__ import annotations

import pytest

from .project import Project


@pytest.mark.parametrize("how", ["inprocess", "subprocess"])
def test_pytester(project: Project, how: str) -> None:
    """A test may run pytest, in its process or in another, and look at what comes of it."""
    project.write("conftest.py", 'pytest_plugins = ["pytester"]')
    result = project.test(
        f"""
        import pytest

        def test_outer(pytester):
            pytester.makepyfile(
                '''
                import pytest

                @pytest.fixture(scope="session")
                def wide(tmp_path_factory):
                    yield 5
                    print("torn down")

                def test_passes(wide, capsys):
                    print("captured")
                    assert capsys.readouterr().out == "captured\\\\n"

                def test_fails(wide):
                    assert wide == 6
                '''
            )
            result = pytester.runpytest_{how}("-p", "no:cacheprovider")
            result.assert_outcomes(passed=1, failed=1)
            result.stdout.fnmatch_lines(["*assert 5 == 6"])
            assert result.ret == pytest.ExitCode.TESTS_FAILED

        def test_again(pytester):
            assert not list(pytester.path.iterdir())
        """
    )
    result.assert_outcomes(passed=2)
