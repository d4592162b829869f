"""A server that speaks as OpenAI’s does, on this machine, and does as a test says."""

from __future__ import annotations

import functools
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Request"], None]


@dataclass
class Request:
    """One request, and what a test may do with it."""

    path: str
    headers: Any
    """Whatever the case of their names."""
    body: dict[str, Any]
    handler: Any = field(repr=False)

    def send(
        self, status: int, body: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        """Answer with a body of known length."""
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def fail(self, status: int, message: str, code: str = "", **headers: str) -> None:
        """Answer with an error as OpenAI’s servers write it."""
        error = {"message": message, "code": code or None, "type": "error", "param": None}
        self.send(status, json.dumps({"error": error}).encode(), **headers)

    def begin(self) -> None:
        """Begin an answer in pieces."""
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", "text/event-stream")
        self.handler.send_header("Connection", "close")
        self.handler.close_connection = True
        self.handler.end_headers()

    def piece(self, **delta: Any) -> None:
        """Send a piece; `finish` and `usage`, `logprobs` beside the words."""
        finish, usage = delta.pop("finish", None), delta.pop("usage", None)
        logprobs = delta.pop("logprobs", None)
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        self.raw({"id": "1", "model": "toy", "choices": [choice], "usage": usage})

    def raw(self, data: object) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        self.handler.wfile.write(f"data: {text}\n\n".encode())
        self.handler.wfile.flush()

    def done(self, prompt_tokens: int = 7, answer_tokens: int = 3, finish: str = "stop") -> None:
        self.piece(finish=finish)
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": answer_tokens}
        self.raw({"id": "1", "model": "toy", "choices": [], "usage": usage})
        self.raw("[DONE]")


def says(*pieces: str) -> Reply:
    """Return what answers with a text in pieces."""

    def reply(request: Request) -> None:
        request.begin()
        for piece in pieces:
            request.piece(content=piece)
        request.done()

    return reply


class ChatServer:
    """Answers as `reply` does; `requests` are all that came, `most_at_once` how many together."""

    def __init__(
        self, reply: Reply, *, models: tuple[dict[str, Any], ...] = (), port: int = 0,
        certificate: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.reply, self.models = reply, list(models or ({"id": "toy"},))
        self.requests: list[Request] = []
        self.asked: list[str] = []
        """Paths of all requests, those for the list of models too."""
        self.most_at_once = self._under_way = 0
        self._lock = threading.Lock()
        server = self

        class Handler(_Handler):
            owner = server

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        self.port = self._server.server_port
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            self.reply(request)
        finally:
            with self._lock:
                self._under_way -= 1


class _Handler(BaseHTTPRequestHandler):
    owner: ChatServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        del format, args

    def do_GET(self) -> None:
        self.owner.asked.append(self.path)
        request = Request(self.path, self.headers, {}, self)
        if self.path == "/v1/models":
            request.send(200, json.dumps({"object": "list", "data": self.owner.models}).encode())
        else:
            request.fail(404, "File Not Found")

    def do_POST(self) -> None:
        self.owner.asked.append(self.path)
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.path, self.headers, json.loads(data or b"{}"), self)
        try:
            if self.path == "/v1/chat/completions":
                self.owner.answer(request)
            else:
                request.fail(404, "File Not Found")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # whoever asked is gone


@functools.cache
def answering_url(text: str = '{"label": "a toy label"}') -> str:
    """Return the address of a server that answers always the same, for as long as the process."""
    return ChatServer(says(text)).url


def slowly(seconds: float, reply: Reply) -> Reply:
    """Return what answers after a while."""

    def wait(request: Request) -> None:
        time.sleep(seconds)
        reply(request)

    return wait
