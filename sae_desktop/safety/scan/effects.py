"""What a feature does in the model: ablated on a set’s positives, clamped on its near misses.

Beside it the same numbers are written along the directions of features drawn at random, made as
long as its own: features of equal activation. B changes side by side, S tokens of a text, O width
of what is written at all sites.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.read_inputs import read_inputs
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.safety.scan.config import Effect
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.prepare import in_one_pass, written_in_order
from sae_desktop.steering.row_clamp import RowClamp

Array = npt.NDArray[Any]
Measure = Callable[[Tensor, Tensor, Tensor], Tensor]

_CELLS = 2**26
"""Logits computed at once: 256 MB."""


def effect_of(
    opened: OpenedIndex,
    feature: int,
    on: Sequence[list[int]],
    off: Sequence[list[int]],
    controls: int,
    seed: int,
    context: JobContext,
) -> Effect:
    """Return what ablating and clamping a feature does on texts given as tokens.

    `on`: held-out positives, on which it is ablated; `off`: near misses, on which it is set to
    its maximum over the index’s text. Texts of one token are left out. Raises UserError where the
    dictionary does not say what it writes.
    """
    directions_BO = _directions(opened, feature, controls, seed)
    maximum = float(opened.index.columns["max_activation"][feature])
    losses: list[Array] = []
    divergences: list[Array] = []
    for texts, value, kept, measure in (
        (on, 0.0, losses, _losses), (off, maximum, divergences, _divergences),
    ):  # fmt: skip
        for ids in texts:
            context.check_cancelled()
            if len(ids) > 1:
                kept.append(_changes(opened, feature, ids, value, directions_BO, measure))
    ablated_B = np.mean(losses, axis=0) if losses else np.zeros(controls + 1)
    clamped_B = np.mean(divergences, axis=0) if divergences else np.zeros(controls + 1)
    return Effect(
        ablated=float(ablated_B[0]),
        ablated_controls=tuple(ablated_B[1:].tolist()),
        ablated_p=_share(np.abs(ablated_B)),
        clamped=float(clamped_B[0]),
        clamped_controls=tuple(clamped_B[1:].tolist()),
        clamped_p=_share(clamped_B),
    )


def _share(sizes_B: Array) -> float:
    """Return the share of sizes, the first among them, that are at least the first."""
    return float((sizes_B >= sizes_B[0]).mean())


def _directions(opened: OpenedIndex, feature: int, controls: int, seed: int) -> Tensor:
    """Return (B, O): the feature’s own, then those of others, each as long as it."""
    rng = np.random.default_rng([seed, feature])
    fires = np.flatnonzero(np.asarray(opened.index.columns["max_activation"]) > 0)
    others = fires[fires != feature]
    drawn = rng.choice(others, controls, replace=len(others) < controls)
    rows = opened.dictionary.decoder_rows(torch.tensor([feature, *drawn.tolist()])).float()
    whole_BO = torch.cat([rows[:, place.columns] for place in written_in_order(opened)], dim=1)
    lengths_B1 = whole_BO.norm(dim=1, keepdim=True).clamp_min(1e-12)
    scaled_BO: Tensor = whole_BO / lengths_B1 * lengths_B1[0]
    return scaled_BO


def _changes(
    opened: OpenedIndex,
    feature: int,
    ids: list[int],
    value: float,
    directions_BO: Tensor,
    measure: Measure,
) -> Array:
    """Return (B,): what setting the feature to a value does to the text’s own tokens."""
    lm, first = opened.lm, len(opened.bos)
    whole_1S = torch.tensor([opened.bos + ids], device=lm.device)
    read_SI = None if in_one_pass(opened) else read_inputs(opened, whole_1S)[0]
    targets_S = torch.tensor(ids[1:], device=lm.device)
    with lm.lock, torch.no_grad():
        plain_SV = lm.model(input_ids=whole_1S, use_cache=False).logits[0, first:-1].float()
    plain_SV = plain_SV.log_softmax(-1)
    found = []
    for part_BO in torch.split(directions_BO, max(1, _CELLS // plain_SV.numel())):
        rows = len(part_BO)
        positions = Positions([0], 0, [whole_1S.shape[1]])
        positions.begin(0)
        clamp = RowClamp(
            opened, torch.full((rows,), feature), torch.full((rows,), value), positions,
            first=first, directions_BO=part_BO,
        )  # fmt: skip
        if read_SI is not None:
            clamp.take(read_SI[None].expand(rows, -1, -1))
        with lm.lock, torch.no_grad(), ExitStack() as stack:
            for site, transform in clamp.transforms().items():
                stack.enter_context(intervention(lm, site, transform))
            out = lm.model(input_ids=whole_1S.expand(rows, -1), use_cache=False)
            changed_BSV = out.logits[:, first:-1].float().log_softmax(-1)
        found.append(measure(plain_SV, changed_BSV, targets_S).cpu().double().numpy())
    return np.concatenate(found)


def _losses(plain_SV: Tensor, changed_BSV: Tensor, targets_S: Tensor) -> Tensor:
    """Return (B,): by how much the mean loss over the tokens rises, in nats."""
    tokens = torch.arange(len(targets_S))
    less_BS = plain_SV[tokens, targets_S] - changed_BSV[:, tokens, targets_S]
    return less_BS.mean(dim=1)


def _divergences(plain_SV: Tensor, changed_BSV: Tensor, targets_S: Tensor) -> Tensor:
    """Return (B,): the mean KL divergence over the tokens, in nats."""
    del targets_S
    differing_BSV = changed_BSV.exp() * (changed_BSV - plain_SV)
    return differing_BSV.sum(-1).mean(dim=1).clamp_min(0)
