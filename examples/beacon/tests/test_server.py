"""The page itself. It binds port 80 and renames the machine: no root is needed for that inside."""

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from beacon import server
from beacon.settings import Settings

pytestmark = pytest.mark.isolated(network="none", timeout=30)


@pytest.fixture
def page() -> Iterator[http.client.HTTPConnection]:
    """Connect to a server in this very process."""
    listening = server.listen(Settings(message="hello"))
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", timeout=5)
    yield connection
    connection.close()
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.mark.parametrize("name", ["lighthouse", "pier", "buoy"])
def test_the_page_knows_the_host(page: http.client.HTTPConnection, name: str) -> None:
    """The name is looked up for each request."""
    socket.sethostname(name)
    page.request("GET", "/")
    assert page.getresponse().read().decode() == f"hello: {name}\n"


@pytest.mark.isolated(network="none", hostname="breakwater")
def test_the_mark_can_name_the_host(page: http.client.HTTPConnection) -> None:
    """The nearest mark counts."""
    page.request("GET", "/")
    assert page.getresponse().read() == b"hello: breakwater\n"


def test_there_is_no_way_out() -> None:
    """Without a network a forgotten mock cannot reach anybody."""
    with pytest.raises(OSError, match="unreachable"):
        socket.create_connection(("192.0.2.1", 80), timeout=2)


@pytest.mark.isolated(False)
def test_plain_tests_stay_plain() -> None:
    """A test without isolation runs in pytest's own process, as ever."""
    assert Settings().port == 80
