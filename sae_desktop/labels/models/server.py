"""Any server that speaks as OpenAI’s does: llama.cpp, Ollama, LM Studio, vLLM, hosted ones.

The package `openai` makes the requests. It is imported when something is first asked, since that
takes half a second. Questions run in a loop of their own, so that closing ends them at once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from sae_desktop.labels.chat import Answer, Ask, ChatError
from sae_desktop.labels.models.address import Address, refuse_offline
from sae_desktop.labels.models.choice import SECONDS
from sae_desktop.labels.models.dialect import Dialect

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
_CONNECT_SECONDS = 10.0
_LIST_SECONDS = 15.0


class ServerModel:
    """One model of a server. Implements ChatModel."""

    def __init__(
        self,
        address: Address,
        model: str,
        key: str = "",
        *,
        seconds: float = SECONDS,
        retries: int = 0,
    ) -> None:
        """`seconds`: for a whole answer. `retries`: by the library, of what failed before an
        answer began; it waits as Retry-After says. A queue asks again by itself.
        """
        self._address, self._model, self._key = address, model, key
        self._seconds, self._retries = seconds, retries
        self._dialect = Dialect()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: openai.AsyncOpenAI | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return f"{self._model} at {self._address.url}"

    def ask(self, ask: Ask) -> Answer:
        return self._run(self._answer(ask))

    def models(self) -> list[Any]:
        """Return what the server says of its models, one dict each. Raises ChatError."""
        return self._run(self._models())

    def close(self) -> None:
        with self._lock:
            self._closed = True
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns, which runs in the model’s own loop."""
        from sae_desktop.labels.models.faults import explained

        try:
            refuse_offline(self._address)
            future = asyncio.run_coroutine_threadsafe(work, self._running_loop())
        except BaseException:
            work.close()
            raise
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise _closed(self.name) from None
        except Exception as error:
            # Not from the error: its request holds the key.
            raise explained(error, self._address, self._model, self._key) from None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise _closed(self.name)
            if self._loop is None:
                self._client = self._make_client()
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=_serve, args=(self._loop, self._client), name="asks a model", daemon=True
                ).start()
            return self._loop

    def _make_client(self) -> openai.AsyncOpenAI:
        import openai

        from sae_desktop.labels.models.bounded import bounded_client

        timeout = openai.Timeout(self._seconds, connect=min(_CONNECT_SECONDS, self._seconds))
        return openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._address.url,
            timeout=timeout,
            max_retries=self._retries,
            default_headers={"Accept-Encoding": "identity"},
            http_client=bounded_client(here=self._address.here, timeout=timeout),
        )

    @property
    def _headers(self) -> dict[str, Any]:
        """Of each request: what the library would add from the environment is left out."""
        import openai

        others = {"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}
        return others if self._key else others | {"Authorization": openai.omit}

    # ------------------------------------------------------------------ in the loop
    async def _answer(self, ask: Ask) -> Answer:
        import openai

        from sae_desktop.labels.models.faults import what_it_said

        while True:
            dialect = self._dialect
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._asked(ask, dialect)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                said = f"{error.param or ''} {error.code or ''} {what_it_said(error, self._key)}"
                fewer = dialect.without(said, ask)
                if fewer is None or _is_too_long(error, said):
                    raise
                self._dialect = self._dialect.both(fewer)

    async def _asked(self, ask: Ask, dialect: Dialect) -> Answer:
        from sae_desktop.labels.models.faults import NoAnswerError
        from sae_desktop.labels.models.tally import Tally

        assert self._client is not None
        request = dialect.request(ask, self._model)
        tally = Tally()
        stream = await self._client.chat.completions.create(**request, extra_headers=self._headers)
        async with stream:
            kind = stream.response.headers.get("content-type", "")
            if "json" in kind:  # it does not send in pieces
                await stream.response.aread()
                tally.take(stream.response.json())
            elif "html" in kind:
                raise NoAnswerError("it is a web page")
            else:
                async for piece in stream:
                    tally.take(piece)
                    if tally.full:
                        break
        return tally.answer(ask, self._model, held="response_format" in request)

    async def _models(self) -> list[Any]:
        assert self._client is not None
        async with asyncio.timeout(_LIST_SECONDS):
            found = await self._client.models.with_raw_response.list(extra_headers=self._headers)
        listed = found.http_response.json()
        data = listed.get("data") if isinstance(listed, dict) else None
        return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def _is_too_long(error: openai.APIStatusError, said: str) -> bool:
    from sae_desktop.labels.models.faults import is_too_long

    return is_too_long(error.status_code, said)


def _closed(name: str) -> ChatError:
    return ChatError("closed", f"“{name}” was asked no further: it was closed.")


def _serve(loop: asyncio.AbstractEventLoop, client: openai.AsyncOpenAI) -> None:
    """Run a loop until it is stopped, then end what still waits in it."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        waiting = asyncio.all_tasks(loop)
        for task in waiting:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        loop.run_until_complete(client.close())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
