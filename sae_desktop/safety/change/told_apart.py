"""Which features of a crosscoder over checkpoints are shared, exclusive or rotated.

Decoder norms say where a feature writes: Δnorm = ½(1 + (‖b‖ − ‖a‖)/max) is under 0.1 or over 0.9
for one of a single model. An L1 penalty makes features seem exclusive that are not; Latent Scaling
(Minder et al., 2025, arXiv 2504.02922) finds those: how large a multiple of a feature's share best
explains what is left of a model's row, set against the model where it is largest. Functional
masking (Demou et al., 2026, arXiv 2605.09438) asks on which model's activations a feature depends.

T rows, M models, D width of each, F features.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.safety.change.change_file import KINDS

ABSENT = 0.2
"""A decoder norm below this share of the largest: Δnorm under 0.1 or over 0.9."""
PRESENT = 0.8
"""A decoder norm above this share of the largest: Δnorm between 0.4 and 0.6."""
EXPLAINS = 0.5
"""A scaling above this where the norm says absent: the feature is there after all."""
TURNED = 0.7
"""Two directions of one feature with a cosine below this are not one direction."""
DEAD, SHARED, ROTATED, EXCLUSIVE, DOUBTFUL, PARTIAL = range(len(KINDS))
_ROWS = 2048
_TINY = 1e-12


class ToldApart(NamedTuple):
    norms_FM: Tensor
    """Of the decoder, in each model."""
    relative_FM: Tensor
    """The norms in shares of the feature's largest."""
    cosine_F: Tensor
    """The least cosine between directions in two models that both have the feature; 1 for one."""
    scaling_FM: Tensor
    """Latent Scaling: near 1 where the model has the feature, near 0 where it does not."""
    depends_FM: Tensor
    """The share of the activation that is lost with one model's rows at their mean; 0: dead."""
    density_F: Tensor
    kind_F: Tensor
    """Numbers of KINDS."""
    birth_F: Tensor
    """The first model that has the feature."""
    death_F: Tensor
    """The last model that has it."""


def tell_apart(crosscoder: Dictionary, rows_TI: Tensor) -> ToldApart:
    """Return what each feature of a crosscoder is to each model, from rows of all side by side."""
    parts = list(crosscoder.parts)
    decoders = torch.split(crosscoder.W_dec, parts, dim=1)
    norms_FM = torch.stack([part.norm(dim=1) for part in decoders], dim=1)
    largest_F = norms_FM.max(dim=1)
    relative_FM = norms_FM / largest_F.values.clamp_min(_TINY)[:, None]
    strongest_FD = torch.stack(decoders)[largest_F.indices, torch.arange(len(norms_FM))]
    sums = _sums(crosscoder, rows_TI, strongest_FD)
    density_F = sums.fired_F / len(rows_TI)
    cosine_F = _least_cosine(decoders, relative_FM)
    scaling_FM = _scaling(decoders, strongest_FD, sums)
    kind_F = _kinds(relative_FM, cosine_F, scaling_FM, density_F)
    has_FM = (relative_FM >= EXPLAINS).int()
    birth_F = has_FM.argmax(dim=1)
    death_F = has_FM.shape[1] - 1 - has_FM.flip(1).argmax(dim=1)
    depends_FM = sums.lost_FM / sums.fired_F.clamp_min(1)[:, None]
    return ToldApart(
        norms_FM, relative_FM, cosine_F, scaling_FM, depends_FM, density_F, kind_F, birth_F, death_F
    )


class _Sums(NamedTuple):
    error_FM: Tensor
    """Σ f (e · w): the model's error along the feature's strongest direction."""
    square_F: Tensor
    """Σ f²."""
    fired_F: Tensor
    lost_FM: Tensor
    """Σ over firings of the share that is lost with a model's rows at their mean."""


@torch.no_grad()
def _sums(crosscoder: Dictionary, rows_TI: Tensor, strongest_FD: Tensor) -> _Sums:
    parts, features = list(crosscoder.parts), crosscoder.features
    mean_I = rows_TI.mean(dim=0)
    error_FM, lost_FM = torch.zeros(features, len(parts)), torch.zeros(features, len(parts))
    square_F, fired_F = torch.zeros(features), torch.zeros(features)
    threshold = 0.0 if crosscoder.threshold is None else crosscoder.threshold.clamp_min(0)
    encoders = torch.split(crosscoder.W_enc, parts, dim=0)
    for first in range(0, len(rows_TI), _ROWS):
        x_TI = rows_TI[first : first + _ROWS]
        f_TF = crosscoder.encode(x_TI)
        errors = torch.split(x_TI - crosscoder.decode(f_TF, x_TI), parts, dim=1)
        centred = torch.split(x_TI - mean_I, parts, dim=1)
        fires_TF = f_TF > 0
        square_F += f_TF.square().sum(dim=0)
        fired_F += fires_TF.sum(dim=0)
        for m, (error_TD, part_TD) in enumerate(zip(errors, centred, strict=True)):
            error_FM[:, m] += ((f_TF.T @ error_TD) * strongest_FD).sum(dim=1)
            masked_TF = f_TF - part_TD @ encoders[m]
            masked_TF = torch.where(masked_TF > threshold, masked_TF, 0.0)
            share_TF = ((f_TF - masked_TF) / f_TF.clamp_min(_TINY)).clamp(0, 1)
            lost_FM[:, m] += torch.where(fires_TF, share_TF, 0.0).sum(dim=0)
    return _Sums(error_FM, square_F, fired_F, lost_FM)


def _scaling(decoders: tuple[Tensor, ...], strongest_FD: Tensor, sums: _Sums) -> Tensor:
    """Return (F, M): the best multiples of a feature's share, in shares of the largest.

    What it has to explain in a model is the model's error with the feature's own share put back.
    """
    power_F = strongest_FD.square().sum(dim=1).clamp_min(_TINY)
    own_FM = torch.stack([(part * strongest_FD).sum(dim=1) for part in decoders], dim=1)
    best_FM = own_FM / power_F[:, None]
    best_FM = best_FM + sums.error_FM / (sums.square_F * power_F).clamp_min(_TINY)[:, None]
    return best_FM / best_FM.max(dim=1).values.clamp_min(_TINY)[:, None]


def _least_cosine(decoders: tuple[Tensor, ...], relative_FM: Tensor) -> Tensor:
    unit_MFD = torch.stack([torch.nn.functional.normalize(part, dim=1) for part in decoders])
    cosine_FMM = torch.einsum("mfd,nfd->fmn", unit_MFD, unit_MFD)
    has_FM = relative_FM >= ABSENT
    both_FMM = has_FM[:, :, None] & has_FM[:, None, :]
    return torch.where(both_FMM, cosine_FMM, 1.0).flatten(1).min(dim=1).values


def _kinds(relative_FM: Tensor, cosine_F: Tensor, scaling_FM: Tensor, density_F: Tensor) -> Tensor:
    absent_FM, present_FM = relative_FM < ABSENT, relative_FM >= PRESENT
    lacks_F = absent_FM.any(dim=1)
    clear_F = (absent_FM | present_FM).all(dim=1)
    there_after_all_F = (absent_FM & (scaling_FM >= EXPLAINS)).any(dim=1)
    kind_F = torch.full_like(cosine_F, PARTIAL, dtype=torch.long)
    kind_F[present_FM.all(dim=1)] = SHARED
    kind_F[~lacks_F & (cosine_F < TURNED)] = ROTATED
    kind_F[clear_F & lacks_F] = EXCLUSIVE
    kind_F[lacks_F & there_after_all_F] = DOUBTFUL
    kind_F[density_F == 0] = DEAD
    return kind_F
