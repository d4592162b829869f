"""The endpoints: models, chats and texts, in the form of OpenAI's, whole or streamed."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import math
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse

from sae_desktop.errors import UserError
from sae_desktop.safety.monitors.config import Hit
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.safety.serving.config import ServedRequest
from sae_desktop.safety.serving.guard import error_body, user_error_body
from sae_desktop.safety.serving.hits_log import HitsLog
from sae_desktop.safety.serving.lab import Lab, Prompt, Writing
from sae_desktop.safety.serving.requests import Asked, ChatAsked, TextAsked
from sae_desktop.safety.serving.turns import Turns

_LOOK_SECONDS = 0.1
"""How often a client that waits for a whole answer is looked for."""
_GONE = 499
"""What is answered to nobody: the client hung up."""
Heard = Callable[[ServedRequest], None]
_log = logging.getLogger(__name__)


class Reply:
    """One answer on its way: pieces of text, as they are written by the other thread."""

    def __init__(
        self, writing: Writing, turns: Turns, hits: HitsLog | None, heard: Heard | None, *,
        chat: bool,
    ) -> None:  # fmt: skip
        self.writing, self._hits, self._heard, self._chat = writing, hits, heard, chat
        self._ended = False
        self._pieces: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def told(piece: str | Exception | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

        self._id = ("chatcmpl-" if chat else "cmpl-") + uuid.uuid4().hex
        self._created = int(time.time())
        turns.take(writing, told)

    async def pieces(self, gone: Callable[[], Any] | None = None) -> AsyncIterator[str]:
        """Yield the text; end it where whoever listens does not any more."""
        try:
            while True:
                try:
                    piece = await asyncio.wait_for(self._pieces.get(), _LOOK_SECONDS)
                except TimeoutError:
                    if gone is not None and await gone():
                        return
                    continue
                if isinstance(piece, Exception):
                    raise piece
                if piece is None:
                    self._ended = True
                    return
                if gone is not None and await gone():
                    return
                yield piece
        finally:
            self.writing.cancelled = True
            found = self.writing.hits()
            if self._hits is not None:
                self._hits.add([hit for _, _, own in found for hit in own])
            if self._heard is not None:
                self._heard(self._told_of(found))

    def _told_of(self, found: list[tuple[Monitor, float, list[Hit]]]) -> ServedRequest:
        return ServedRequest(
            at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            kind="chat" if self._chat else "text", read=len(self.writing.prompt.ids),
            written=len(self.writing.written),
            finish=self.writing.finish if self._ended else "cancelled",
            fired=[monitor.name for monitor, _, own in found if own],
            hits=sum(len(own) for _, _, own in found),
        )  # fmt: skip

    def usage(self) -> dict[str, int]:
        asked, written = len(self.writing.prompt.ids), len(self.writing.written)
        return {
            "prompt_tokens": asked,
            "completion_tokens": written,
            "total_tokens": asked + written,
        }

    def told(self) -> list[dict[str, Any]]:
        """Return what the monitors say, beside what OpenAI's servers answer."""
        return [
            {
                "monitor": monitor.name,
                "score": highest if math.isfinite(highest) else None,
                "threshold": monitor.threshold,
                "fired": bool(own),
            }
            for monitor, highest, own in self.writing.hits()
        ]

    def whole(self, text: str) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.writing.finish}
        if self._chat:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice |= {"text": text, "logprobs": None}
        kind = "chat.completion" if self._chat else "text_completion"
        return self._frame(kind, [choice]) | {"usage": self.usage(), "monitors": self.told()}

    def chunk(self, text: str | None, *, first: bool = False) -> dict[str, Any]:
        """Return a piece of a stream; None: the text has ended."""
        choice: dict[str, Any] = {
            "index": 0, "finish_reason": self.writing.finish if text is None else None,
        }  # fmt: skip
        if not self._chat:
            return self._frame("text_completion", [choice | {"text": text or "", "logprobs": None}])
        delta: dict[str, Any] = {} if text is None else {"content": text}
        if first:
            delta = {"role": "assistant", **delta}
        return self._frame("chat.completion.chunk", [choice | {"delta": delta}])

    def last(self) -> dict[str, Any]:
        """Return the piece of a stream that counts the tokens."""
        kind = "chat.completion.chunk" if self._chat else "text_completion"
        return self._frame(kind, []) | {"usage": self.usage(), "monitors": self.told()}

    def _frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id, "object": kind, "created": self._created,
            "model": self.writing.lab.name, "choices": choices,
        }  # fmt: skip


def make_app(lab: Lab, turns: Turns, hits: HitsLog | None, heard: Heard | None = None) -> FastAPI:
    """Return the application; `Guard` stands before it. `heard` is told of each request."""
    app = FastAPI(title="SAE Desktop", docs_url=None, redoc_url=None, openapi_url=None)
    began = int(time.time())
    listed = {"id": lab.name, "object": "model", "created": began, "owned_by": "sae-desktop"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [listed]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> Any:
        if name != lab.name:
            message = f"There is no model “{name}” here; this server has “{lab.name}”."
            body = error_body(message, "invalid_request_error", "model_not_found")
            return JSONResponse(body, 404)
        return listed

    @app.post("/v1/chat/completions")
    async def chat(asked: ChatAsked, request: Request) -> Response:
        messages = [message.plain() for message in asked.messages]
        prompt = await asyncio.to_thread(lab.chat_prompt, messages)
        return await _answered(asked, prompt, request, chat=True)

    @app.post("/v1/completions")
    async def text(asked: TextAsked, request: Request) -> Response:
        prompt = await asyncio.to_thread(lab.text_prompt, asked.text())
        return await _answered(asked, prompt, request, chat=False)

    async def _answered(asked: Asked, prompt: Prompt, request: Request, *, chat: bool) -> Response:
        writing = lab.write(prompt, asked.sampling(lab.sampling), asked.stops())
        reply = Reply(writing, turns, hits, heard, chat=chat)
        if asked.stream:
            counts = asked.stream_options is not None and asked.stream_options.include_usage
            return StreamingResponse(_events(reply, counts), media_type="text/event-stream")
        text = "".join([piece async for piece in reply.pieces(request.is_disconnected)])
        if await request.is_disconnected():
            return Response(status_code=_GONE)
        return JSONResponse(reply.whole(text))

    @app.exception_handler(UserError)
    async def refused(request: Request, error: UserError) -> JSONResponse:
        return JSONResponse(user_error_body(error), 400)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'][1:])) or 'the request'}: {one['msg']}"
            for one in error.errors()[:5]
        )
        body = error_body(
            f"The request cannot be read: {told}.", "invalid_request_error", "refused"
        )
        return JSONResponse(body, 400)

    return app


async def _events(reply: Reply, counts: bool) -> AsyncIterator[str]:
    try:
        first = True
        async for piece in reply.pieces():
            if piece or first:
                yield _event(reply.chunk(piece, first=first))
                first = False
        yield _event(reply.chunk(None))
        if counts:
            yield _event(reply.last())
    except UserError as error:
        yield _event(user_error_body(error))
    except Exception:  # the answer has begun, so that its status can tell nothing any more
        _log.exception("a reply could not be written")
        message = "The reply could not be written; the server’s log says why."
        yield _event(error_body(message, "server_error", "internal_error"))
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
