"""Fixtures that are set up on the host: what a test and its report have of them is that of a plain run."""

# mypy: ignore-errors

import logging
import sys
import warnings

import pytest

log = logging.getLogger("corpus.hosted")


def hosted(scope):
    def fixture(request):
        print(f"hosted {scope} up")
        log.warning("hosted %s up logged", scope)
        warnings.warn(f"hosted {scope} up warned", UserWarning, stacklevel=1)
        yield {"scope": scope, "port": 80}
        print(f"hosted {scope} down")
        print(f"hosted {scope} down, an error", file=sys.stderr)
        log.warning("hosted %s down logged", scope)
        warnings.warn(f"hosted {scope} down warned", UserWarning, stacklevel=1)
    return pytest.fixture(scope=scope, name=f"hosted_{scope}")(fixture)


hosted_class = hosted("class")
hosted_module = hosted("module")
hosted_session = hosted("session")


class TestHosted:
    def test_first(self, hosted_session, hosted_module, hosted_class):
        print("first")
        assert hosted_module == {"scope": "module", "port": 80}
        assert hosted_class == 0

    def test_second(self, hosted_class):
        assert hosted_class == 1

    def test_last(self, hosted_class):
        pass


@pytest.fixture
def on_top(hosted_session):
    print("on top of", hosted_session["scope"])
    return hosted_session["port"]


def test_on_top(on_top):
    assert on_top == 81


@pytest.fixture(scope="module")
def wide_on_top(hosted_module):
    print("wide on top of", hosted_module["scope"])
    return hosted_module["port"]


def test_wide_on_top(wide_on_top):
    assert wide_on_top == 81


@pytest.fixture(scope="module", params=["p1", "p2"])
def hosted_param(request):
    print("hosted", request.param)
    yield request.param
    print("hosted down", request.param)


def test_hosted_param(hosted_param):
    assert hosted_param == "p1"


@pytest.fixture(scope="module")
def hosted_fails():
    print("about to fail")
    raise LookupError("on the host")


def test_hosted_fails(hosted_fails):
    pass


def test_hosted_fails_again(hosted_fails):
    pass


@pytest.fixture(scope="module")
def hosted_skips():
    pytest.skip("on the host")


def test_hosted_skips(hosted_skips):
    pass


@pytest.mark.xfail(reason="fails there")
def test_hosted_xfail(hosted_fails):
    pass


@pytest.fixture(scope="module")
def hosted_fails_later():
    yield 5
    raise LookupError("later, on the host")


def test_hosted_fails_later(hosted_fails_later):
    assert hosted_fails_later == 5


@pytest.mark.skip(reason="not for the host either")
def test_hosted_not_run(hosted_fails):
    pass


@pytest.mark.xfail(run=False, reason="not at all")
def test_hosted_not_run_but_expected(hosted_fails):
    pass


@pytest.mark.xfail(raises=KeyError)
def test_hosted_fails_otherwise(hosted_fails):
    pass


@pytest.fixture(scope="class")
def hosted_fails_down():
    yield
    raise LookupError("when the class is done, on the host")


class TestExpectedDown:
    @pytest.mark.xfail(raises=LookupError, reason="on the host")
    def test_teardown(self, hosted_fails_down):
        print("before")


class TestOtherwiseDown:
    @pytest.mark.xfail(raises=KeyError)
    def test_teardown(self, hosted_fails_down):
        raise KeyError


@pytest.fixture(scope="class")
def wide_uses_hosted(hosted_class):
    yield hosted_class["scope"]
    print("wide down before", hosted_class["scope"])


class TestOrder:
    def test_teardown(self, wide_uses_hosted):
        print("the last of its class")
        assert wide_uses_hosted == "class"


class TestOrderAgain:
    def test_teardown_shown(self, wide_uses_hosted, hosted_class, subtests):
        with subtests.test("a part"):
            assert hosted_class["port"] == 81
        assert 0
