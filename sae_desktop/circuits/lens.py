"""The job `lens`: what every layer would answer at every token of a prompt.

The logit lens reads the residual stream after a layer as the model reads it after the last one
(nostalgebraist, “interpreting GPT: the logit lens”). The averaged-Jacobian lens carries it there
first: by the mean over texts and positions of ∂(stream after the last layer, this and all later
positions)/∂(stream after the layer) (Gurnee et al., “Verbalizable Representations Form a Global
Workspace in Language Models”). L layers, T tokens, D width, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sae_desktop.circuits.jacobians import read_jacobians
from sae_desktop.circuits.lens_config import LensConfig, LensResult
from sae_desktop.circuits.prompt import one_token, read_prompt
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, load_model, require_causal
from sae_desktop.language_model.sites.capture import capture_sites, wide
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.sites.tail import tail
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project

_DIGITS = 6
_AT_ONCE = 2**26
"""Logits computed at once: 256 MB."""


def lens(config: LensConfig, context: JobContext) -> LensResult:
    """Return the likeliest tokens by layer and position, and how far each is from the answer.

    The last row is the model's own prediction. Raises UserError for an encoder, for a prompt or a
    token that cannot be read, and for the averaged Jacobians where they have not been measured.
    """
    refuse_beyond_limits(config)
    lm = load_model(config.model, config.device)
    require_causal(lm, "A lens")
    prompt = read_prompt(lm, config.prompt, chat=config.chat)
    followed = [one_token(lm, text) for text in config.tokens]
    carried, told = None, ""
    if config.kind == "jacobian":
        found = read_jacobians(Project.open(config.project), lm)
        carried, told = found.matrices_LDD, found.told
    ids = torch.tensor([prompt.ids], device=lm.device)
    logits_TV = _own_logits(lm, ids)
    if not followed:
        followed = logits_TV[-1].topk(1).indices.tolist()
    context.progress(0, lm.layers + 1, "layers")
    rows: list[_Row] = []
    for number, row_TV in enumerate(_readings(lm, ids, logits_TV, carried)):
        context.check_cancelled()
        rows.append(_row(row_TV, logits_TV, config.top, followed))
        context.progress(number + 1, lm.layers + 1, "layers")
    names = lm.token_bytes()

    def shown(tokens: Sequence[int]) -> list[str]:
        return [token_text(names[i]) for i in tokens]

    return LensResult(
        kind=config.kind,
        tokens=list(prompt.texts),
        specials=prompt.specials,
        rows=["embedding", *(f"layer {number}" for number in range(lm.layers))],
        top_tokens=[[shown(tokens) for tokens in row.top] for row in rows],
        top_probabilities=[row.top_probabilities for row in rows],
        entropy=[row.entropy for row in rows],
        kl=[row.kl for row in rows],
        followed=shown(followed),
        probability=[row.probability for row in rows],
        rank=[row.rank for row in rows],
        fitted_on=told,
    )


def _own_logits(lm: LanguageModel, ids_BT: Tensor) -> Tensor:
    with lm.lock, torch.no_grad():
        return wide(lm.model(input_ids=ids_BT, use_cache=False).logits[0])


def _readings(
    lm: LanguageModel, ids_BT: Tensor, logits_TV: Tensor, carried_LDD: Tensor | None
) -> Iterator[Tensor]:
    """Yield the logits (T, V) read from what enters the first layer, then after each layer.

    carried (L, D, D): what takes the stream to the last layer, of all rows but the last.
    """
    sites = [Site(0, "hook_resid_pre"), *(Site(i, "hook_resid_post") for i in range(lm.layers))]
    streams = capture_sites(lm, ids_BT, None, sites)
    read = tail(lm, ids_BT, streams[sites[-1]], logits_TV[None])
    for number, site in enumerate(sites[:-1]):
        stream = streams[site]
        if carried_LDD is not None:
            stream = stream @ carried_LDD[number].to(stream).T
        yield read(stream)[0]
    yield logits_TV


class _Row(NamedTuple):
    top: list[list[int]]
    top_probabilities: list[list[float]]
    entropy: list[float]
    kl: list[float]
    probability: list[list[float]]
    rank: list[list[int]]


def _row(row_TV: Tensor, own_TV: Tensor, top: int, followed: Sequence[int]) -> _Row:
    """Return what is told of a layer's logits beside the model's own."""
    parts: list[_Row] = []
    step = max(1, _AT_ONCE // row_TV.shape[1])
    for first in range(0, len(row_TV), step):
        log_q = row_TV[first : first + step].log_softmax(-1)
        log_p = own_TV[first : first + step].log_softmax(-1)
        best = log_q.topk(min(top, log_q.shape[1]))
        chosen = log_q[:, list(followed)]
        ranks = torch.stack([(log_q > chosen[:, i : i + 1]).sum(-1) + 1
                             for i in range(len(followed))], dim=1)  # fmt: skip
        parts.append(
            _Row(
                best.indices.tolist(),
                _rounded(best.values.exp()),
                _rounded(-(log_q.exp() * log_q).nan_to_num().sum(-1)),
                _rounded((log_p.exp() * (log_p - log_q)).nan_to_num().sum(-1).clamp_min(0)),
                _rounded(chosen.exp()),
                ranks.tolist(),
            )
        )
    return _Row(
        *([item for part in column for item in part] for column in zip(*parts, strict=True))
    )


def _rounded(values: Tensor) -> Any:
    """Return values as plain numbers of a few figures, of any depth."""
    return _few_figures(values.cpu().double().tolist())


def _few_figures(value: Any) -> Any:
    if isinstance(value, list):
        return [_few_figures(one) for one in value]
    return float(f"{value:.{_DIGITS}g}")
