"""The web page."""

import http.server
import socket

from .settings import Settings


class _Page(http.server.BaseHTTPRequestHandler):
    message = ""

    def do_GET(self) -> None:
        """Say the message, and where we are."""
        body = f"{self.message}: {socket.gethostname()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Keep quiet."""


class _Server(http.server.HTTPServer):
    def server_bind(self) -> None:
        """Bind, without the base class's look-up of our name in the DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = socket.gethostname(), self.socket.getsockname()[1]


def listen(settings: Settings) -> http.server.HTTPServer:
    """Return a server that listens already."""
    page = type("Page", (_Page,), {"message": settings.message})
    return _Server(("127.0.0.1", settings.port), page)
