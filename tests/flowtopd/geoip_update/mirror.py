"""A mirror on loopback that does what a test says: answers, lies, breaks off, or is slow."""

import contextlib
import hashlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.flowtopd.enrich.geoip.databases import ASN, CITY, COUNTRY, Networks


@dataclass
class Reply:
    """What a path is answered with. `announced`: another length than it has, -1: none; `chunks`: one, and no end;
    `held`: half of it comes before this.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    announced: int | None = None
    chunks: bool = False
    held: threading.Event | None = None


class Mirror:
    """The server: `replies` by path, and the requests that came."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.requests.append((self.path, dict(self.headers)))
                reply = mirror.replies.get(self.path, Reply(b"<html>no such file</html>", 404))
                etag = reply.headers.get("ETag")
                if etag is not None and self.headers.get("If-None-Match") == etag:
                    reply = Reply(status=304)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.chunks:
                    self.send_header("Transfer-Encoding", "chunked")
                elif reply.announced != -1:
                    self.send_header(
                        "Content-Length", str(len(reply.body) if reply.announced is None else reply.announced)
                    )
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    if reply.held is not None:
                        self.wfile.write(reply.body[: len(reply.body) // 2])
                        reply.held.wait(30)
                        self.wfile.write(reply.body[len(reply.body) // 2 :])
                    else:
                        self.wfile.write(b"%x\r\n" % len(reply.body) if reply.chunks else b"")
                        self.wfile.write(reply.body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._server.block_on_close = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, checksums aside."""
        return [path for path, _headers in self.requests if not path.endswith(".sha256")]

    def wrap(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @contextlib.contextmanager
    def serving(self) -> Iterator["Mirror"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            for reply in self.replies.values():
                if reply.held is not None:
                    reply.held.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def checksum(body: bytes) -> Reply:
    """The file beside a good one."""
    return Reply(f"{hashlib.sha256(body).hexdigest()}  some.mmdb\n".encode())


CONTENTS: dict[str, Networks] = {"country": COUNTRY, "city": CITY, "asn": ASN}
