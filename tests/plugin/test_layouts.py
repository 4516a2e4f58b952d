"""Projects as people lay them out, in directories as people name them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .project import Project

TEST = """
import os, pathlib
import thing

def test_thing():
    assert thing.VALUE == 42
    assert os.getpid() < 10
    assert pathlib.Path(thing.__file__).exists()
"""

WIDE = """
import pytest

@pytest.fixture(scope="session")
def wide():
    return []
"""

ALONE = """
import os

def test_alone(wide):
    wide.append(1)
    assert (wide, os.getpid() < 10) == ([1], True)
"""

SAME = """
import os, pathlib, pytest

@pytest.fixture(scope="module", autouse=True)
def wide():
    print("\\ntold: NAME begins")
    yield "NAME"
    print("\\ntold: NAME ends")

def test_name(wide):
    assert wide == pathlib.Path(__file__).parent.name

def test_isolated(request):
    assert os.getpid() < 10
    assert request.node.path == pathlib.Path(__file__)
    assert [item.path.parent.name for item in request.session.items] == ["a", "a", "b", "b"]
"""


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_src_layout(project: Project, mode: str) -> None:
    """A src layout with pythonpath= works in every import mode, with files of the same name too."""
    project.write("src/thing/__init__.py", "VALUE = 42\n")
    project.write("pytest.ini", "[pytest]\npythonpath = src\n")
    project.write("tests/test_thing.py", TEST)
    if mode == "importlib":
        project.write("tests/sub/test_thing.py", TEST)
    result = project.run("--nsisolate-all", f"--import-mode={mode}")
    result.assert_outcomes(passed=2 if mode == "importlib" else 1)


def test_pth_file(project: Project) -> None:
    """A package that a .pth file brings in from elsewhere (an editable install, say) is there inside."""
    elsewhere = project.home / "elsewhere" / "src"
    (elsewhere / "thing").mkdir(parents=True)
    (elsewhere / "thing" / "__init__.py").write_text("VALUE = 42\n")
    site = project.home / "site"
    site.mkdir()
    (site / "thing.pth").write_text(f"{elsewhere}\n")
    project.write("test_thing.py", TEST)
    boot = f"import site; site.addsitedir({str(site)!r}); import pytest; raise SystemExit(pytest.main())"
    arguments = project.command("--nsisolate-all")[3:]
    result = project.run_program(sys.executable, "-c", boot, *arguments)
    result.assert_outcomes(passed=1)


def test_import_hook_of_an_editable_install(project: Project) -> None:
    """A finder with a mapping, as setuptools installs one, is followed."""
    elsewhere = project.home / "elsewhere" / "thing"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("VALUE = 42\n")
    site = project.home / "site"
    site.mkdir()
    (site / "__editable___thing_finder.py").write_text(
        f"""
import importlib.util, sys
MAPPING = {{"thing": {str(elsewhere)!r}}}

class _EditableFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname in MAPPING:
            return importlib.util.spec_from_file_location(fullname, MAPPING[fullname] + "/__init__.py")

def install():
    sys.meta_path.append(_EditableFinder)
"""
    )
    pth = "import __editable___thing_finder; __editable___thing_finder.install()\n"
    (site / "thing.pth").write_text(pth)
    project.write("conftest.py", f"import site; site.addsitedir({str(site)!r})\n")
    project.write("test_thing.py", TEST)
    project.run("--nsisolate-all").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "name", ["with space", "a,b", "a:b", "päth", "back\\slash", "per%cent", "it's", "=a=b"]
)
def test_names_of_directories(project: Project, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces, commas, colons and letters of all kinds in the project's path are no trouble."""
    directory = project.path / name
    project.write(f"{name}/test_it.py", "def test_it(tmp_path):\n    open('new', 'w').close()\n")
    monkeypatch.chdir(directory)
    result = project.run("--nsisolate-all", f"--rootdir={directory}", "test_it.py")
    result.assert_outcomes(passed=1)
    assert sorted(os.listdir(directory)) == sorted({"test_it.py", *caches(directory)})


def caches(directory: Path) -> list[str]:
    """Return what pytest itself leaves in a project."""
    return [n for n in os.listdir(directory) if n in ("__pycache__", ".pytest_cache")]


def test_arguments_outside_of_rootdir(project: Project) -> None:
    """A directory of tests that is named on the command line is there, wherever it is."""
    other = project.home / "other"
    other.mkdir()
    (other / "test_it.py").write_text("def test_it():\n    pass\n")
    project.write("pytest.ini", "[pytest]\n")
    project.run("--nsisolate-all", f"--rootdir={project.path}", str(other)).assert_outcomes(
        passed=1
    )


ELSEWHERE = "--rootdir={home}"


@pytest.mark.parametrize(
    "args",
    [
        ("-c", "../ci/pytest.ini", "tests"),
        ("-c", "../ci/pytest.ini"),
        ("-c", "../ci/pytest.ini", "-n2", "-pxdist.plugin", "tests"),
        (ELSEWHERE, "tests"),
        (ELSEWHERE,),
        (ELSEWHERE, "-n2", "-pxdist.plugin"),
    ],
)
def test_rootdir_elsewhere(
    project: Project, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests can be in no directory below rootdir, wherever pytest's settings are."""
    if "-n2" in args:
        pytest.importorskip("xdist")
    project.write("ci/pytest.ini", "[pytest]\n")
    project.write("proj/tests/conftest.py", WIDE)
    for name in ("test_a.py", "sub/test_b.py", "sub/test_c.py"):
        project.write(f"proj/tests/{name}", ALONE)
    monkeypatch.chdir(project.path / "proj")
    given = [arg.format(home=project.home) for arg in args]
    project.run("--nsisolate-all", *given).assert_outcomes(passed=3)


def test_settings_in_one_of_two_directories(project: Project) -> None:
    """Where only one of two arguments is in rootdir, the tests of both are isolated."""
    project.write("proj/pytest.ini", "[pytest]\n")
    for name in ("proj/tests/sub/test_a.py", "q/tests/test_b.py", "q/tests/sub/test_c.py"):
        project.write(name, "import os\ndef test_it():\n    assert os.getpid() < 10\n")
    result = project.run("--nsisolate-all", "proj/tests/sub", "q/tests")
    result.assert_outcomes(passed=3)


def test_same_node_ids_outside_of_rootdir(project: Project) -> None:
    """Two directories outside of rootdir can have tests of the same node ids, and fixtures of their own."""
    project.write("ci/pytest.ini", "[pytest]\naddopts = --import-mode=importlib\n")
    for name in ("a", "b"):
        project.write(f"{name}/__init__.py", "")
        project.write(f"{name}/test_it.py", SAME.replace("NAME", name))
    result = project.run("--nsisolate-all", "-s", "-c", "ci/pytest.ini", "a", "b")
    result.assert_outcomes(passed=4)
    told = [line for line in result.outlines if "told:" in line]
    assert [line.partition("told: ")[2].rstrip(".") for line in told] == [
        "a begins",
        "a ends",
        "b begins",
        "b ends",
    ]


def test_started_in_a_subdirectory(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory is the one that pytest was started in."""
    project.write("pytest.ini", "[pytest]\n")
    project.write(
        "sub/dir/test_it.py", "import os\ndef test_it():\n    assert os.getcwd().endswith('dir')\n"
    )
    monkeypatch.chdir(project.path / "sub" / "dir")
    project.run("--nsisolate-all").assert_outcomes(passed=1)


def test_symbolic_link_to_the_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that is reached by a link works."""
    project.write("real/test_it.py", "def test_it():\n    pass\n")
    (project.path / "link").symlink_to("real")
    monkeypatch.chdir(project.path / "link")
    project.run("--nsisolate-all").assert_outcomes(passed=1)


def test_project_is_home(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in $HOME itself is there, and so are its tests."""
    monkeypatch.setenv("HOME", str(project.path))
    project.test("def test_it():\n    open('new', 'w').close()\n").assert_outcomes(passed=1)
    assert not (project.path / "new").exists()
