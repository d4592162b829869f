"""Every way in which a server does not answer, in plain words and without the key."""

from __future__ import annotations

import email.utils
import json
import math
import re
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import openai

from sae_desktop.labels.chat import ChatError, ErrorKind
from sae_desktop.labels.models.address import Address

_LONGEST_WORD = 300
"""Characters of what a server says of an error that are shown."""
_TOO_LONG = re.compile(
    r"context.?(length|size|window)|maximum context|available context|n_ctx|too many tokens|"
    r"prompt is too long|input is too long|context_length_exceeded|exceed_context",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(r"model", re.IGNORECASE)
_QUOTA = re.compile(r"insufficient.?(quota|credit|balance|funds)|billing|payment", re.IGNORECASE)
_NOT_CONNECTED = {"ConnectError", "ConnectTimeout"}
"""What the client of the web raises before anything is sent."""
_NOTHING = "Nothing of it was kept."


def is_too_long(status: int, said: str) -> bool:
    """Whether a refusal says that the prompt does not fit the model's window."""
    return status == 413 or _TOO_LONG.search(said) is not None


class TooLargeError(Exception):
    """More bytes came than any answer has."""


class NoAnswerError(Exception):
    """What came back is not an answer; its text says in words what it is instead."""


class CutShortError(Exception):
    """An answer ended before it was whole."""


def explained(error: BaseException, address: Address, model: str, key: str) -> ChatError:
    """Return what happened and the way out. To be raised `from None`: causes may hold the key."""
    if isinstance(error, ChatError):
        return error
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, address, model, key)
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return _timeout(error, address)
    if isinstance(error, openai.APIConnectionError):
        return _no_connection(error, address)
    if isinstance(error, openai.APIError):
        return _said("server", f"{_server(address)} failed while it answered", error, key)
    if isinstance(error, TooLargeError):
        return _malformed(f"{_server(address)} sent more than any answer is long.")
    if isinstance(error, NoAnswerError):
        return _malformed(f"{_server(address)} did not send an answer: {error}.")
    if isinstance(error, CutShortError):
        return _lost(address)
    if isinstance(error, ValueError | TypeError | LookupError | AttributeError):
        return _malformed(f"{_server(address)} sent an answer that cannot be read.")
    return _lost(address)


def what_it_said(error: openai.APIError, key: str) -> str:
    """Return what a server says of an error: one line of bounded length without the key."""
    body: Any = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        found = inner.get("message") if isinstance(inner, dict) else inner
        found = found or body.get("detail") or body.get("message") or body
        text = found if isinstance(found, str) else json.dumps(found, default=str)
    else:
        text = str(body or error.message)
    return short_line(without_key(text, key))


def without_key(text: str, key: str) -> str:
    """Return a text of a server’s with the key taken out."""
    for form in {key, quote(key, safe="")} if key else ():
        text = text.replace(form, "…")
    return text


def short_line(text: str) -> str:
    """Return a stranger’s text as one line that can be shown."""
    plain = "".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST_WORD])
    line = " ".join(plain.split())
    return line if len(line) <= _LONGEST_WORD else f"{line[:_LONGEST_WORD]}…"


def _server(address: Address) -> str:
    return f"The server at {address.url}"


def _of_status(error: openai.APIStatusError, address: Address, model: str, key: str) -> ChatError:
    status, said = error.status_code, what_it_said(error, key)
    code = str(getattr(error, "code", "") or "")
    if 300 <= status < 400:
        return ChatError(
            "no_model",
            f"{_server(address)} sends on to another address, which was not followed.",
            kept=_NOTHING,
            next_step="Enter the address it is really at.",
        )
    if status in (401, 403, 407):  # what it says may repeat a part of the key
        return _wrong_key(address, key)
    if status == 402 or (status in (403, 429) and _QUOTA.search(f"{code} {said}")):
        return _said(
            "quota", f"The account at {address.host} has nothing left to pay with", error, key,
            next_step="Add credit there, or choose another server.",
        )  # fmt: skip
    if status == 404:
        return _not_found(error, address, model, key)
    if status == 429:
        return ChatError(
            "rate",
            f"{_server(address)} takes no more requests for now.",
            next_step="Wait a little, or ask fewer at once.",
            retry_after=_retry_after(error),
        )
    if is_too_long(status, f"{code} {said}"):
        return ChatError(
            "too_long",
            f"The prompt is longer than “{model}” can read: “{said}”",
            next_step="Use fewer or shorter contexts.",
        )
    if status >= 500:
        return _said(
            "server", f"{_server(address)} failed ({status})", error, key,
            next_step="Try again, or look at what the server writes.",
            retry_after=_retry_after(error),
        )  # fmt: skip
    return _said("malformed", f"{_server(address)} refused the request ({status})", error, key)


def _not_found(error: openai.APIError, address: Address, model: str, key: str) -> ChatError:
    said = what_it_said(error, key)
    if _NO_MODEL.search(said):
        return ChatError(
            "no_model",
            f"{_server(address)} has no model “{model}”.",
            next_step="Choose one of the models it lists.",
        )
    return ChatError(
        "no_model",
        f"{_server(address)} has no chat at this address (404).",
        next_step="Most addresses end in /v1: look it up in the server’s own documentation.",
    )


def _wrong_key(address: Address, key: str) -> ChatError:
    if not key:
        return ChatError(
            "key",
            f"{_server(address)} asks for a key.",
            next_step="Enter the key that you have for it.",
        )
    return ChatError(
        "key",
        f"{_server(address)} does not accept the key.",
        kept="The key is in no file of the project and in no log.",
        next_step="Enter it again, or make another one where you have your account.",
    )


def _timeout(error: BaseException, address: Address) -> ChatError:
    if any(type(cause).__name__ in _NOT_CONNECTED for cause in _causes(error)):
        return _unreachable(address, "nothing answers there")
    return ChatError(
        "timeout",
        f"{_server(address)} gave no answer in time.",
        next_step="Try again, allow it more time, or choose a smaller model.",
    )


def _no_connection(error: BaseException, address: Address) -> ChatError:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, TooLargeError | NoAnswerError | CutShortError):
            return explained(cause, address, "", "")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ChatError(
                "certificate",
                f"The certificate of {address.host} cannot be trusted: "
                f"{short_line(cause.verify_message or 'it failed the check')}.",
                kept="Nothing was sent, the key neither.",
                next_step="Check the address. For a server of your own, make its certificate known "
                "to this system, or use http on this machine.",
            )
        if isinstance(cause, ssl.SSLError):
            return _unreachable(address, "it does not speak https, or another version of it")
        if isinstance(cause, ConnectionRefusedError):
            return _unreachable(address, "no program takes connections there")
    if any(type(cause).__name__ in _NOT_CONNECTED for cause in causes):
        return _unreachable(address, "nothing answers there")
    return _lost(address)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if not isinstance(one, openai.APIError):  # these all have “Connection” in their names
            yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def _unreachable(address: Address, why: str) -> ChatError:
    way = "Start the server" if address.here else "Check the address and the connection"
    return ChatError(
        "unreachable",
        f"No server was reached at {address.url}: {why}.",
        next_step=f"{way}, then try again.",
        sent=False,
    )


def _lost(address: Address) -> ChatError:
    return ChatError(
        "unreachable",
        f"The connection to {address.url} was lost before the answer was whole.",
        kept=_NOTHING,
        next_step="Try again.",
    )


def _malformed(what: str) -> ChatError:
    return ChatError(
        "malformed",
        what,
        kept=_NOTHING,
        next_step="Check that the address is that of an OpenAI-compatible server.",
    )


def _said(
    kind: ErrorKind, what: str, error: openai.APIError, key: str, *, next_step: str = "",
    retry_after: float | None = None,
) -> ChatError:  # fmt: skip
    said = what_it_said(error, key)
    sentence = f"{what}: “{said}”" if said else f"{what}."
    return ChatError(kind, sentence, next_step=next_step, retry_after=retry_after)


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Return the seconds to wait that a server states, as a number or as a date."""
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = headers.get(name, "")
        try:
            seconds = float(said) * unit
        except ValueError:
            seconds = _until(said)
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None


def _until(date: str) -> float:
    """Return the seconds until a date of the protocol; NaN where it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(date)
        return moment.timestamp() - time.time()
    except (ValueError, OverflowError, OSError):
        return math.nan
