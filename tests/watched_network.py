"""A network on which nothing answers, and which notes whoever knocks."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class WatchedNetwork:
    """Where every request of a process goes that has its environment."""

    port: int
    asked: list[str] = field(default_factory=list)
    """The first line of each request."""

    @property
    def environment(self) -> dict[str, str]:
        here = f"http://127.0.0.1:{self.port}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        proxies = {name: here for upper in names for name in (upper, upper.lower())}
        return {**proxies, "HF_ENDPOINT": here, "HF_HUB_OFFLINE": "0", "NO_PROXY": "",
                "HF_TOKEN": "hf_secret", "PIP_INDEX_URL": f"{here}/simple"}  # fmt: skip


@contextlib.contextmanager
def watched_network() -> Iterator[WatchedNetwork]:
    """Give a network that lasts as long as the block."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            network.asked.append(self.rfile.readline(500).decode("latin-1").strip())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        network = WatchedNetwork(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield network
        finally:
            server.shutdown()
            thread.join()
