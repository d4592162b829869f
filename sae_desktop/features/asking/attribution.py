"""Attribution of features to a logit difference (Scaling Monosemanticity, Methods).

T tokens, D width of the site, F features, V tokens of the vocabulary.
"""

from __future__ import annotations

import inspect

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.config import Against, LogitDifference
from sae_desktop.language_model.load import require_causal
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.text.token_text import token_text


def check_attributable(opened: OpenedIndex) -> Site:
    """Return the site by which features reach the logits: the one they write.

    Raises UserError for an encoder, and for a dictionary that writes no single site.
    """
    require_causal(opened.lm, "Attribution to the next token")
    return opened.written


def logit_gradient(
    opened: OpenedIndex, ids: list[int], position: int, following: int | None, against: Against
) -> tuple[Tensor, LogitDifference]:
    """Return (∇ (T, D) float32 on the CPU, the difference) for the tokens `ids` (T,).

    The difference is logit[target] − logit[against] after the last of `ids`, which stands at
    `position` of the whole text; ∇ is its gradient by the value at each of them of the site that
    features write. The target is the token `following`, or the likeliest where nothing follows;
    it is set against the likeliest other token, or against the mean of all logits.
    Raises UserError as `check_attributable`.
    """
    written = check_attributable(opened)
    lm = opened.lm
    found: list[Tensor] = []

    def hold(x_BSD: Tensor) -> Tensor:
        found[:] = [x_BSD.detach().requires_grad_()]
        return found[0]

    last_only = "logits_to_keep" in inspect.signature(lm.model.forward).parameters
    options = {"logits_to_keep": 1} if last_only else {}
    input_ids = torch.tensor([opened.bos + ids], device=lm.device)
    with torch.enable_grad(), intervention(lm, written, hold):
        logits_V = lm.model(input_ids=input_ids, use_cache=False, **options).logits[0, -1].float()
        order = logits_V.detach().topk(min(2, len(logits_V))).indices.tolist()
        target = order[0] if following is None else following
        other = next((token for token in order if token != target), target)
        less = logits_V[other] if against == "second" else logits_V.mean()
        difference = logits_V[target] - less
        (gradient_BSD,) = torch.autograd.grad(difference, found[0])
    names = lm.token_bytes()
    return gradient_BSD[0, len(opened.bos) :].float().cpu(), LogitDifference(
        position=position,
        target=token_text(names[target]),
        against=token_text(names[other]) if against == "second" else "",
        value=float(difference.detach()),
    )


def attributions(
    activations_TF: Tensor, gradient_TD: Tensor, dictionary: Dictionary, x_TD: Tensor
) -> Tensor:
    """Return a_i · (W_dec,i · ∇) of every token and feature, (T, F), at the values x they read.

    What ablating a feature at a token takes from the difference, to first order: exactly that
    where the model is linear from the written site on.
    """
    gradient = gradient_TD.to(dictionary.W_dec)
    return activations_TF * dictionary.row_scale(x_TD) * (gradient @ dictionary.W_dec.T)
