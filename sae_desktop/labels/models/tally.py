"""An answer, put together from the pieces in which a server sends it."""

from __future__ import annotations

import json
from typing import Any, Literal

from sae_desktop.labels.chat import Answer, AnsweredToken, Ask, ChatError
from sae_desktop.labels.models.faults import CutShortError, NoAnswerError
from sae_desktop.labels.models.thoughts import answer_begins, split_thoughts

MOST_CHARACTERS = 1_000_000
"""Of an answer with its thoughts: no model says more in good faith."""


class Tally:
    """Takes pieces; nothing in them is trusted to have the type it should."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._refusal: list[str] = []
        self._tokens: list[AnsweredToken] | None = None
        self._length = 0
        self._finish = ""
        self._usage: tuple[int, int] | None = None
        self._model = ""
        self._any = False

    @property
    def full(self) -> bool:
        """Whether it is longer than any answer may be, so that no more is read."""
        return self._length > MOST_CHARACTERS

    def take(self, piece: Any) -> None:
        """Add a piece; of one that is whole, the message."""
        self._model = _text(_of(piece, "model")) or self._model
        usage = _of(piece, "usage")
        counts = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        if any(counts):
            self._usage = counts
        choices = _of(piece, "choices")
        for choice in choices[:1] if isinstance(choices, list) else []:
            self._any = True
            self._finish = _text(_of(choice, "finish_reason")) or self._finish
            self._take_words(_of(choice, "delta") or _of(choice, "message"))
            self._take_tokens(_of(_of(choice, "logprobs"), "content"))

    def _take_words(self, words: Any) -> None:
        for kept, names in (
            (self._text, ("content",)),
            (self._thoughts, ("reasoning_content", "reasoning", "thinking")),
            (self._refusal, ("refusal",)),
        ):
            found = next(filter(None, (_text(_of(words, name)) for name in names)), "")
            kept.append(found)
            self._length += len(found)

    def _take_tokens(self, tokens: Any) -> None:
        if not isinstance(tokens, list):
            return
        self._tokens = self._tokens or []
        for token in tokens:
            logprob = _of(token, "logprob")
            if isinstance(logprob, int | float):
                others = _of(token, "top_logprobs")
                found = [
                    (_text(_of(other, "token")), float(_of(other, "logprob")))
                    for other in (others if isinstance(others, list) else [])
                    if isinstance(_of(other, "logprob"), int | float)
                ]
                ordered = tuple(sorted(found, key=lambda pair: -pair[1]))
                said = AnsweredToken(_text(_of(token, "token")), float(logprob), ordered)
                self._tokens.append(said)

    def answer(self, ask: Ask, model: str, *, held: bool) -> Answer:
        """Return the whole; `held`: the server was given the schema.

        Raises ChatError where the model refused, NoAnswerError where nothing came and
        CutShortError where the end is missing.
        """
        text, thoughts = "".join(self._text), "".join(self._thoughts)
        if not self._any:
            raise NoAnswerError("it ended without one")
        if self._finish == "content_filter" or ("".join(self._refusal) and not text):
            raise ChatError(
                "refused",
                f"“{model}” refused to answer.",
                next_step="Leave the feature out, or choose another model.",
            )
        if not self._finish and not self.full:
            raise CutShortError
        answer, inner = split_thoughts(text)
        prompt_tokens, answer_tokens = self._usage or _estimates(ask, text + thoughts)
        return Answer(
            answer,
            "\n".join(filter(None, (thoughts.strip(), inner))),
            self._model or model,
            prompt_tokens,
            answer_tokens,
            self._ended(),
            self._answered(answer_begins(text)) if ask.logprobs else None,
            structured=held and _is_json(answer),
        )

    def _ended(self) -> Literal["stop", "length", "cut"]:
        if self.full:
            return "cut"
        return "length" if self._finish == "length" else "stop"

    def _answered(self, begin: int) -> tuple[AnsweredToken, ...] | None:
        """Return the tokens of the answer, which begins after so many characters."""
        if self._tokens is None:
            return None
        found, place = [], 0
        for token in self._tokens:
            if place >= begin:
                found.append(token)
            place += len(token.text)
        return tuple(found)


def _estimates(ask: Ask, written: str) -> tuple[int, int]:
    from sae_desktop.labels.token_count import about_tokens, ask_tokens

    return ask_tokens(ask), about_tokens(written)


def _of(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(thing: Any, name: str) -> int:
    value = _of(thing, name)
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
