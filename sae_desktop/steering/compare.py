"""How likely the plain and the steered model each find a continuation. B rows, V tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.steering.config import OutputToken, WatchedText
from sae_desktop.steering.generate import PaddedTokens, Transforms, forward
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prompt_pictures import PromptPictures
from sae_desktop.steering.watching import Watching


@dataclass(frozen=True)
class Compared:
    """A row read twice."""

    tokens: list[OutputToken]
    """Of its continuation."""
    prompt_open: list[int]
    """Tokens of the prompt on which a condition was open; special tokens do not count."""
    watched: list[WatchedText]


def compare(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    pictures: PromptPictures | None,
    outputs: Sequence[Sequence[int]],
    steering: Steering,
    positions: Positions,
    looks: Transforms,
    watching: Watching,
) -> list[Compared]:
    """Read each row's prompt and continuation twice, steered and plain.

    Both read the same tokens, so that the difference is what steering does at each of them.
    `pictures`: those in the prompts. `looks` take the values of their sites as the plain model has
    them.
    """
    texts = [[*p, *o] for p, o in zip(prompts, outputs, strict=True)]
    batch = PaddedTokens.whole(texts, pictures=pictures)
    # Rows of this batch are padded otherwise than those of the generation.
    own = positions.padded(batch.pads)
    steered, _ = forward(lm, batch, steering.transforms(own), own)
    opened_BS = [
        steering.open_tokens(own, row, batch.ids_BS.shape[1]).tolist()
        for row in range(len(prompts))
    ]
    plain, _ = forward(lm, batch, looks, own)
    names = lm.token_bytes()
    found: list[Compared] = []
    for row, (prompt, output) in enumerate(zip(prompts, outputs, strict=True)):
        first, end = len(prompt), len(prompt) + len(output)
        opened_S = opened_BS[row]
        # The logits before each token of the continuation.
        span = slice(first - 1, end - 1)
        tokens = _tokens(steered[row, span], plain[row, span], output, opened_S[first:end], names)
        on_prompt = [n for n, is_open in enumerate(opened_S[own.specials : first]) if is_open]
        watched = watching.texts(steering, row, slice(own.specials, end), first - own.specials)
        found.append(Compared(tokens, on_prompt, watched))
    return found


def _tokens(
    steered_TV: Tensor,
    plain_TV: Tensor,
    ids: Sequence[int],
    opened: Sequence[bool],
    names: Sequence[bytes],
) -> list[OutputToken]:
    if not ids:
        return []
    log_p, log_q = steered_TV.float().log_softmax(-1), plain_TV.float().log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1).clamp_min(0)
    chosen = torch.tensor(ids, device=log_p.device)[:, None]
    own, plain = log_p.gather(1, chosen)[:, 0], log_q.gather(1, chosen)[:, 0]
    return [
        OutputToken(
            text=token_text(names[i]), log_probability=a, plain_log_probability=b, kl=k, open=o
        )
        for i, a, b, k, o in zip(
            ids, own.tolist(), plain.tolist(), kl.tolist(), opened, strict=True
        )
    ]


def perplexity(tokens: Sequence[OutputToken]) -> float | None:
    """Return that of a continuation under the plain model; None of nothing."""
    if not tokens:
        return None
    mean = sum(t.plain_log_probability for t in tokens) / len(tokens)
    return math.exp(min(-mean, 700.0))
