"""Asynchronous tests and fixtures, of pytest-asyncio and of anyio, whose loops wide scopes share."""

from __future__ import annotations

from .project import Project

ASYNCIO = """
import asyncio, pytest, pytest_asyncio

SCOPES = ("function", "class", "module", "package", "session")

def fixture_of(scope):
    async def fixture():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1], asyncio.get_running_loop()
        server.close()
    return pytest_asyncio.fixture(fixture, scope=scope, loop_scope=scope, name=f"server_{scope}")

async def answer(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()

server_function, server_class, server_module, server_package, server_session = map(fixture_of, SCOPES)

def made_for(scope):
    @pytest.mark.asyncio(loop_scope=scope)
    @pytest.mark.parametrize("number", [1, 2, 3])
    async def test(request, number):
        port, loop = request.node.funcargs[f"server_{scope}"]
        assert asyncio.get_running_loop() is loop
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello %d\\n" % number)
        assert await asyncio.wait_for(reader.readline(), 10) == b"hello %d\\n" % number
        writer.close()
        child = await asyncio.create_subprocess_exec("true")
        assert await child.wait() == 0
        await asyncio.to_thread(lambda: None)
        asyncio.get_running_loop().call_soon_threadsafe(lambda: None)
    return pytest.mark.usefixtures(f"server_{scope}")(test)

test_function, test_class, test_module, test_package, test_session = map(made_for, SCOPES)

@pytest.mark.asyncio
async def test_fails():
    await asyncio.sleep(0)
    assert 0
"""

ANYIO = """
import anyio, pytest

@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="module")
async def wide():
    event = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
        yield event
        group.cancel_scope.cancel()

@pytest.fixture
async def narrow(wide):
    await anyio.sleep(0)
    yield wide
    await anyio.sleep(0)

@pytest.mark.anyio
@pytest.mark.parametrize("number", [1, 2])
async def test_it(narrow, number):
    assert not narrow.is_set()
    narrow.set()
    await anyio.to_thread.run_sync(lambda: None)
    with anyio.fail_after(10):
        await anyio.run_process(["true"])

@pytest.mark.anyio
async def test_fails(wide):
    await anyio.sleep(0)
    assert 0
"""


def test_asyncio_with_loops_of_every_scope(project: Project) -> None:
    """A loop, and a server in it, of a wide scope serve every test's own copy of them."""
    project.write("test_it.py", ASYNCIO)
    options = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
    plain = project.run(*options)
    isolated = project.run("--nsisolate-all", *options)
    plain.assert_outcomes(passed=15, failed=1)
    isolated.assert_outcomes(passed=15, failed=1)


def test_anyio(project: Project) -> None:
    """So with anyio, and what a test does to a wide fixture's event no other test sees."""
    project.write("test_it.py", ANYIO)
    result = project.run("--nsisolate-all", "-p", "anyio.pytest_plugin")
    result.assert_outcomes(passed=2, failed=1)


def test_isolated_loop_of_unittest(project: Project) -> None:
    """IsolatedAsyncioTestCase works as it does plainly; a TestCase's class set-up is shared."""
    project.test(
        """
        import asyncio, unittest

        class TestIt(unittest.IsolatedAsyncioTestCase):
            @classmethod
            def setUpClass(cls):
                cls.shared = []

            async def asyncSetUp(self):
                self.queue = asyncio.Queue()
                await self.queue.put(1)

            async def test_one(self):
                self.shared.append(await self.queue.get())
                assert self.shared == [1]

            async def test_two(self):
                assert self.shared == []
        """
    ).assert_outcomes(passed=2)
