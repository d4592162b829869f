"""Attribution of features to a logit difference (Scaling Monosemanticity, Methods).

T tokens, O width of what is written, at all sites side by side, F features, V tokens of the
vocabulary.
"""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.places import Place, Places
from sae_desktop.features.config import Against, LogitDifference
from sae_desktop.language_model.load import require_causal
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.text.token_text import token_text


def check_attributable(opened: OpenedIndex) -> Places:
    """Return the places by which features reach the logits: those of the first model they write.

    Raises UserError for an encoder, and as `OpenedIndex.writes`.
    """
    require_causal(opened.lm, "Attribution to the next token")
    return tuple(place for place in opened.writes if place.lm is opened.lm)


def logit_gradient(
    opened: OpenedIndex,
    ids: list[int],
    position: int,
    following: int | None,
    against: Against | int,
) -> tuple[Tensor, LogitDifference]:
    """Return (∇ (T, O) float32 on the CPU, the difference) for the tokens `ids` (T,).

    The difference is logit[target] − logit[against] after the last of `ids`, which stands at
    `position` of the whole text, of the first model; ∇ is its gradient by what is added at each of
    them to each site that features write, 0 at those of other models. The target is the token
    `following`, or the likeliest where nothing follows; it is set against the likeliest other
    token, against the mean of all logits, or against the token with this id. Raises
    UserError as `check_attributable`.
    """
    written = sorted(check_attributable(opened), key=lambda place: place.order)
    lm = opened.lm
    leaves: dict[Place, Tensor] = {}

    def hold(place: Place, x_BSD: Tensor) -> Tensor:
        # What is added there, not the value itself: that of a later site depends on it.
        leaves[place] = torch.zeros_like(x_BSD).requires_grad_()
        return x_BSD + leaves[place]

    last_only = "logits_to_keep" in inspect.signature(lm.model.forward).parameters
    options = {"logits_to_keep": 1} if last_only else {}
    input_ids = torch.tensor([opened.bos + ids], device=lm.device)
    with torch.enable_grad(), ExitStack() as stack:
        for place in written:
            stack.enter_context(intervention(lm, place.site, partial(hold, place)))
        logits_V = lm.model(input_ids=input_ids, use_cache=False, **options).logits[0, -1].float()
        order = logits_V.detach().topk(min(2, len(logits_V))).indices.tolist()
        target = order[0] if following is None else following
        other = next((token for token in order if token != target), target)
        other = against if isinstance(against, int) else other
        less = logits_V.mean() if against == "mean" else logits_V[other]
        difference = logits_V[target] - less
        found = torch.autograd.grad(difference, [leaves[place] for place in written])
    gradient_TO = torch.zeros(len(ids), opened.dictionary.out_width)
    for place, gradient_BSD in zip(written, found, strict=True):
        gradient_TO[:, place.columns] = gradient_BSD[0, len(opened.bos) :].float().cpu()
    names = lm.token_bytes()
    return gradient_TO, LogitDifference(
        position=position,
        target=token_text(names[target]),
        against="" if against == "mean" else token_text(names[other]),
        value=float(difference.detach()),
    )


def attributions(
    activations_TF: Tensor, gradient_TO: Tensor, dictionary: Dictionary, x_TI: Tensor
) -> Tensor:
    """Return a_i · (W_dec,i · ∇) of every token and feature, (T, F), at the values x they read.

    What ablating a feature at a token, wherever it writes, takes from the difference, to first
    order: exactly that where the model is linear from the first written site on.
    """
    gradient = gradient_TO.to(dictionary.device)
    return activations_TF * dictionary.row_scale(x_TI) * dictionary.dots(gradient)
