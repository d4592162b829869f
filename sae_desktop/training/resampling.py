"""Resampling of dead features (Towards Monosemanticity, 2023, "Neuron Resampling").

At a few moments of the first half of a run each dead feature is reinitialised, from a row that is
drawn with a probability proportional to the square of its loss. Its encoder and decoder point
along the row less the decoder's bias; its encoder has a fifth of the mean length of the living
features' encoders, its decoder their mean length, its bias is 0, and Adam forgets it.

Shape legend: T rows, I input width, O output width, F features, N dead features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures import Architecture, Batch
from sae_desktop.training.trainer import TrainerState

RESAMPLE_SHARES = (1 / 8, 1 / 4, 3 / 8, 1 / 2)
"""Of the run; the paper's: steps 25,000, 50,000, 75,000 and 100,000 of 200,000."""
ENCODER_SHARE = 0.2
SAMPLE_ROWS = 65_536
"""Rows of which those of a high loss are looked for, at most."""

_ACTIVATIONS_AT_ONCE = 2**25
_SHARED = {"b_dec", "W_skip"}
"""Parameters that belong to no single feature, whatever their size."""
_NEEDED = ("W_enc", "W_dec", "b_enc", "b_dec")


def resamples_at(step: int, steps: int) -> bool:
    """Return whether dead features start again after a given number of a run's steps."""
    return any(step == max(1, round(share * steps)) for share in RESAMPLE_SHARES)


def can_resample(architecture: Architecture) -> bool:
    """Return whether an architecture has one encoder and one decoder row a feature."""
    return all(name in architecture.parameters for name in _NEEDED)


@torch.no_grad()
def resample(state: TrainerState, dead_window: int, rows: Batch, seed: int) -> int:
    """Let dead features start again from normalised `rows` (on the CPU); return how many did.

    `seed` decides which rows; the same state, rows and seed give the same weights.
    """
    dead_F = state.firing.dead(dead_window)
    ids_N = torch.nonzero(dead_F).squeeze(1)
    if not len(ids_N):
        return 0
    losses_T = row_losses(state.architecture, rows, state.device)
    generator = torch.Generator().manual_seed(seed)
    weights_T = losses_T.cpu().double().square()
    chosen_N = torch.multinomial(weights_T, len(ids_N), replacement=True, generator=generator)
    _begin_anew(state.architecture, ids_N, dead_F, rows, chosen_N)
    _forget(state.optimiser, state.architecture, ids_N)
    state.firing.silent_rows[ids_N] = 0
    return len(ids_N)


def row_losses(architecture: Architecture, rows: Batch, device: torch.device) -> Tensor:
    """Return (T,) ‖y − ŷ‖² of each row."""
    features = len(architecture.parameters["b_enc"])
    size = max(1, _ACTIVATIONS_AT_ONCE // features)
    losses = []
    for x, y in zip(rows.x_TI.split(size), rows.y_TO.split(size), strict=True):  # type: ignore[no-untyped-call]
        x_TI = x.to(device)
        written = architecture.decode(architecture.encode(x_TI), x_TI)
        losses.append((y.to(device) - written).square().sum(dim=1))
    return torch.cat(losses)


def _begin_anew(
    architecture: Architecture, ids_N: Tensor, dead_F: Tensor, rows: Batch, chosen_N: Tensor
) -> None:
    p = {name: parameter.data for name, parameter in architecture.parameters.items()}
    alive_F = ~dead_F
    y_NO = rows.y_TO[chosen_N].to(ids_N.device) - p["b_dec"]
    if rows.x_TI is rows.y_TO:
        x_NI = y_NO
    else:
        x_NI = (rows.x_TI[chosen_N] - rows.x_TI.mean(dim=0)).to(ids_N.device)
    p["W_dec"][ids_N] = _unit(y_NO) * _mean_norm(p["W_dec"], alive_F)
    p["W_enc"][ids_N] = _unit(x_NI) * ENCODER_SHARE * _mean_norm(p["W_enc"], alive_F)
    for name, values in p.items():
        if values.shape == dead_F.shape and name not in _SHARED:
            # A bias begins at 0; a threshold or a gate's scale as the living ones are.
            values[ids_N] = 0.0 if name.startswith("b_") else values[alive_F].mean().nan_to_num()


def _unit(rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=1)


def _mean_norm(W: Tensor, alive_F: Tensor) -> Tensor:
    """The mean norm of the living features' rows; of all where none lives."""
    norm: Tensor = W[alive_F if bool(alive_F.any()) else ~alive_F].norm(dim=1).mean()
    return norm


def _forget(optimiser: torch.optim.Optimizer, architecture: Architecture, ids_N: Tensor) -> None:
    features = len(architecture.parameters["b_enc"])
    for name, parameter in architecture.parameters.items():
        if len(parameter) != features or name in _SHARED:
            continue
        for moment in optimiser.state[parameter].values():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moment[ids_N] = 0
