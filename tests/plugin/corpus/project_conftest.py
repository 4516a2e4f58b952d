"""The corpus's own conftest: hooks as users have them."""

# mypy: ignore-errors

import pytest
import yaml


def pytest_addoption(parser):
    parser.addoption("--greeting", default="hello")


@pytest.fixture(autouse=True)
def in_the_namespace(doctest_namespace):
    doctest_namespace["from_the_namespace"] = "set"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    setattr(item, "rep_" + report.when, report)
    report.sections.append(("from a hook", f"{report.when} of {item.name}"))
    report.user_properties.append(("made by", "a hook"))
    report.extras = [*getattr(report, "extras", []), {"name": "more", "content": call.when}]
    report.item = item
    if call.when == "call" and item.name == "test_of_another_outcome":
        report.outcome = "put aside"
    return report


def pytest_runtest_logreport(report):
    if report.failed:
        print(f"a hook has seen {report.nodeid} fail in {report.when}")


def pytest_runtest_logstart(nodeid):
    print("start of", nodeid)


def pytest_runtest_setup(item):
    print("conftest's set-up of", item.name)
    for mark in item.iter_markers("env"):
        pytest.skip(f"needs {mark.args[0]}")


def pytest_runtest_teardown(item, nextitem):
    print("conftest's teardown of", item.name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    print("protocol of", item.name)
    return (yield)


def pytest_exception_interact(node, call, report):
    print("interact", node.name, call.excinfo.typename, call.when)


def pytest_assertrepr_compare(config, op, left, right):
    if left == [1, 2, 3]:
        return ["compared by the conftest", config.getoption("greeting")]
    return None


def pytest_report_teststatus(report, config):
    if report.passed and report.when == "call" and report.nodeid.endswith("test_xunit"):
        return "special", "!", "SPECIAL"
    return None


def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".yaml":
        return YamlFile.from_parent(parent, path=file_path)
    return None


class YamlFile(pytest.File):
    def collect(self):
        for name, spec in sorted(yaml.safe_load(self.path.read_text()).items()):
            yield YamlItem.from_parent(self, name=name, spec=spec)


class YamlItem(pytest.Item):
    def __init__(self, *, spec, **kwargs):
        super().__init__(**kwargs)
        self.spec = spec

    def runtest(self):
        print("running", self.name)
        for name, (one, two, total) in sorted(self.spec.items()):
            if one + two != total:
                raise YamlError(self, name, total)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, YamlError):
            return "\n".join(["yaml failed", f"   {excinfo.value.args[1]}: not {excinfo.value.args[2]}"])
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, f"sums: {self.name}"


class YamlError(Exception):
    pass
