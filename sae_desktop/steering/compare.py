"""How likely the plain and the steered model each find a continuation. B rows, V tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.steering.config import OutputToken
from sae_desktop.steering.generate import PaddedTokens, Transforms, forward
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.passes import Steering


def compare(
    lm: LanguageModel,
    prompts: Sequence[Sequence[int]],
    outputs: Sequence[Sequence[int]],
    steering: Steering,
    positions: Positions,
    looks: Transforms,
) -> list[list[OutputToken]]:
    """Read each row's prompt and continuation twice, steered and plain.

    Both read the same tokens, so that the difference is what steering does at each of them.
    `looks` take the values of their sites as the plain model has them.
    """
    batch = PaddedTokens.whole([[*p, *o] for p, o in zip(prompts, outputs, strict=True)])
    # Rows of this batch are padded otherwise than those of the generation.
    own = positions.padded(batch.pads)
    steered, _ = forward(lm, batch, steering.transforms(own), own)
    plain, _ = forward(lm, batch, looks, own)
    names = lm.token_bytes()
    found: list[list[OutputToken]] = []
    for row, (prompt, output) in enumerate(zip(prompts, outputs, strict=True)):
        count = len(output)
        if not count:
            found.append([])
            continue
        # The logits before each token of the continuation.
        span = slice(len(prompt) - 1, len(prompt) - 1 + count)
        found.append(_tokens(steered[row, span], plain[row, span], output, names))
    return found


def _tokens(
    steered_TV: Tensor, plain_TV: Tensor, ids: Sequence[int], names: Sequence[bytes]
) -> list[OutputToken]:
    log_p, log_q = steered_TV.float().log_softmax(-1), plain_TV.float().log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1).clamp_min(0)
    chosen = torch.tensor(ids, device=log_p.device)[:, None]
    own, plain = log_p.gather(1, chosen)[:, 0], log_q.gather(1, chosen)[:, 0]
    return [
        OutputToken(text=token_text(names[i]), log_probability=a, plain_log_probability=b, kl=k)
        for i, a, b, k in zip(ids, own.tolist(), plain.tolist(), kl.tolist(), strict=True)
    ]


def perplexity(tokens: Sequence[OutputToken]) -> float | None:
    """Return that of a continuation under the plain model; None of nothing."""
    if not tokens:
        return None
    mean = sum(t.plain_log_probability for t in tokens) / len(tokens)
    return math.exp(min(-mean, 700.0))
