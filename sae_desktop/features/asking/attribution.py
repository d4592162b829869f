"""Attribution of features to a logit difference (Scaling Monosemanticity, Methods).

T tokens, O width of what is written, at all sites side by side, F features, V tokens of the
vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.picture_documents import PictureDocument
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
    whole = torch.tensor([opened.bos + ids], device=opened.lm.device)
    own = list(range(len(opened.bos), whole.shape[1]))
    return _gradient(
        opened, {"input_ids": whole}, own, whole.shape[1] - 1, position, following, against
    )


def document_gradient(
    opened: OpenedIndex, document: PictureDocument, position: int, against: Against | int
) -> tuple[Tensor, LogitDifference]:
    """As `logit_gradient`, of pictures and text, for what follows their token `position`."""
    following = None
    if position + 1 < len(document.own) and document.picture[position + 1] < 0:
        following = document.ids[position + 1]
    rows = document.own.tolist()
    return _gradient(opened, document.inputs, rows, rows[position], position, following, against)


def _gradient(
    opened: OpenedIndex,
    inputs: Mapping[str, Tensor],
    own: list[int],
    row: int,
    position: int,
    following: int | None,
    against: Against | int,
) -> tuple[Tensor, LogitDifference]:
    """Return the gradient at the rows `own` (T,) of what is predicted after a row."""
    written = sorted(check_attributable(opened), key=lambda place: place.order)
    lm = opened.lm
    leaves: dict[Place, Tensor] = {}

    def hold(place: Place, x_BSD: Tensor) -> Tensor:
        # What is added there, not the value itself: that of a later site depends on it.
        leaves[place] = torch.zeros_like(x_BSD).requires_grad_()
        return x_BSD + leaves[place]

    last_only = "logits_to_keep" in inspect.signature(lm.model.forward).parameters
    kept = inputs["input_ids"].shape[1] - row
    options = {"logits_to_keep": kept} if last_only else {}
    with torch.enable_grad(), ExitStack() as stack:
        for place in written:
            stack.enter_context(intervention(lm, place.site, partial(hold, place)))
        logits_SV = lm.model(**inputs, use_cache=False, **options).logits[0]
        logits_V = logits_SV[-kept].float()
        order = logits_V.detach().topk(min(2, len(logits_V))).indices.tolist()
        target = order[0] if following is None else following
        other = next((token for token in order if token != target), target)
        other = against if isinstance(against, int) else other
        less = logits_V.mean() if against == "mean" else logits_V[other]
        difference = logits_V[target] - less
        found = torch.autograd.grad(difference, [leaves[place] for place in written])
    gradient_TO = torch.zeros(len(own), opened.dictionary.out_width)
    for place, gradient_BSD in zip(written, found, strict=True):
        gradient_TO[:, place.columns] = gradient_BSD[0, own].float().cpu()
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
