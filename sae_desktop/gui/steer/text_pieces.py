"""A generated text in pieces: which are of the prompt, and what is told and marked of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.steering.config import OutputToken, VariantResult, WatchedText


@dataclass(frozen=True)
class Piece:
    """One token, or a text whose tokens are not told apart."""

    text: str
    of_prompt: bool = False
    token: OutputToken | None = None
    tip: str = ""
    is_open: bool = False
    """A condition was open on it."""
    is_hit: bool = False
    """A monitor fires on it."""


def pieces_of(result: VariantResult, prompt_tokens: Sequence[str] = ()) -> list[Piece]:
    """Return the pieces of a prompt and what was written after it.

    `prompt_tokens`: of the prompt, where they are known. A character cut into several tokens is
    shown whole, and then without what is told of tokens.
    """
    count = next((watched.prompt for watched in result.watched), len(prompt_tokens))
    prompt = [Piece(result.prompt, of_prompt=True)]
    if prompt_tokens and "".join(prompt_tokens) == result.prompt:
        prompt = [
            Piece(
                text, True, None, _tip(text, number, result.watched, None),
                number in result.prompt_open, _hit(result.watched, number),
            )
            for number, text in enumerate(prompt_tokens)
        ]  # fmt: skip
    if not result.tokens or "".join(token.text for token in result.tokens) != result.text:
        return [*prompt, Piece(result.text)]
    written = [
        Piece(
            token.text, False, token, _tip(token.text, count + number, result.watched, token),
            token.open, _hit(result.watched, count + number),
        )
        for number, token in enumerate(result.tokens)
    ]  # fmt: skip
    return [*prompt, *written]


def token_tip(token: OutputToken) -> str:
    """Return what is told of a token under the pointer."""
    return (
        f"{visible_token(token.text)}\nprobability {math.exp(token.log_probability):.3g}, plain "
        f"{math.exp(token.plain_log_probability):.3g}\nKL here {token.kl:.2f} nats"
    )


def _hit(watched: Sequence[WatchedText], number: int) -> bool:
    return any(number in one.hits for one in watched)


def _tip(text: str, number: int, watched: Sequence[WatchedText], token: OutputToken | None) -> str:
    lines = [token_tip(token)] if token is not None else []
    if watched and not lines:
        lines = [visible_token(text)]
    if token is not None and token.open:
        lines.append("A condition was open here")
    for one in watched:
        if number < len(one.scores):
            fires = ", fires" if number in one.hits else ""
            lines.append(
                f"“{one.monitor}”: {one.scores[number]:.3g}{fires} (threshold {one.threshold:.3g})"
            )
    return "\n".join(lines)
