"""The client of the web with which servers are asked: bounded, and kept to where it was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai

from sae_desktop.labels.models.faults import NoAnswerError, TooLargeError

MOST_BYTES = 32 * 2**20
"""Of what comes back to one request: far more than an answer in small pieces."""


class _Bounded(openai.DefaultAsyncHttpxClient):
    """Reads no more of a response than an answer can be long."""

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        response: Any = await super().send(request, stream=True, **options)
        response.aiter_raw = _bounded(response.aiter_raw)
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise NoAnswerError("it is compressed, which was not asked for")
            if not stream:
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response


def _bounded(read: Any) -> Any:
    async def pieces(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        size = 0
        async for piece in read(chunk_size):
            size += len(piece)
            if size > MOST_BYTES:
                raise TooLargeError
            yield piece

    return pieces


def bounded_client(*, here: bool, timeout: Any) -> openai.DefaultAsyncHttpxClient:
    """Return a client that follows no redirection, since that could lead off this machine or take
    the key elsewhere, and that goes `here` past every proxy."""
    direct: dict[str, Any] = {"http://": None, "https://": None, "all://": None}
    return _Bounded(follow_redirects=False, timeout=timeout, mounts=direct if here else None)
