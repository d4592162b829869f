"""Who may ask, and how much at once: looked at before a request is read."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from sae_desktop.errors import UserError
from sae_desktop.safety.serving.config import MOST_BYTES

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NO_TOKEN = (
    "The token is missing or wrong. Send the one that “sae-desktop serve” printed when it started, "
    "as the client’s API key."
)
TOO_LARGE = (
    f"The request is larger than {MOST_BYTES // 1_000_000} MB, far more than the model reads. "
    "Shorten the prompt."
)


def error_body(message: str, kind: str, code: str) -> dict[str, Any]:
    """Return an error in the form that OpenAI's clients read."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


_MOST_DRAINED = 2**28
"""Of a request that is too large; who sends more than that is cut off."""


class _TooLargeError(Exception):
    pass


class Guard:
    """Asks for the token, and takes no more of a request than MOST_BYTES."""

    def __init__(self, app: App, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not self._knows(headers.get(b"authorization", b"")):
            body = error_body(NO_TOKEN, "invalid_request_error", "invalid_api_key")
            await _answer(send, 401, body, [(b"www-authenticate", b"Bearer")])
            return
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > MOST_BYTES:
            await _drain(receive)
            await _answer(send, 413, too_large())
            return
        taken, over, more = 0, False, True

        async def counted() -> MutableMapping[str, Any]:
            nonlocal taken, over, more
            message = await receive()
            taken += len(message.get("body", b""))
            more = bool(message.get("more_body", False))
            if taken > MOST_BYTES:
                over = True
                raise _TooLargeError
            return message

        async def watched(message: MutableMapping[str, Any]) -> None:
            if not over:  # what the application says of a request cut off is not the reason
                await send(message)

        with suppress(_TooLargeError):
            await self._app(scope, counted, watched)
        if over:
            if more:  # else nothing comes but the end of the connection
                await _drain(receive)
            await _answer(send, 413, too_large())

    def _knows(self, header: bytes) -> bool:
        kind, _, given = header.partition(b" ")
        return kind.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token)


def too_large() -> dict[str, Any]:
    return error_body(TOO_LARGE, "invalid_request_error", "request_too_large")


def user_error_body(error: UserError) -> dict[str, Any]:
    return error_body(str(error), "invalid_request_error", "refused")


async def _drain(receive: Receive) -> None:
    """Read the rest and keep nothing of it: who still sends would not read the answer."""
    taken = 0
    while taken < _MOST_DRAINED:
        message = await receive()
        taken += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


async def _answer(
    send: Send, status: int, body: dict[str, Any], headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    data = json.dumps(body, ensure_ascii=False).encode()
    told = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(data)).encode()),
        (b"connection", b"close"),
        *(headers or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": data})
