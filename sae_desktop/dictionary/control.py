"""The random-direction control: what a dictionary reaches that has learned nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures.base import random_directions
from sae_desktop.dictionary.dictionary import Dictionary


def random_direction_dictionary(
    sample_TD: Tensor, features: int, l0: float, seed: int
) -> Dictionary:
    """Return a dictionary of random unit directions, made as good as such a one gets.

    The encoder is the decoder's transpose around the mean of the sample of raw rows (T, D);
    one threshold brings the mean L0 on the sample to `l0`, and one common gain, folded into
    encoder and threshold, makes the squared error least.
    """
    generator = torch.Generator().manual_seed(seed)
    W_dec = random_directions(features, sample_TD.shape[1], generator).to(sample_TD)
    mean = sample_TD.mean(dim=0)
    centred = sample_TD - mean
    pre_TF = centred @ W_dec.T
    threshold = _threshold_for(pre_TF, l0)
    reconstruction = torch.where(pre_TF > threshold, pre_TF, 0.0) @ W_dec
    power = float(reconstruction.pow(2).sum())
    gain = float((reconstruction * centred).sum()) / power if power > 0 else 1.0
    return Dictionary(
        W_enc=gain * W_dec.T.contiguous(),
        b_enc=-gain * (W_dec @ mean),
        W_dec=W_dec,
        b_dec=mean,
        threshold=torch.full((features,), gain * threshold).to(sample_TD),
    )


def _threshold_for(pre_TF: Tensor, l0: float) -> float:
    """Return the value that l0·T entries of the matrix exceed, but never less than 0."""
    count = min(max(1, round(l0 * len(pre_TF))), pre_TF.numel())
    return max(0.0, float(torch.topk(pre_TF.flatten(), count).values[-1]))
