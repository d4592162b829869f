"""A hub on this machine, with what the real one answers and the faults it can have."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

SHA = "5ea5ea5ea5ea5ea5ea5ea5ea5ea5ea5ea5ea5ea5"
_LARGE = 4096


class FakeHub:
    """Serves models from folders; `repos` maps owner/name to one."""

    def __init__(self) -> None:
        self.repos: dict[str, Path] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        """By name: the status, and the hub's word for it."""
        self.cut_after: dict[str, int] = {}
        """By file: the bytes after which the connection breaks, once."""
        self.spoiled: set[str] = set()
        """Files whose content is not the one that is published."""
        self.ranges: list[tuple[str, str]] = []
        """Files asked for from a place on, and that place."""
        self.fetched: list[str] = []
        """Files whose content was sent."""
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def files(self, name: str) -> list[dict[str, Any]]:
        found = []
        for path in sorted(self.repos[name].rglob("*")):
            if not path.is_file():
                continue
            data = path.read_bytes()
            entry: dict[str, Any] = {
                "path": path.relative_to(self.repos[name]).as_posix(),
                "type": "file",
                "size": len(data),
                "oid": hashlib.sha1(data).hexdigest(),
            }
            if len(data) >= _LARGE:
                digest = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
            found.append(entry)
        return found


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        del format, args

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        api = parts[:2] == ["api", "models"]
        name, rest = "/".join(parts[2:4] if api else parts[:2]), parts[4 if api else 2 :]
        if name in self.hub.refusals:
            status, word = self.hub.refusals[name]
            self._send(status, b"{}", {"X-Error-Code": word})
        elif name not in self.hub.repos:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif not api:
            self._file(name, "/".join(rest[2:]), body=body)
        elif rest[:1] == ["tree"]:
            self._send(200, json.dumps(self.hub.files(name)).encode(), {})
        else:
            self._send(200, json.dumps(self._info(name)).encode(), {})

    def _info(self, name: str) -> dict[str, Any]:
        siblings = [
            {"rfilename": f["path"], "size": f["size"], "blobId": f["oid"]}
            | ({"lfs": {**f["lfs"], "sha256": f["lfs"]["oid"]}} if "lfs" in f else {})
            for f in self.hub.files(name)
        ]
        return {"id": name, "modelId": name, "sha": SHA, "siblings": siblings, "tags": []}

    def _file(self, name: str, file: str, *, body: bool) -> None:
        entry = next((f for f in self.hub.files(name) if f["path"] == file), None)
        if entry is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        data = (self.hub.repos[name] / file).read_bytes()
        etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        if "lfs" in entry:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(data))}
        if not body:
            self._send(200, data, headers, body=False)
            return
        self.hub.fetched.append(file)
        if file in self.hub.spoiled:
            data = data[:-1] + bytes([data[-1] ^ 1])
        status, wanted = 200, self.headers.get("Range")
        if wanted:
            begin = wanted.removeprefix("bytes=").removesuffix("-")
            self.hub.ranges.append((file, begin))
            whole, data, status = len(data), data[int(begin) :], 206
            headers["Content-Range"] = f"bytes {begin}-{whole - 1}/{whole}"
        self._send(status, data, headers, cut=self.hub.cut_after.pop(file, None))

    def _send(
        self,
        status: int,
        data: bytes,
        headers: dict[str, str],
        *,
        body: bool = True,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if body and self.command == "GET":
                self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.close_connection = True


@contextlib.contextmanager
def fake_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Run a hub, and have the hub's library ask it and keep its files in `cache`."""
    hub = FakeHub()
    point_at_hub(hub.url, cache, monkeypatch)
    try:
        yield hub
    finally:
        hub.close()


def point_at_hub(url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the hub's library ask the hub at `url` and keep its files in `cache`."""
    from huggingface_hub import constants

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        url + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    # So that a file of a few kB comes in several pieces.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)
