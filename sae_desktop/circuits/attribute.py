"""The job `attribute`: each firing of a dictionary attributed to a logit difference, and ablated.

T tokens, F features, O width of what is written at all sites side by side, B ablations at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
import torch
from torch import Tensor

from sae_desktop.circuits.lens_config import AttributeConfig, AttributeResult
from sae_desktop.circuits.prompt import one_token
from sae_desktop.circuits.testing.agreement import correlation
from sae_desktop.errors import UserError
from sae_desktop.features.asking.attribution import (
    attributions,
    check_attributable,
    logit_gradient,
)
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.places import Place
from sae_desktop.features.asking.probe import own_ids, rendered
from sae_desktop.features.asking.read_inputs import read_inputs
from sae_desktop.features.config import Against
from sae_desktop.features.reading.chat_text import parse_chat
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.sites.capture import wide
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.limits import refuse_beyond_limits

MEAN = "mean"
_TOKENS_AT_ONCE = 2048


def attribute(config: AttributeConfig, context: JobContext) -> AttributeResult:
    """Rank the firings on a prompt by what they add to a logit difference after its last token.

    The largest, and firings drawn at random, are also ablated one by one, wherever they write.
    Raises UserError for an encoder, a prompt that is empty or too long, and a target that is not
    one token.
    """
    refuse_beyond_limits(config)
    opened = open_index(config.project, config.index, config.device)
    check_attributable(opened)
    lm = opened.lm
    text = rendered(lm, parse_chat(config.prompt)) if config.chat else config.prompt
    ids = own_ids(opened, text)
    if not ids:
        raise UserError("The prompt is empty.", next_step="Type a prompt.")
    if len(ids) > opened.room:
        raise UserError(
            f"The prompt has {len(ids):,} tokens, but “{lm.name}” reads {opened.room:,} at once.",
            next_step="Use a shorter prompt.",
        )
    against: Against | int = "mean" if config.against == MEAN else "second"
    if config.against not in ("", MEAN):
        against = one_token(lm, config.against)
    target = one_token(lm, config.target) if config.target else None
    if target is not None and target == against:
        raise UserError(
            "The target and what it is set against are the same token.",
            next_step="Choose another token to set it against.",
        )
    context.progress(0, 1, "prompts")
    gradient_TO, told = logit_gradient(opened, ids, len(ids) - 1, target, against)
    before = len(opened.bos)
    whole = torch.tensor([opened.bos + ids])
    x_TI = read_inputs(opened, whole)[0, before:]
    firings = _Firings(opened, x_TI, gradient_TO)
    context.progress(1, 1, "prompts")
    rng = np.random.default_rng(config.seed)
    order = np.argsort(-np.abs(firings.attributions), kind="stable")
    listed = order if not config.top else order[: config.top]
    drawn = rng.permutation(len(order))[: config.sampled]
    wanted = np.unique(np.concatenate([listed[: config.ablated], drawn]).astype(np.int64))
    pair = _tokens_of(opened, ids, target, against)
    taken = dict(
        zip(
            wanted.tolist(),
            _ablations(opened, ids, firings, wanted.tolist(), pair, told.value, context),
            strict=True,
        )
    )
    measured = np.array([taken[number] for number in drawn.tolist()])
    names = lm.token_bytes()
    return AttributeResult(
        tokens=[token_text(names[i]) for i in opened.bos + ids],
        specials=before,
        target=told.target,
        against=told.against,
        difference=told.value,
        positions=(firings.tokens[listed] + before).tolist(),
        features=firings.features[listed].tolist(),
        activations=firings.activations[listed].tolist(),
        attributions=firings.attributions[listed].tolist(),
        ablations=[taken.get(number) for number in listed.tolist()],
        firings=len(order),
        sampled=len(drawn),
        attribution_correlation=correlation(firings.attributions[drawn], measured),
        activation_correlation=correlation(firings.activations[drawn], measured),
    )


class _Firings:
    """All firings on a prompt, token by token: n of them."""

    def __init__(self, opened: OpenedIndex, x_TI: Tensor, gradient_TO: Tensor) -> None:
        dictionary = opened.dictionary
        acts_TF = dictionary.encode(x_TI)
        effects_TF = attributions(acts_TF, gradient_TO, dictionary, x_TI)
        tokens, features = torch.nonzero(acts_TF > 0, as_tuple=True)
        self.scales_T = dictionary.row_scale(x_TI)[:, 0].cpu()
        self.tokens = tokens.cpu().numpy()
        """(n,), counted in the prompt's own."""
        self.features = features.cpu().numpy()
        self.activations = acts_TF[tokens, features].cpu().double().numpy()
        self.attributions = effects_TF[tokens, features].cpu().double().numpy()


def _tokens_of(
    opened: OpenedIndex, ids: list[int], target: int | None, against: Against | int
) -> tuple[int, int | None]:
    """Return the target and what it is set against; None: the mean of all logits."""
    with opened.lm.lock, torch.no_grad():
        input_ids = torch.tensor([opened.bos + ids], device=opened.lm.device)
        logits = opened.lm.model(input_ids=input_ids, use_cache=False).logits[0, -1]
    order = logits.topk(min(2, len(logits))).indices.tolist()
    chosen = order[0] if target is None else target
    if against == "mean":
        return chosen, None
    if isinstance(against, int):
        return chosen, against
    return chosen, next(token for token in order if token != chosen)


def _ablations(
    opened: OpenedIndex, ids: list[int], firings: _Firings, wanted: Sequence[int],
    pair: tuple[int, int | None], difference: float, context: JobContext,
) -> list[float]:  # fmt: skip
    """Return by how much the difference falls when each of the firings `wanted` is taken away."""
    found: list[float] = []
    places = sorted(check_attributable(opened), key=lambda place: place.order)
    step = max(1, _TOKENS_AT_ONCE // (len(opened.bos) + len(ids)))
    context.progress(0, len(wanted), "ablations")
    for first in range(0, len(wanted), step):
        context.check_cancelled()
        chosen = list(wanted[first : first + step])
        tokens = torch.from_numpy(firings.tokens[chosen])
        sizes = torch.from_numpy(firings.activations[chosen]).float() * firings.scales_T[tokens]
        ids_n = torch.from_numpy(firings.features[chosen]).to(opened.dictionary.device)
        written_BO = sizes[:, None] * opened.dictionary.decoder_rows(ids_n).float().cpu()
        with opened.lm.lock, torch.no_grad(), ExitStack() as stack:
            for place in places:
                taken = partial(_taken, place, written_BO, tokens + len(opened.bos))
                stack.enter_context(intervention(opened.lm, place.site, taken))
            rows = torch.tensor([opened.bos + ids] * len(chosen), device=opened.lm.device)
            logits_BV = wide(opened.lm.model(input_ids=rows, use_cache=False).logits[:, -1])
        less = logits_BV.mean(-1) if pair[1] is None else logits_BV[:, pair[1]]
        found += (difference - (logits_BV[:, pair[0]] - less)).tolist()
        context.progress(len(found), len(wanted), "ablations")
    return found


def _taken(place: Place, written_BO: Tensor, tokens_B: Tensor, x_BSD: Tensor) -> Tensor:
    out = x_BSD.clone()
    rows = torch.arange(len(tokens_B), device=out.device)
    out[rows, tokens_B.to(out.device)] -= written_BO[:, place.columns].to(out)
    return out
