"""Fixtures: pytest's own, and of every scope, with parameters, output, warnings, logs and errors."""

# mypy: ignore-errors

import logging
import os
import pathlib
import sys
import warnings

import pytest

TRACE = []
log = logging.getLogger("corpus.fixtures")


def noisy(scope):
    def fixture(request):
        print(f"{scope} up")
        log.warning("%s up logged", scope)
        warnings.warn(f"{scope} up warned", UserWarning, stacklevel=1)
        yield scope
        print(f"{scope} down")
        print(f"{scope} down, an error", file=sys.stderr)
        log.warning("%s down logged", scope)
        warnings.warn(f"{scope} down warned", UserWarning, stacklevel=1)
    return pytest.fixture(scope=scope, name=f"noisy_{scope}")(fixture)


noisy_function = noisy("function")
noisy_class = noisy("class")
noisy_module = noisy("module")
noisy_package = noisy("package")
noisy_session = noisy("session")


class TestNoise:
    def test_first(self, noisy_session, noisy_package, noisy_module, noisy_class, noisy_function):
        print("first")
        log.error("first logged")
        assert 0

    def test_second(self, noisy_class, noisy_function):
        assert 0

    def test_last(self, noisy_class):
        log.info("unseen")


class TestDebug:
    def test_levels(self, caplog):
        caplog.set_level(logging.DEBUG, logger="corpus")
        log.debug("shown")
        with caplog.at_level(logging.ERROR, logger="corpus"):
            log.warning("not shown")
        assert caplog.record_tuples == [("corpus.fixtures", logging.DEBUG, "shown")]
        caplog.clear()
        assert not caplog.text

    @pytest.fixture
    def logs_in_set_up(self, caplog):
        log.warning("in set-up")
        yield
        assert [r.message for r in caplog.get_records("call")] == ["in call"]
        log.warning("in teardown")
        assert 0, "shows the sections"

    def test_phases(self, caplog, logs_in_set_up):
        log.warning("in call")
        assert [r.message for r in caplog.get_records("setup")] == ["in set-up"]


@pytest.fixture(scope="session", params=["s1", "s2"])
def param_session(request):
    print("set up", request.param)
    yield request.param
    print("torn down", request.param)


@pytest.fixture(scope="module", params=["m1", "m2"], ids=str.upper)
def param_module(request):
    print("set up", request.param)
    yield request.param
    print("torn down", request.param)


@pytest.fixture(scope="class", params=[1, 2], ids=lambda n: f"c{n}")
def param_class(request):
    yield request.param


@pytest.fixture(params=[None, object])
def param_function(request):
    return request.param


def test_param_session(param_session):
    assert param_session == "s1"


def test_param_module(param_module, param_session):
    assert param_module == "m1"


class TestParamClass:
    def test_one(self, param_class):
        assert param_class == 1

    def test_two(self, param_class, param_function):
        assert param_function is None


@pytest.mark.parametrize("param_module", ["x"], indirect=True)
def test_indirect(param_module):
    assert param_module == "x"


@pytest.fixture(scope=lambda fixture_name, config: "module" if config.getoption("verbose") < 5 else "function")
def dynamic():
    TRACE.append("dynamic")
    return len(TRACE)


def test_dynamic(dynamic):
    assert dynamic == 1


def test_dynamic_again(dynamic):
    assert dynamic == 1


def failing(scope, when):
    def fixture():
        if when == "setup":
            print(f"{scope} fails")
            assert scope == "setup", "in set-up"
        yield
        print(f"{scope} fails to go down")
        assert scope == "teardown", "in teardown"
    return pytest.fixture(scope=scope, name=f"failing_{scope}_{when}")(fixture)


failing_function_setup = failing("function", "setup")
failing_class_setup = failing("class", "setup")
failing_module_setup = failing("module", "setup")
failing_session_setup = failing("session", "setup")
failing_function_teardown = failing("function", "teardown")
failing_class_teardown = failing("class", "teardown")
failing_module_teardown = failing("module", "teardown")
failing_session_teardown = failing("session", "teardown")


def test_failing_function(failing_function_setup):
    pass


@pytest.mark.parametrize("number", [1, 2])
def test_failing_module(failing_module_setup, number):
    pass


@pytest.mark.parametrize("number", [1, 2])
def test_failing_session(failing_session_setup, number):
    pass


class TestFailing:
    def test_setup(self, failing_class_setup):
        pass

    def test_setup_again(self, failing_class_setup, failing_function_setup):
        pass

    def test_teardown(self, failing_class_teardown, failing_function_teardown):
        print("call")

    def test_both(self, failing_module_teardown, failing_class_teardown):
        assert 0


class TestFailingAsExpected:
    @pytest.mark.xfail(reason="of the class's teardown")
    def test_teardown(self, failing_class_teardown):
        pass


class TestFailingOtherwise:
    @pytest.mark.xfail(raises=KeyError, reason="not of the class's teardown")
    def test_teardown(self, failing_class_teardown):
        raise KeyError


@pytest.fixture(scope="class")
def skips_in_teardown():
    yield
    pytest.skip("the class's fixture skips in its teardown")


class TestSkippingInTeardown:
    def test_teardown(self, skips_in_teardown):
        pass


@pytest.fixture(scope="module")
def skips_module():
    pytest.skip("the module's fixture skips")


def test_skipped_by_fixture(skips_module):
    pass


def test_skipped_by_fixture_again(skips_module):
    pass


@pytest.fixture
def xfails():
    pytest.xfail("in a fixture")


def test_xfailed_by_fixture(xfails):
    pass


def test_missing_fixture(there_is_no_such_fixture):
    pass


@pytest.fixture
def recursive(recursive):
    pass


def test_recursive(recursive):
    pass


@pytest.fixture
def yields_twice():
    yield 1
    yield 2


def test_yields_twice(yields_twice):
    pass


@pytest.fixture
def yields_never():
    if TRACE is None:
        yield


def test_yields_never(yields_never):
    pass


@pytest.fixture(scope="module")
def narrow_in_wide(tmp_path):
    pass


def test_scope_mismatch(narrow_in_wide):
    pass


@pytest.fixture
def finalized(request):
    request.addfinalizer(lambda: print("second finalizer"))
    request.addfinalizer(lambda: print("first finalizer"))
    request.node.addfinalizer(lambda: 1 / 0)


def test_finalizers(finalized, request):
    request.addfinalizer(lambda: [][0])


def test_request(request, pytestconfig):
    assert request.config is pytestconfig
    assert request.node.name == "test_request"
    assert request.function.__name__ == "test_request"
    assert request.cls is None
    assert request.module.__name__.endswith("fixtures")
    assert request.path == pathlib.Path(__file__)
    assert request.fixturenames[-1] == "pytestconfig" or request.fixturenames
    assert request.scope == "function"
    assert "request" in request.fixturenames
    assert request.session.testscollected > 80
    assert len(request.session.items) == request.session.testscollected
    assert [item.name for item in request.session.items].count("test_request") == 1
    assert request.session.testsfailed > 5


def test_options(pytestconfig, request):
    assert pytestconfig.rootpath == pathlib.Path(__file__).parent
    assert pytestconfig.invocation_params.dir == pathlib.Path(__file__).parent
    assert sys.argv[1:] == list(pytestconfig.invocation_params.args)


def test_getfixturevalue(request):
    assert request.getfixturevalue("tmp_path").is_dir()
    assert request.getfixturevalue("noisy_function") == "function"
    with pytest.raises(pytest.FixtureLookupError):
        request.getfixturevalue("nothing")


def test_capsys(capsys):
    print("captured")
    print("an error", file=sys.stderr)
    assert capsys.readouterr() == ("captured\n", "an error\n")
    with capsys.disabled():
        pass
    print("left over")
    assert 0


def test_capfd(capfd):
    os.write(1, b"by the descriptor\n")
    os.system("echo by a child >&2")
    assert capfd.readouterr() == ("by the descriptor\n", "by a child\n")


def test_capsysbinary(capsysbinary):
    sys.stdout.buffer.write(b"\xff\xfe")
    assert capsysbinary.readouterr().out == b"\xff\xfe"


def test_capfdbinary(capfdbinary):
    os.write(2, b"\xff\xfe")
    assert capfdbinary.readouterr().err == b"\xff\xfe"


def test_two_captures(capsys, capfd):
    pass


def test_recwarn(recwarn):
    warnings.warn("one", UserWarning, stacklevel=1)
    warnings.warn("two", DeprecationWarning, stacklevel=1)
    assert [str(w.message) for w in recwarn] == ["one", "two"]
    assert recwarn.pop(UserWarning)


def test_local_warning():
    class OwnWarning(UserWarning):
        pass
    warnings.warn(OwnWarning("of an own class"), stacklevel=1)
    warnings.warn_explicit("elsewhere", FutureWarning, "some/file.py", 7)


@pytest.mark.filterwarnings("error:turned into")
def test_warning_into_error():
    warnings.warn("turned into an error", UserWarning, stacklevel=1)


@pytest.mark.filterwarnings("ignore")
def test_warning_ignored():
    warnings.warn("unheard", UserWarning, stacklevel=1)


def test_monkeypatch(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "getcwd", lambda: "/patched")
    monkeypatch.setitem(os.environ, "CORPUS", "1")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with monkeypatch.context() as inner:
        inner.setattr("os.sep", "|")
        assert os.sep == "|"
    assert os.getcwd() == "/patched"


def test_patched_no_more():
    assert os.getcwd() != "/patched"
    assert "CORPUS" not in os.environ


def test_tmp_path(tmp_path, tmp_path_factory, request):
    assert tmp_path.name == "test_tmp_path0"
    (tmp_path / "file").write_text("kept")
    assert tmp_path_factory.mktemp("own").name == "own0"
    assert tmp_path_factory.mktemp("own").name == "own1"
    assert tmp_path.parent == tmp_path_factory.getbasetemp()


def test_tmp_path_of_another(tmp_path_factory):
    assert (tmp_path_factory.getbasetemp() / "test_tmp_path0").is_dir()
    assert tmp_path_factory.mktemp("own").name == "own2"


def test_tmpdir(tmpdir, tmpdir_factory):
    assert tmpdir.join("a").ensure().check()
    assert tmpdir_factory.mktemp("b").check(dir=1)


def test_cache(cache):
    cache.set("corpus/value", {"a": [1]})
    assert cache.get("corpus/value", None) == {"a": [1]}
    (cache.mkdir("corpus") / "file").write_text("kept")


def test_cache_of_another(cache):
    assert cache.get("corpus/value", None) == {"a": [1]}
    assert (cache.mkdir("corpus") / "file").read_text() == "kept"


def test_recorded(record_property, record_xml_attribute, record_testsuite_property):
    record_property("a", 1)
    record_property("b", ["x", {"y": None}])
    record_xml_attribute("assertions", "7")
    record_testsuite_property("suite", "of the corpus")


@pytest.fixture(scope="session")
def records_for_suite(record_testsuite_property):
    record_testsuite_property("suite set-up", 1)
    yield
    record_testsuite_property("suite teardown", 2)


def test_recorded_for_suite(records_for_suite):
    pass


@pytest.fixture
def recorded_in_set_up(record_property):
    record_property("set-up", 1)
    yield
    record_property("teardown", 2)


def test_recorded_in_every_phase(recorded_in_set_up, record_property):
    record_property("call", 3)
    raise ValueError


def test_subtests(subtests):
    print("before")
    for number in range(4):
        with subtests.test("the number", number=number, thing=object):
            print("number", number)
            log.warning("number %d", number)
            if number == 2:
                pytest.skip("two")
            if number == 3:
                pytest.xfail("three")
            assert number
    print("after")


@pytest.fixture(autouse=True, scope="module")
def changes_process():
    os.environ["CORPUS_WIDE"] = "set"
    before = os.getcwd()
    yield
    os.chdir(before)
    del os.environ["CORPUS_WIDE"]


def test_changed_process():
    assert os.environ["CORPUS_WIDE"] == "set"
    assert os.environ["PYTEST_CURRENT_TEST"].endswith("::test_changed_process (call)")


def test_report_section(request):
    request.node.add_report_section("call", "extra", "a section of its own")
    request.node.add_marker(pytest.mark.xfail(reason="marked inside", strict=True))
    request.node.user_properties.append(("by hand", 1))
    assert 0


@pytest.mark.usefixtures("noisy_function", "tmp_path")
def test_use_fixtures():
    assert 0
