"""network=, root=, rootfs=, writable= and env=, and the directories that both sides share."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.capabilities import has_program, need

from .project import Project


def test_no_network(project: Project) -> None:
    """network="none" has only lo, which is up; every port is free, and tests do not share it."""
    project.test_marked(
        """
        import pytest, socket

        @pytest.mark.isolated(network="none")
        @pytest.mark.parametrize("number", [1, 2])
        def test_port_80(number):
            assert [name for _number, name in socket.if_nameindex()] == ["lo"]
            with socket.create_server(("127.0.0.1", 80)) as server:
                with socket.create_connection(("localhost", 80), timeout=5):
                    server.accept()[0].close()
            with pytest.raises(OSError):
                socket.create_connection(("192.0.2.1", 80), timeout=5)
        """
    ).assert_outcomes(passed=2)


def test_root_installs(project: Project) -> None:
    """root=True is uid 0 and can install into /usr/local, /etc, /opt and /var; nothing of it stays."""
    name = f"nsisolate-{os.getpid()}"
    places = ["/usr/local/bin", "/usr/local/share", "/etc", "/var/lib", "/srv", "/root"]
    project.test_marked(
        f"""
        import os, pathlib, pytest, subprocess

        @pytest.mark.isolated(root=True)
        @pytest.mark.parametrize("number", [1, 2])
        def test_install(number):
            assert os.getuid() == os.geteuid() == 0
            for place in {places}:
                path = pathlib.Path(place) / "{name}"
                assert not path.exists()
                path.write_text("#!/bin/sh\\necho installed\\n")
                path.chmod(0o755)
            assert subprocess.check_output(["{name}"], text=True) == "installed\\n"
            pathlib.Path("/etc/passwd").write_text("root:x:0:0::/root:/bin/sh\\n")
            assert subprocess.check_output(["id", "-un"], text=True) == "root\\n"
        """
    ).assert_outcomes(passed=2)
    assert not [place for place in places if os.path.exists(f"{place}/{name}")]


def test_root_mounts(project: Project) -> None:
    """Mounting works inside, for root and for the caller, and is seen by no one else."""
    project.test_marked(
        """
        import os, pytest, subprocess

        @pytest.mark.isolated(root=True)
        @pytest.mark.parametrize("number", [1, 2])
        def test_mount(number):
            assert not os.path.exists("/mnt/file")
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True)
            open("/mnt/file", "w").close()
        """
    ).assert_outcomes(passed=2)
    assert not os.path.exists("/mnt/file")


def test_rootfs(project: Project) -> None:
    """rootfs= is the root: its programs and files, which a test changes for itself only."""
    need(has_program("busybox"), "busybox")
    root = project.home / "rootfs"
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    shutil.copy(shutil.which("busybox") or "", root / "bin" / "busybox")
    (root / "bin" / "sh").symlink_to("busybox")
    (root / "etc" / "mark").write_text("of the rootfs")
    project.test_marked(
        f"""
        import os, pathlib, pytest, subprocess

        @pytest.mark.isolated(rootfs={str(root)!r})
        @pytest.mark.parametrize("number", [1, 2])
        def test_rootfs(number):
            assert pathlib.Path("/etc/mark").read_text() == "of the rootfs"
            pathlib.Path("/etc/mark").write_text("changed")
            assert not os.path.exists("/usr/share/doc")
            assert subprocess.check_output(["/bin/sh", "-c", "echo $0; busybox uname -n"]).split() == [
                b"/bin/sh", b"nsisolate"]
        """
    ).assert_outcomes(passed=2)
    assert (root / "etc" / "mark").read_text() == "of the rootfs"


def test_env(project: Project) -> None:
    """env= is seen by the function and its fixtures and children, and not by the next test."""
    project.test_marked(
        """
        import os, pytest, subprocess

        @pytest.fixture
        def seen():
            return os.environ.get("GIVEN")

        @pytest.mark.isolated(env={"GIVEN": "ü", "EMPTY": ""})
        def test_given(seen):
            assert seen == os.environ["GIVEN"] == "ü"
            assert subprocess.check_output(["sh", "-c", "echo $GIVEN"], text=True) == "ü\\n"
            assert os.environ["EMPTY"] == ""

        @pytest.mark.isolated
        def test_not_given(seen):
            assert seen is None
        """
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("mark", ["isolated", "isolated(root=True)"])
def test_tmp_path(project: Project, mark: str) -> None:
    """tmp_path is the same inside and outside, is kept as pytest keeps it, and belongs to the caller."""
    base = project.home / "base"
    project.write(
        "test_it.py",
        f"""
        import pytest

        @pytest.mark.{mark}
        def test_writes(tmp_path, tmp_path_factory):
            assert str(tmp_path) == {str(base / "test_writes0")!r}
            (tmp_path / "file").write_text("from inside")
            (tmp_path_factory.mktemp("made") / "file").touch()

        def test_reads():
            with open({str(base / "test_writes0" / "file")!r}) as file:
                assert file.read() == "from inside"
        """,
    )
    project.run(f"--basetemp={base}").assert_outcomes(passed=2)
    for path in (base / "test_writes0" / "file", base / "made0" / "file"):
        assert path.stat().st_uid == os.geteuid()
        assert path.stat().st_gid == os.getegid()


def test_tmp_path_retention(project: Project) -> None:
    """tmp_path_retention_policy=failed removes what passed tests leave, and keeps the others'."""
    base = project.home / "base"
    project.write("test_it.py", "def test_a(tmp_path): pass\n\ndef test_b(tmp_path): assert 0\n")
    project.run("--nsisolate-all", f"--basetemp={base}", "-o", "tmp_path_retention_policy=failed")
    assert [path.name for path in base.iterdir() if not path.is_symlink()] == ["test_b0"]


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("raise KeyboardInterrupt", pytest.ExitCode.INTERRUPTED),
        ("pytest.exit('enough')", pytest.ExitCode.INTERRUPTED),
        ("pytest.exit('enough', returncode=7)", 7),
    ],
)
@pytest.mark.parametrize("where", ["test", "fixture", "session"])
def test_stopping_the_run(project: Project, ending: str, code: int, where: str) -> None:
    """KeyboardInterrupt and pytest.exit inside end the run as they do in a plain one."""
    scope = "session" if where == "session" else "function"
    in_fixture, in_test = ("pass", ending) if where == "test" else (ending, "pass")
    project.write(
        "test_it.py",
        f"""
        import pytest

        def test_before():
            pass

        @pytest.fixture(scope="{scope}")
        def fixture():
            {in_fixture}

        def test_stop(fixture):
            {in_test}

        def test_never():
            pass
        """,
    )
    plain, isolated = project.run(), project.run("--nsisolate-all")
    assert isolated.ret == plain.ret == code
    assert isolated.parseoutcomes() == plain.parseoutcomes() == {"passed": 1}


def test_stop_at_first_failure(project: Project) -> None:
    """With -x the run ends after the first failure, a crash included."""
    project.test("import os\ndef test_a(): os.abort()\ndef test_b(): pass\n", "-x").assert_outcomes(
        failed=1
    )
