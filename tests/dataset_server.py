"""A small hub for datasets on this machine, that can be made to fail."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


class DatasetServer:
    """Serves `files` (path → bytes) as the dataset owner/name.

    Files in `broken` are cut in the middle, for the next `failures` requests of one (-1: for
    ever). `gated` refuses all files.
    """

    def __init__(self, files: dict[str, bytes], *, gated: bool = False) -> None:
        self.files, self.gated = files, gated
        self.broken: set[str] = set()
        self.failures = 0
        self.requests: list[str] = []
        server = self

        class Handler(_Handler):
            owner = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: DatasetServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        del format, args

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.owner.requests.append(f"POST {self.path}")
        if "/paths-info/" in self.path:
            wanted = json.loads(data)["paths"] if data[:1] == b"{" else []
            self._json([self._entry(path) for path in wanted if path in self.owner.files])
            return
        self._json({}, 404)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.owner.requests.append(f"{self.command} {self.path} {self.headers.get('Range') or ''}")
        name = "/api/datasets/owner/name"
        if "/resolve/" in path and path.startswith("/datasets/owner/name"):
            self._file(path.split("/resolve/", 1)[1].split("/", 1)[1], body=body)
        elif path.startswith(f"{name}/tree/"):
            rest = path.removeprefix(f"{name}/tree/").split("/", 1)
            self._tree(rest[1] if len(rest) > 1 else "")
        elif path == name or path.startswith(f"{name}/revision/"):
            self._json(
                {
                    "id": "owner/name", "_id": "1", "sha": REVISION, "private": False,
                    "gated": "auto" if self.owner.gated else False, "disabled": False,
                    "downloads": 0, "likes": 0, "tags": [],
                    "siblings": [{"rfilename": file} for file in self.owner.files],
                }
            )  # fmt: skip
        else:
            self._json({"error": "Not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    def _entry(self, path: str) -> dict[str, Any]:
        data = self.owner.files[path]
        return {"type": "file", "oid": f"{len(data):040x}", "size": len(data), "path": path}

    def _tree(self, folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        below = {path: path[len(prefix) :] for path in self.owner.files if path.startswith(prefix)}
        folders = {rest.split("/")[0] for rest in below.values() if "/" in rest}
        found = [self._entry(path) for path, rest in below.items() if "/" not in rest]
        found += [
            {"type": "directory", "oid": "0" * 40, "size": 0, "path": prefix + name}
            for name in sorted(folders)
        ]
        self._json(found)

    def _file(self, path: str, *, body: bool) -> None:
        if self.owner.gated:
            self._json({"error": "gated"}, 403, {"X-Error-Code": "GatedRepo"})
            return
        data = self.owner.files.get(path)
        if data is None:
            self._json({"error": "Not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        first, last = 0, len(data) - 1
        wanted = (self.headers.get("Range") or "").removeprefix("bytes=")
        if wanted:
            begin, _, end = wanted.partition("-")
            first, last = int(begin or 0), min(int(end or last), last)
        part = data[first : last + 1]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{len(data):040x}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.end_headers()
        if not body:
            return
        if path in self.owner.broken and self.owner.failures:
            self.owner.failures -= 1
            self.wfile.write(part[: len(part) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(part)

    def _json(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
