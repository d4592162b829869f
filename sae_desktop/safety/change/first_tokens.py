"""(b) The difference of activations at the first tokens of random text, and what it says.

Minder et al. (2025, arXiv 2510.13900): it names what a fine-tune was for. N texts, P first tokens,
D width, V vocabulary.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sae_desktop.dictionary import Dictionary
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.sites.tail import tail
from sae_desktop.safety.change.chance import halves_agree, sign_flip_p
from sae_desktop.safety.change.reading import FIRST, Reading, Texts
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import continuations
from sae_desktop.steering.interventions import Positions

Array = npt.NDArray[Any]
_PROMPTS, _WRITTEN = 6, 24
_DRAWN = 64
"""Random directions beside the difference."""
_TINY = 1e-12


class Difference(NamedTuple):
    mean_PD: Tensor
    length: float
    """Of the mean over texts and positions, in shares of the typical norm there."""
    p: float
    agreement: float


def difference(before: Reading, after: Reading, texts: Texts, seed: int) -> Difference:
    """Return the mean difference of two checkpoints' activations at the first tokens."""
    x_NPD, y_NPD = before.x_NSD[:, texts.first], after.x_NSD[:, texts.first]
    mean_PD = (y_NPD - x_NPD).mean(dim=0)
    by_text_ND = (y_NPD - x_NPD).mean(dim=1).numpy()
    typical = float(x_NPD.norm(dim=-1).median()) or 1.0
    length = float(mean_PD.mean(dim=0).norm()) / typical
    return Difference(mean_PD, length, sign_flip_p(by_text_ND, seed), halves_agree(by_text_ND))


class Lens(NamedTuple):
    """The difference read as the last layer is."""

    logits_V: Array
    """Logits less their mean, averaged over the positions."""
    beyond_V: Array
    """How far they lie from those of random directions, in their standard deviations: a token
    whose row of the head is long or odd has a large logit with many directions."""


def used(before: Reading, after: Reading) -> Array:
    """Return (V,) bool: tokens that one of two models somewhere finds likelier than 1 in V.

    The others, mostly such as hardly came in training, have rows of the head that were only pushed
    away from everything: what they say of a difference, or of a shift, is not about text.
    """
    highest_V = torch.maximum(before.highest_V, after.highest_V)
    return np.asarray((highest_V >= -math.log(len(highest_V))).numpy())


def lens(lm: LanguageModel, texts: Texts, mean_PD: Tensor, seed: int) -> Lens:
    """Return what the difference stands for, through the final norm and the head, and by chance."""
    ids = texts.ids_NS[:1]
    last = Site(lm.layers - 1, "hook_resid_post")
    stream = capture_sites(lm, ids, None, [last])[last]
    generator = torch.Generator().manual_seed(seed)
    drawn_KPD = torch.randn((_DRAWN, *mean_PD.shape), generator=generator)
    drawn_KPD = normalize(drawn_KPD, dim=-1) * mean_PD.norm(dim=-1, keepdim=True)
    whole_KPD = torch.cat([mean_PD[None], drawn_KPD])
    # As many rows at a time as the text has, for a tail that runs the whole model.
    at_once = stream.shape[1] // len(mean_PD)
    meant: list[Tensor] = []
    with lm.lock, torch.no_grad():
        logits = lm.model(input_ids=ids.to(lm.device), use_cache=False).logits
        read = tail(lm, ids, stream, logits)
        for x_KPD in torch.split(whole_KPD, at_once):
            rows_RD = x_KPD.flatten(0, 1)
            padded = torch.zeros_like(stream)
            padded[0, : len(rows_RD)] = rows_RD.to(stream)
            found_RV = read(padded)[0, : len(rows_RD)].float().cpu()
            found_RV = found_RV - found_RV.mean(dim=-1, keepdim=True)
            meant.append(found_RV.reshape(*x_KPD.shape[:2], -1).mean(dim=1))
    found_KV = torch.cat(meant)
    logits_V, by_chance_KV = found_KV[0], found_KV[1:]
    beyond_V = torch.zeros_like(logits_V)
    if mean_PD.any():  # of the first checkpoint there is no difference
        spread_V = by_chance_KV.std(dim=0).clamp_min(_TINY)
        beyond_V = (logits_V - by_chance_KV.mean(dim=0)) / spread_V
    return Lens(np.asarray(logits_V.numpy()), np.asarray(beyond_V.numpy()))


def dictionary_features(dictionary: Dictionary, mean_PD: Tensor) -> Array:
    """Return (F,): the cosine of each feature's direction with the difference."""
    direction = normalize(mean_PD.mean(dim=0), dim=0)
    rows = normalize(dictionary.W_dec, dim=1)
    return np.asarray((rows @ direction).numpy())


def steered(
    lm: LanguageModel, texts: Texts, mean_PD: Tensor, site: Site, typical: float,
    strength: float, seed: int,
) -> tuple[list[str], list[str], list[str]]:  # fmt: skip
    """Return what the checkpoint writes plainly, with the difference added, and a random one.

    Each after the first tokens of a few texts. The direction is added at every token of the text
    but the special ones, at `strength` typical norms; the random one is as long.
    """
    prompts = texts.ids_NS[:_PROMPTS, : texts.specials + FIRST].tolist()
    direction = normalize(mean_PD.mean(dim=0), dim=0)
    generator = torch.Generator().manual_seed(seed)
    drawn = normalize(torch.randn(direction.shape, generator=generator), dim=0)
    sampling = Sampling(max_new_tokens=_WRITTEN, temperature=0.7, seed=seed)
    found: list[list[str]] = []
    for vector in (None, direction, drawn):
        positions = Positions([0] * len(prompts), texts.specials, [FIRST] * len(prompts))
        transforms = {}
        if vector is not None:
            added = _Added(vector * strength * typical, positions, texts.specials)
            transforms[site] = added
        ids: list[list[int]] = [[] for _ in prompts]
        for step in continuations(lm, prompts, transforms, positions, sampling):
            for row, token in zip(ids, step.ids, strict=True):
                if token is not None:
                    row.append(token)
        found.append([str(lm.tokenizer.decode(row)) for row in ids])
    plain, with_difference, with_random = found
    return plain, with_difference, with_random


class _Added:
    """Adds a vector at all tokens but the special ones."""

    def __init__(self, vector_D: Tensor, positions: Positions, specials: int) -> None:
        self._vector, self._positions, self._specials = vector_D, positions, specials

    def __call__(self, x_BSD: Tensor) -> Tensor:
        columns = self._positions.column + torch.arange(x_BSD.shape[1], device=x_BSD.device)
        return x_BSD + (columns >= self._specials)[None, :, None] * self._vector.to(x_BSD)
