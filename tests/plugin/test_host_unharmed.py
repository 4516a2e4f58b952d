"""Whatever an isolated test destroys, the host keeps."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.capabilities import is_root

from .project import Project


def test_project_can_be_removed(project: Project) -> None:
    """A test that deletes the whole project changes its own copy only, and the next test has it back."""
    project.write("data/deep/file.txt", "precious")
    result = project.test(
        """
        import os, pathlib, shutil

        def test_destroy():
            for entry in pathlib.Path.cwd().iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            assert os.listdir() == []

        def test_after():
            assert pathlib.Path("data/deep/file.txt").read_text() == "precious"
        """
    )
    result.assert_outcomes(passed=2)
    assert (project.path / "data/deep/file.txt").read_text() == "precious"
    assert (project.path / "test_it.py").exists()


def test_project_can_be_changed(project: Project) -> None:
    """New, changed and renamed files of the project are a test's own."""
    project.write("kept.txt", "before")
    project.write("renamed/file.txt", "")
    project.test(
        """
        import os, pathlib

        def test_change():
            pathlib.Path("kept.txt").write_text("after")
            pathlib.Path("new.txt").write_text("new")
            os.rename("renamed/file.txt", "renamed/other.txt")
            os.chmod("kept.txt", 0o600)
            assert sorted(p.name for p in pathlib.Path("renamed").iterdir()) == ["other.txt"]
        """
    ).assert_outcomes(passed=1)
    assert (project.path / "kept.txt").read_text() == "before"
    assert not (project.path / "new.txt").exists()
    assert (project.path / "renamed/file.txt").exists()


@pytest.mark.parametrize("mark", ["isolated", "isolated(root=True)"])
def test_system_cannot_be_harmed(project: Project, mark: str) -> None:
    """Deleting what is installed fails or changes the test's own copy, never the host's files.

    Only files of its own choice are tried: if this is ever broken, the machine survives the test.
    """
    victims = ["/usr/share/doc/base-files/README", "/usr/share/common-licenses/BSD", sys.executable]
    victims = [path for path in victims if os.path.exists(path)]
    contents = [Path(path).read_bytes() for path in victims]
    project.test_marked(
        f"""
        import os, pathlib, pytest

        @pytest.mark.{mark}
        def test_destroy():
            for path in {victims}:
                try:
                    os.unlink(path)
                except OSError:
                    pass
                try:
                    pathlib.Path(path).write_text("overwritten")
                except OSError:
                    pass
        """
    ).assert_outcomes(passed=1)
    assert [Path(path).read_bytes() for path in victims] == contents


def test_rm_rf_of_everything(project: Project, tmp_path: Path) -> None:
    """`rm -rf` of project, home and `/usr` as the sandbox's root ends without a trace on the host."""
    (project.home / "letters").mkdir()
    (project.home / "letters" / "one.txt").write_text("dear")
    project.write("source.py", "")
    witness = tmp_path / "witness"
    witness.write_text("outside")
    result = project.test_marked(
        f"""
        import os, pathlib, subprocess, pytest

        @pytest.mark.isolated(root=True)
        def test_destroy():
            # Harmless even without a sandbox: nothing is deleted unless we are in one.
            assert os.getpid() < 10 and open("/etc/hostname").read() == "nsisolate\\n"
            targets = [{str(project.path)!r}, os.environ["HOME"], "/usr/share/doc", {str(tmp_path)!r}]
            subprocess.run(["rm", "-rf", *targets], stderr=subprocess.DEVNULL)
            # What belongs to the host's root, an ordinary user's root can delete no more than outside.
            assert os.path.exists("/usr/share/doc") != {is_root()}
            assert not os.path.exists({str(project.path / "source.py")!r})
        """
    )
    result.assert_outcomes(passed=1)
    assert (project.home / "letters" / "one.txt").read_text() == "dear"
    assert (project.path / "source.py").exists()
    assert os.path.isdir("/usr/share/doc")
    assert witness.read_text() == "outside"


def test_home_is_empty_and_its_own(project: Project) -> None:
    """$HOME is an empty directory that can be written to, and the caller's is out of reach."""
    (project.home / ".ssh").mkdir()
    (project.home / ".ssh" / "id").write_text("secret")
    project.test(
        """
        import os, pathlib

        def test_home():
            assert os.listdir(pathlib.Path.home()) == []
            (pathlib.Path.home() / ".config").mkdir()
        """
    ).assert_outcomes(passed=1)
    assert not (project.home / ".config").exists()


def test_other_files_of_the_host_are_not_there(project: Project, tmp_path: Path) -> None:
    """A directory that is neither project, system nor interpreter does not exist inside."""
    secret = tmp_path / "secret"
    secret.write_text("x")
    project.test(
        f"""
        import os

        def test_absent():
            assert not os.path.exists({str(secret)!r})
            for path in ("/boot", "/etc/shadow", "/etc/ssl/private", "/var/log/dpkg.log"):
                assert not os.path.exists(path), path
        """
    ).assert_outcomes(passed=1)


def test_system_is_read_only(project: Project) -> None:
    """/usr and the interpreter's directories cannot be written to, by no one and by no remount."""
    project.test(
        """
        import ctypes, errno, os, sys, pytest

        MS_REMOUNT, MS_BIND = 32, 4096

        @pytest.mark.parametrize("path", ["/usr", "/etc", sys.prefix, "/"])
        def test_read_only(path):
            libc = ctypes.CDLL(None, use_errno=True)
            libc.mount(None, path.encode(), None, MS_REMOUNT | MS_BIND, None)
            with pytest.raises(OSError) as caught:
                open(os.path.join(path, "nsisolate-was-here"), "w")
            assert caught.value.errno in (errno.EROFS, errno.EACCES)
        """
    ).assert_outcomes(passed=4)


def test_permissions_are_as_outside(project: Project) -> None:
    """A file that the caller may not read cannot be read inside either, root excepted."""
    project.write("closed.txt", "x").chmod(0)
    outcome = "assert closed.read_text() == 'x'"
    if not is_root():
        outcome = "with pytest.raises(PermissionError): closed.read_text()"
    project.test(
        f"""
        import pathlib, pytest

        def test_closed():
            closed = pathlib.Path("closed.txt")
            {outcome}
        """
    ).assert_outcomes(passed=1)
