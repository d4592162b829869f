"""Two continuations of one prompt side by side: the model as it is, and the model steered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.language_model.intervene import intervention
from sae_desktop.language_model.load import LanguageModel, require_causal
from sae_desktop.language_model.sites import Site

STEERED = 1
"""Row of the batch that is steered; row 0 is plain."""


@dataclass(frozen=True)
class Step:
    """One token of either side."""

    position: int
    ids: tuple[int | None, int | None]
    """Plain and steered; None for a side that has ended. An end-of-text token is given once."""
    logits_2V: Tensor
    """Before the temperature."""


def steer_row(change: Callable[[Tensor], Tensor], skip_first: bool) -> Callable[[Tensor], Tensor]:
    """Return a transform of a batch of two that changes the steered row alone.

    With `skip_first` the first position of the first call, the beginning-of-sequence token, is
    left as it is: its activation is an attention sink of enormous norm that means nothing about
    the text, and a model whose sink is moved falls apart whatever the feature.
    """
    first_call = True

    def transform(x_BSD: Tensor) -> Tensor:
        nonlocal first_call
        start = 1 if first_call and skip_first else 0
        first_call = False
        out = x_BSD.clone()
        out[STEERED:, start:] = change(x_BSD[STEERED:, start:])
        return out

    return transform


def continuations(
    lm: LanguageModel,
    prompt_ids: list[int],
    site: Site,
    transform: Callable[[Tensor], Tensor] | None,
    *,
    max_new_tokens: int,
    temperature: float,
    seed: int,
) -> Iterator[Step]:
    """Yield token after token of both sides, until each has ended or the number is reached.

    `transform` changes the value at `site` of the batch (2, S, D). Both sides draw from the
    same random numbers, so where their probabilities agree so do their tokens; at temperature 0
    the likeliest token is taken. The model's lock is held during forward passes only.
    Raises UserError for an encoder.
    """
    require_causal(lm, "Steering")
    generator = torch.Generator().manual_seed(seed)
    ids_2S = torch.tensor([prompt_ids, prompt_ids], device=lm.device)
    cache = None
    ended = [False, False]
    last_only = "logits_to_keep" in inspect.signature(lm.model.forward).parameters
    options = {"logits_to_keep": 1} if last_only else {}
    for position in range(max_new_tokens):
        changed = nullcontext() if transform is None else intervention(lm, site, transform)
        with lm.lock, torch.no_grad(), changed:
            out = lm.model(input_ids=ids_2S, past_key_values=cache, use_cache=True, **options)
        cache = out.past_key_values
        logits_2V = out.logits[:, -1].float().cpu()
        chosen_2 = _choose(logits_2V, temperature, generator)
        plain, steered = (
            None if over else int(token)
            for token, over in zip(chosen_2.tolist(), ended, strict=True)
        )
        yield Step(position, (plain, steered), logits_2V)
        ended = [token is None or token in lm.eos_ids for token in (plain, steered)]
        if all(ended):
            return
        ids_2S = chosen_2[:, None].to(lm.device)


def _choose(logits_2V: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Return the next token of each row (2,), by the Gumbel-max trick with shared noise."""
    if temperature <= 0:
        return logits_2V.argmax(-1)
    uniform_V = torch.rand(logits_2V.shape[-1], generator=generator).clamp_min(1e-20)
    return (logits_2V / temperature - torch.log(-torch.log(uniform_V))).argmax(-1)
