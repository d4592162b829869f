"""The random-direction control: what a dictionary that has learned nothing achieves."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures.base import random_directions
from sae_desktop.dictionary.dictionary import Dictionary

_ACTIVATIONS_AT_ONCE = 2**25
_FEWEST_ROWS = 16


def random_direction_dictionary(
    sample_TI: Tensor,
    features: int,
    l0: float,
    seed: int,
    *,
    target_TO: Tensor | None = None,
    W_skip: Tensor | None = None,
) -> Dictionary:
    """Return a dictionary of random unit directions, made as good as such a one gets.

    `sample_TI` are raw rows, `target_TO` what is to be reconstructed from them; None: the rows
    themselves, and then the encoder is the decoder's transpose. Of a transcoder both sides are
    random, beside its own `W_skip` where it has one. Everything is counted from the sample's
    mean; one threshold brings the mean L0 on the sample to `l0`, and one common gain, folded
    into encoder and threshold, makes the squared error least.
    """
    generator = torch.Generator().manual_seed(seed)
    target = sample_TI if target_TO is None else target_TO
    W_dec = random_directions(features, target.shape[1], generator).to(sample_TI)
    read = W_dec
    if target_TO is not None:
        read = random_directions(features, sample_TI.shape[1], generator).to(sample_TI)
    wanted = target if W_skip is None else target - sample_TI @ W_skip
    mean, bias = sample_TI.mean(dim=0), wanted.mean(dim=0)
    step = -(-len(sample_TI) // max(_FEWEST_ROWS, _ACTIVATIONS_AT_ONCE // features))
    pre_TF = (sample_TI[::step] - mean) @ read.T
    threshold = _threshold_for(pre_TF, l0)
    written = torch.where(pre_TF > threshold, pre_TF, 0.0) @ W_dec
    power = float(written.pow(2).sum())
    gain = float((written * (wanted[::step] - bias)).sum()) / power if power > 0 else 1.0
    if gain < 0:  # a direction read has no sign towards one that is written
        W_dec, gain = -W_dec, -gain
    return Dictionary(
        W_enc=gain * read.T.contiguous(),
        b_enc=-gain * (read @ mean),
        W_dec=W_dec,
        b_dec=bias,
        threshold=torch.full((features,), gain * threshold).to(sample_TI),
        W_skip=W_skip,
    )


def _threshold_for(pre_TF: Tensor, l0: float) -> float:
    """Return the value that l0·T entries of the matrix exceed, but never less than 0."""
    count = min(max(1, round(l0 * len(pre_TF))), pre_TF.numel())
    return max(0.0, float(torch.topk(pre_TF.flatten(), count).values[-1]))
