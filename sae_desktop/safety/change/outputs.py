"""What each checkpoint makes of the same beginnings: its likeliest next tokens, and what it writes.

V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.safety.change.change_file import Answer, TokenScore
from sae_desktop.safety.change.reading import FIRST, Texts
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import continuations
from sae_desktop.steering.interventions import Positions

_OF_TEXTS, _NEXT, _WRITTEN = 6, 8, 32


def beginnings(lm: LanguageModel, prompts: Sequence[str], texts: Texts) -> list[list[int]]:
    """Return the beginnings as tokens: the prompts, or the first tokens of a few texts.

    Raises UserError for a prompt without a token, or longer than the model reads.
    """
    if not prompts:
        found: list[list[int]] = texts.ids_NS[:_OF_TEXTS, : texts.specials + FIRST].tolist()
        return found
    prefix, _ = lm.window_tokens
    read = []
    for prompt in prompts:
        ids = lm.encode(prompt)
        if not ids or len(prefix) + len(ids) + _WRITTEN > lm.context_size:
            raise UserError(
                f"The prompt “{prompt[:40]}” has {len(ids):,} tokens; a comparison takes 1 to "
                f"{lm.context_size - len(prefix) - _WRITTEN:,}.",
                kept="Nothing was changed.",
                next_step="Write another, or leave prompts out.",
            )
        read.append([*prefix, *ids])
    return read


def shown(lm: LanguageModel, read: Sequence[list[int]], specials: int) -> list[str]:
    """Return the beginnings as text."""
    return [str(lm.tokenizer.decode(ids[specials:])) for ids in read]


def answers(lm: LanguageModel, read: Sequence[list[int]], specials: int) -> list[Answer]:
    """Return what the checkpoint makes of each beginning; it always writes the likeliest token."""
    longest = max(len(ids) for ids in read)
    positions = Positions(
        [longest - len(ids) for ids in read], specials, [len(ids) - specials for ids in read]
    )
    sampling = Sampling(max_new_tokens=_WRITTEN, temperature=0.0, repetition_penalty=1.0)
    written: list[list[int]] = [[] for _ in read]
    following: list[list[TokenScore]] = []
    names = lm.token_bytes()
    for step in continuations(lm, read, {}, positions, sampling):
        if not following:
            chances_BV = torch.softmax(step.logits_BV, dim=-1)
            for chances_V in chances_BV:
                best = torch.topk(chances_V, min(_NEXT, len(names)))
                following.append(
                    [
                        TokenScore(token_text(names[token]), chance)
                        for chance, token in zip(
                            best.values.tolist(), best.indices.tolist(), strict=True
                        )
                    ]
                )
        for row, token in zip(written, step.ids, strict=True):
            if token is not None:
                row.append(token)
    return [
        Answer(next_tokens=tokens, written=str(lm.tokenizer.decode(row)))
        for tokens, row in zip(following, written, strict=True)
    ]
