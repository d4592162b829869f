"""What a model makes of its residual stream after the last layer: the norm, the head, the cap."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sae_desktop.language_model.sites.capture import wide
from sae_desktop.language_model.sites.intervene import (
    final_norm,
    intervention,
    logit_factor,
    parent_of_layers,
)
from sae_desktop.language_model.sites.resolve import Site, text_config

if TYPE_CHECKING:
    from sae_desktop.language_model.load import LanguageModel

Tail = Callable[[Tensor], Tensor]

_TOLERANCE = 1e-3
"""Of the spread of the logits, up to which the modules named here are the whole tail."""


def tail(lm: LanguageModel, input_ids: Tensor, stream_BSD: Tensor, logits_BSV: Tensor) -> Tail:
    """Return a function stream (B, S, D) → logits (B, S, V), float32, for these tokens.

    It holds for any value of the stream after the last layer. `stream_BSD` and `logits_BSV` are
    the model's own at `input_ids` (B, S): where its norm and head as named modules give other
    logits from that stream, the whole model is run, with the stream replaced.
    """
    direct = partial(_by_modules, lm)
    try:
        found = direct(stream_BSD)
        spread = float(wide(logits_BSV).std()) or 1.0
        if float((found - wide(logits_BSV)).abs().max()) <= _TOLERANCE * max(spread, 1e-6):
            return direct
    except (RuntimeError, AttributeError, TypeError):
        pass
    return partial(_by_model, lm, input_ids)


def _by_modules(lm: LanguageModel, stream_BSD: Tensor) -> Tensor:
    config, parent = text_config(lm.model), parent_of_layers(lm.model)
    head = lm.model.get_output_embeddings()
    with lm.lock, torch.no_grad():
        x = stream_BSD.to(lm.model.dtype)
        norm = final_norm(parent)
        if norm is not None:
            x = norm(x)
        narrowed: Callable[[Tensor], Tensor] | None = getattr(parent, "project_out", None)
        if narrowed is not None:
            x = narrowed(x)
        logits: Tensor = wide(head(x)) * logit_factor(config)
        cap = getattr(config, "final_logit_softcapping", None)
        return logits if not cap else cap * torch.tanh(logits / cap)


def _by_model(lm: LanguageModel, input_ids: Tensor, stream_BSD: Tensor) -> Tensor:
    last = Site(lm.layers - 1, "hook_resid_post")
    with torch.no_grad(), intervention(lm, last, lambda _: stream_BSD):
        logits: Tensor = lm.model(input_ids=input_ids.to(lm.device), use_cache=False).logits
    return wide(logits)
