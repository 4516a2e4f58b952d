"""A plugin that tries a test again while its report is being made, as pytest-retry does."""

from __future__ import annotations

from .project import Project

#: All of it that matters: it logs the first report under an outcome of its own, and the phase has another.
RETRY = """
    import pytest
    from _pytest.logging import caplog_records_key

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        if call.when == "call" and call.excinfo is not None:
            nobody = pytest.Class.from_parent(item.session, name="Nobody")
            teardown = pytest.CallInfo.from_call(
                lambda: item.ihook.pytest_runtest_teardown(item=item, nextitem=nobody), when="teardown"
            )
            if teardown.excinfo is None:
                report.outcome = "retried"
                item.ihook.pytest_runtest_logreport(report=report)
                again(item, report)
            else:
                item.stash[caplog_records_key] = {}  # the teardown that is still to come needs it
        return report

    def again(item, report):
        item._initrequest()
        pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_setup(item=item), when="setup")
        call = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), when="call")
        retried = pytest.TestReport.from_item_and_call(item, call)
        report.outcome, report.longrepr = retried.outcome, retried.longrepr

    def pytest_report_teststatus(report):
        if report.outcome == "retried":
            return "retried", "R", ("RETRY", {"yellow": True})
"""

TESTS = """
    attempts = []

    def test_second_time():
        attempts.append(1)
        assert len(attempts) == 2

    def test_never():
        assert 0

    def test_first_time():
        pass
"""


def test_retried(project: Project) -> None:
    """What is logged meanwhile is not the phase's report, and has an outcome that pytest has not."""
    project.write("retry.py", RETRY)
    project.write("test_it.py", TESTS)
    for isolated in ((), ("--nsisolate-all",)):
        result = project.run("-p", "retry", "-v", *isolated)
        result.stdout.fnmatch_lines(
            [
                "*::test_second_time RETRY*",
                "*::test_second_time PASSED*",
                "*::test_never RETRY*",
                "*::test_never FAILED*",
                "*::test_first_time PASSED*",
                "*1 failed, 2 passed, 2 retried*",
            ]
        )
        assert "Nobody" not in result.stdout.str()
