"""(a) What a dictionary's features do on each checkpoint, and whether it still fits.

N texts, S tokens, T = N · S rows, D width, F features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.dictionary.ends import inputs, reconstructs
from sae_desktop.dictionary.normalisation import massive_rows
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.safety.change.reading import BATCH, Texts

Array = npt.NDArray[Any]
_ROWS = 4096
_EFFECT_TEXTS = 32
"""Texts over which effects are measured: each takes a pass back."""


class OnCheckpoint(NamedTuple):
    """What features do on one checkpoint's rows."""

    mean_NF: Array
    """Mean activation on each text."""
    density_F: Array
    fvu: float


def require_plain(dictionary: Dictionary, name: str) -> str:
    """Return the one site a dictionary reads and writes. Raises UserError for any other."""
    ends = inputs(dictionary)
    if len(ends) != 1 or not reconstructs(dictionary):
        raise UserError(
            f"The dictionary “{name}” does not read and write one site, so its features cannot be "
            "followed over checkpoints.",
            next_step="Choose a dictionary of one site, such as the residual stream after a layer.",
        )
    return ends[0].site


def control(dictionary: Dictionary, x_TD: Tensor, seed: int) -> Dictionary:
    """Return as many random directions, as often active on these rows."""
    active = sum(len(dictionary.active(part)[0]) for part in torch.split(x_TD, _ROWS))
    l0 = max(active / len(x_TD), 1.0)
    return random_direction_dictionary(x_TD, dictionary.features, l0, seed)


@torch.no_grad()
def on_checkpoint(dictionary: Dictionary, x_NSD: Tensor) -> OnCheckpoint:
    """Return density, means and FVU; massive rows are left out of the FVU."""
    means, fired, left, power = [], torch.zeros(dictionary.features), 0.0, 0.0
    norms = x_NSD.norm(dim=-1)
    usable_NS = ~torch.from_numpy(massive_rows(norms.flatten().numpy())).reshape(norms.shape)
    centre = x_NSD[usable_NS].mean(dim=0)
    for x_SD, usable_S in zip(x_NSD, usable_NS, strict=True):
        f_SF = dictionary.encode(x_SD)
        means.append(f_SF.mean(dim=0))
        fired += (f_SF > 0).sum(dim=0)
        error = (x_SD - dictionary.decode(f_SF, x_SD))[usable_S]
        left += float(error.square().sum())
        power += float((x_SD[usable_S] - centre).square().sum())
    rows = x_NSD.shape[0] * x_NSD.shape[1]
    return OnCheckpoint(
        torch.stack(means).numpy(), (fired / rows).numpy(), left / power if power else float("nan")
    )


def effects(lm: LanguageModel, dictionary: Dictionary, texts: Texts, site: Site) -> Array:
    """Return (F,): by how much the loss would rise without the feature, in nats per token.

    To first order: −activation · (direction · gradient of the loss), summed over tokens.
    """
    total = torch.zeros(dictionary.features)
    ids_NS = texts.ids_NS[:_EFFECT_TEXTS]
    tokens = 0
    for begin in range(0, len(ids_NS), BATCH):
        ids_BS = ids_NS[begin : begin + BATCH].to(lm.device)
        held: list[Tensor] = []

        def hold(x_BSD: Tensor, held: list[Tensor] = held) -> Tensor:
            held[:] = [x_BSD.detach().requires_grad_()]
            return held[0]

        with torch.enable_grad(), intervention(lm, site, hold):
            logits = lm.model(input_ids=ids_BS, use_cache=False).logits.float()
            loss = torch.nn.functional.cross_entropy(
                logits[:, :-1].flatten(0, 1), ids_BS[:, 1:].flatten(), reduction="sum"
            )
            (gradient,) = torch.autograd.grad(loss, held[0])
        x_TD = held[0].detach()[:, texts.measured].flatten(0, 1).cpu()
        with torch.no_grad():
            f_TF = dictionary.encode(x_TD)
            g_TF = dictionary.dots(gradient[:, texts.measured].flatten(0, 1).cpu())
            total -= (f_TF * g_TF).sum(dim=0)
        tokens += len(x_TD)
    return (total / max(tokens, 1)).numpy()


def spliced_loss(lm: LanguageModel, dictionary: Dictionary, texts: Texts, site: Site) -> float:
    """Return the loss with the reconstruction in the place of the site, in nats per token.

    What stands before the texts is left as it is.
    """

    def replaced(x_BSD: Tensor) -> Tensor:
        x = x_BSD.clone()
        read = x_BSD[:, texts.measured]
        x[:, texts.measured] = dictionary.apply(read.flatten(0, 1)).reshape(read.shape).to(x)
        return x

    total, tokens = 0.0, 0
    first = max(texts.specials, 1)
    for begin in range(0, len(texts.ids_NS), BATCH):
        ids_BS = texts.ids_NS[begin : begin + BATCH].to(lm.device)
        with torch.no_grad(), intervention(lm, site, replaced):
            logits = lm.model(input_ids=ids_BS, use_cache=False).logits.float()
        total += float(
            torch.nn.functional.cross_entropy(
                logits[:, first - 1 : -1].flatten(0, 1), ids_BS[:, first:].flatten(),
                reduction="sum",
            )
        )  # fmt: skip
        tokens += ids_BS[:, first:].numel()
    return total / max(tokens, 1)


def moved_share(before: OnCheckpoint, after: OnCheckpoint) -> float:
    """Return which share of all activation is at other features than before."""
    a, b = before.mean_NF.mean(axis=0), after.mean_NF.mean(axis=0)
    whole = float(a.sum() + b.sum())
    return float(np.abs(a - b).sum()) / whole if whole else 0.0
