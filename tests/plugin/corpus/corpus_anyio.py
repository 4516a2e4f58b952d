"""Asynchronous tests and fixtures, on both of anyio's backends."""

# mypy: ignore-errors

import logging

import anyio
import anyio.to_thread
import pytest

pytestmark = pytest.mark.anyio
log = logging.getLogger("corpus.anyio")


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="module")
async def wide(anyio_backend):
    print("wide up on", anyio_backend)
    async with anyio.create_task_group() as group:
        event = anyio.Event()
        group.start_soon(event.wait)
        yield event
        group.cancel_scope.cancel()
    print("wide down on", anyio_backend)


@pytest.fixture
async def narrow(wide):
    await anyio.sleep(0)
    print("narrow up")
    yield wide
    await anyio.sleep(0)
    print("narrow down")


async def test_passes(narrow, anyio_backend_name):
    assert not narrow.is_set()
    assert await anyio.to_thread.run_sync(lambda: 5) == 5
    with anyio.fail_after(20):
        done = await anyio.run_process(["echo", "from a child"])
    assert done.stdout == b"from a child\n"


async def test_fails(narrow, anyio_backend_name):
    log.warning("on %s", anyio_backend_name)
    await anyio.sleep(0)
    assert anyio_backend_name == "neither"


async def test_fails_in_a_task():
    async def fail():
        await anyio.sleep(0)
        raise LookupError("in a task")

    async with anyio.create_task_group() as group:
        group.start_soon(fail)


@pytest.mark.xfail(reason="too late")
async def test_xfails():
    with anyio.move_on_after(0.01):
        await anyio.sleep_forever()
    assert 0


@pytest.fixture
async def fails_in_teardown():
    yield
    await anyio.sleep(0)
    raise LookupError("in teardown")


async def test_teardown_error(fails_in_teardown):
    print("in the call")


async def test_skips():
    pytest.skip("while a loop runs")


@pytest.fixture
async def fails_in_set_up(wide):
    await anyio.sleep(0)
    raise LookupError("in set-up")


async def test_set_up_error(fails_in_set_up):
    pass


async def test_subprocess_of_two(anyio_backend_name):
    results = []

    async def run(number):
        done = await anyio.run_process(["echo", str(number)])
        results.append(done.stdout)

    async with anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(run, number)
    assert sorted(results) == [b"0\n", b"1\n"]
