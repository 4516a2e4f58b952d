"""Values and side effects of wider fixtures are inherited by every test, through memory."""

from __future__ import annotations

from .project import Project


def test_environment_of_a_session_fixture(project: Project) -> None:
    """What an autouse session fixture sets in os.environ, every test sees, and the host does not."""
    project.write(
        "conftest.py",
        """
        import os, pytest

        @pytest.fixture(scope="session", autouse=True)
        def settings():
            os.environ["NSISOLATE_TEST_SETTINGS"] = "mine"
            yield
            assert os.environ.pop("NSISOLATE_TEST_SETTINGS") == "mine"
        """,
    )
    project.test(
        """
        import os, subprocess

        def test_first():
            assert os.environ["NSISOLATE_TEST_SETTINGS"] == "mine"
            os.environ["NSISOLATE_TEST_SETTINGS"] = "changed"

        def test_second():
            assert subprocess.check_output(["sh", "-c", "printf $NSISOLATE_TEST_SETTINGS"]) == b"mine"
        """
    ).assert_outcomes(passed=2)


def test_values_that_cannot_be_pickled(project: Project) -> None:
    """Locks, generators, sockets, open files and local classes are fine as values of wide fixtures."""
    project.test(
        """
        import pytest, socket, threading

        @pytest.fixture(scope="session")
        def awkward(tmp_path_factory):
            class Local:
                pass
            left, right = socket.socketpair()
            with open(tmp_path_factory.mktemp("d") / "file", "w+") as file, left, right:
                file.write("content")
                file.flush()
                yield threading.Lock(), (n for n in range(3)), left, right, file, Local(), lambda: 42

        @pytest.mark.parametrize("number", [1, 2])
        def test_awkward(awkward, number):
            lock, generator, left, right, file, local, function = awkward
            assert not lock.locked()
            lock.acquire()
            assert next(generator) == 0
            left.send(b"x")
            assert right.recv(1) == b"x"
            file.seek(0)
            assert file.read() == "content"
            assert type(local).__name__ == "Local"
            assert function() == 42
        """
    ).assert_outcomes(passed=2)


def test_files_of_a_session_fixture(project: Project) -> None:
    """Tests see what a wide fixture wrote to /tmp, the project and $HOME; their changes are their own."""
    project.test(
        """
        import os, pathlib, pytest, tempfile

        @pytest.fixture(scope="session")
        def places():
            made = pathlib.Path(tempfile.mkdtemp())
            found = [made, pathlib.Path.cwd() / "made-by-fixture", pathlib.Path.home() / "settings"]
            for place in found:
                place.mkdir(exist_ok=True)
                (place / "file").write_text("from the fixture")
            yield found
            for place in found:
                assert (place / "file").read_text() == "from the fixture"
                assert not (place / "other").exists()

        @pytest.mark.parametrize("number", [1, 2])
        def test_places(places, number):
            for place in places:
                assert sorted(os.listdir(place)) == ["file"]
                assert (place / "file").read_text() == "from the fixture"
                (place / "file").write_text("from the test")
                (place / "other").touch()
                assert (place / "file").read_text() == "from the test"
        """
    ).assert_outcomes(passed=2)
    assert not (project.path / "made-by-fixture").exists()
    assert list(project.home.iterdir()) == []


def test_indirect_and_overridden_fixtures(project: Project) -> None:
    """Indirect parameters, a class's own fixture of the same name, and dynamic scopes are as ever."""
    project.write(
        "conftest.py",
        "import pytest\n@pytest.fixture(scope='session')\ndef base(): return 'wide'\n",
    )
    project.test(
        """
        import pytest

        @pytest.fixture(scope="module")
        def doubled(request):
            return request.param * 2

        @pytest.mark.parametrize("doubled", [1, 2], indirect=True)
        def test_indirect(doubled):
            assert doubled in (2, 4)

        @pytest.fixture(scope=lambda fixture_name, config: "session")
        def dynamic():
            return object()

        class TestOverridden:
            @pytest.fixture
            def base(self, base):
                return base + " narrowed"

            def test_base(self, base, dynamic):
                assert base == "wide narrowed"
        """
    ).assert_outcomes(passed=3)


def test_threads_of_a_session_fixture_stay_behind(project: Project) -> None:
    """A server thread in a wide fixture serves the tests, which reach it over the network."""
    project.test(
        """
        import pytest, socket, threading

        @pytest.fixture(scope="session")
        def address():
            listener = socket.create_server(("127.0.0.1", 0))

            def serve():
                while True:
                    connection, _ = listener.accept()
                    connection.sendall(b"hello")
                    connection.close()

            threading.Thread(target=serve, daemon=True).start()
            return listener.getsockname()

        @pytest.mark.parametrize("number", [1, 2])
        def test_server(address, number):
            with socket.create_connection(address, timeout=10) as connection:
                assert connection.recv(10) == b"hello"
        """
    ).assert_outcomes(passed=2)


def test_patched_system_functions(project: Project) -> None:
    """A wide fixture may patch what cloning and reporting need themselves, as pyfakefs does."""
    project.test(
        """
        import builtins, os, select, socket, sys, time, types
        from unittest import mock

        import pytest

        def fake(*args, **kwargs):
            raise AssertionError("the fake was called")

        @pytest.fixture(scope="module", autouse=True)
        def patched():
            fakes = mock.create_autospec(os)
            fakes.configure_mock(fork=fake, setsid=fake, close=fake, open=fake)
            with (
                mock.patch.multiple(os, fork=fake, setsid=fake),
                mock.patch.object(builtins, "open", fake),
                mock.patch.object(socket, "socket", fake),
                mock.patch.object(time, "monotonic", fake),
            ):
                ours = [m for n, m in sys.modules.items() if n.startswith("pytest_nsisolate.")]
                with_os = [m for m in ours if getattr(m, "os", None) is os]
                for module in with_os:
                    module.os = fakes
                yield
                for module in with_os:
                    module.os = os

        @pytest.mark.parametrize("number", [1, 2])
        def test_it(number):
            assert os.fork is fake and open is fake and socket.socket is fake
            print("printed")

        def test_failing():
            assert os.fork is None
        """
    ).assert_outcomes(passed=2, failed=1)
