"""Tests of every outcome and phase, run plainly and isolated and compared. Add what is to be faithful."""

# mypy: ignore-errors

import logging
import sys
import unittest
import warnings

import pytest


def test_passes():
    print("printed")
    print("printed as an error", file=sys.stderr)
    logging.getLogger("corpus").warning("logged %s", 1)


def test_fails():
    left, right = {"a": [1, 2, 3]}, {"a": [1, 2, 4]}
    assert left == right, "with a message"


def test_skips():
    pytest.skip("imperatively")


def test_importorskip():
    pytest.importorskip("nonexistent_module")


@pytest.mark.skip(reason="by mark")
def test_skipped_by_mark():
    raise AssertionError


@pytest.mark.skipif(sys.platform == "linux", reason="by condition")
def test_skipped_by_condition():
    raise AssertionError


def test_fail_without_trace():
    pytest.fail("shortly", pytrace=False)


def test_of_another_outcome():
    raise ValueError("for the conftest to judge")


def test_property_whose_name_is_no_text(record_property):
    record_property(1, "x")
    record_property(("a", 2), [3])
    record_property(None, None)


@pytest.mark.xfail(reason="expected")
def test_xfails():
    assert 0


@pytest.mark.xfail
def test_xpasses():
    pass


@pytest.mark.xfail(strict=True, reason="strictly")
def test_xpasses_strictly():
    pass


@pytest.mark.xfail(raises=ValueError)
def test_xfail_raises():
    raise ValueError("right")


@pytest.mark.xfail(raises=ValueError)
def test_xfail_raises_other():
    raise TypeError("wrong")


@pytest.mark.xfail(run=False)
def test_xfail_not_run():
    raise SystemError


def test_xfail_imperatively():
    pytest.xfail("imperatively")


def test_system_exit():
    sys.exit(3)


def test_chain():
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError:
        raise RuntimeError("third")


def test_notes():
    error = ValueError("noted")
    error.add_note("a note")
    raise error


def test_group():
    raise ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [TypeError(2)])])


def test_multi_line_source():
    values = [
        1,
        2,
    ]
    assert sum(values) == 4


def test_warns():
    warnings.warn("a warning", DeprecationWarning, stacklevel=1)


@pytest.mark.parametrize("value", [1, "ü", None, b"\xff", 2.5, ("a", 1)])
def test_parameters(value):
    assert value != 1


@pytest.fixture
def fails_in_set_up():
    print("set-up printed")
    raise LookupError("set-up")


@pytest.fixture
def fails_in_teardown():
    yield 5
    print("teardown printed")
    raise LookupError("teardown")


def test_set_up_error(fails_in_set_up):
    pass


def test_teardown_error(fails_in_teardown):
    print("call printed")


def test_both_errors(fails_in_teardown):
    assert fails_in_teardown == 6


def test_properties(record_property, request):
    record_property("number", 5)
    record_property("pair", [1, "two"])
    request.node.add_marker("added_inside")


@pytest.mark.usefixtures("tmp_path")
class TestClass:
    value = 0

    def test_first(self):
        TestClass.value = 1

    def test_skipped(self, request):
        request.applymarker(pytest.mark.xfail(reason="applied"))
        assert 0


class TestCase(unittest.TestCase):
    def setUp(self):
        self.addCleanup(print, "cleaned up")

    def test_equal(self):
        self.assertEqual([1], [2])

    @unittest.skip("by unittest")
    def test_skip(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        self.assertTrue(False)

    @unittest.expectedFailure
    def test_unexpected(self):
        pass


def test_capsys(capsys):
    print("captured")
    assert capsys.readouterr().out == "captured\n"


def test_caplog(caplog):
    caplog.set_level("INFO")
    logging.info("seen")
    assert caplog.messages == ["seen"]
    assert caplog.get_records("setup") == []


def test_recwarn(recwarn):
    warnings.warn("recorded", stacklevel=1)
    assert len(recwarn) == 1


def test_monkeypatch(monkeypatch):
    monkeypatch.setenv("PATCHED", "1")
    monkeypatch.chdir("/")


def test_approx():
    assert 0.1 + 0.2 == pytest.approx(0.4)


def test_raises():
    with pytest.raises(ValueError, match="other"):
        raise ValueError("one")


def test_subtests(subtests):
    for number in range(3):
        with subtests.test(number=number):
            assert number != 1
