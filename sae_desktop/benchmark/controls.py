"""The principal components as a dictionary: what needs no training to be reached."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.devices.abilities import float64_of
from sae_desktop.dictionary import Dictionary


def pca_dictionary(sample_TI: Tensor, features: int, l0: float) -> Dictionary:
    """Return a dictionary of principal components, each in both directions.

    As many components as fit into `features`, the largest first: at most 2 × I features. One
    threshold on the coordinates brings the mean L0 on the sample to `l0`, or to as many as there
    are.
    """
    mean = sample_TI.mean(dim=0)
    centred = sample_TI - mean
    # The covariance is I × I, however many rows there are.
    values, vectors = torch.linalg.eigh(float64_of(centred.T @ centred))
    order = torch.argsort(values, descending=True)[: max(1, features // 2)]
    axes_nI = vectors.T[order].to(sample_TI)
    W_dec = torch.cat([axes_nI, -axes_nI])
    coordinates = (centred @ axes_nI.T).abs().flatten()
    count = min(max(1, round(l0 * len(sample_TI))), coordinates.numel())
    threshold = float(torch.topk(coordinates, count).values[-1])
    # What is exactly at the threshold is among the largest.
    below = threshold * (1 - 1e-6)
    return Dictionary(
        W_enc=W_dec.T.contiguous(),
        b_enc=-(W_dec @ mean),
        W_dec=W_dec,
        b_dec=mean,
        threshold=torch.full((len(W_dec),), below).to(sample_TI),
    )
