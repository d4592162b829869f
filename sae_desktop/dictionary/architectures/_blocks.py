"""Gradients by the plain formula, one block of rows at a time, so that only a block needs memory.

For a loss that is a mean over independent rows.
"""

from __future__ import annotations

import torch

from sae_desktop.dictionary.architectures.base import Architecture, Batch, Loss, StepState

BLOCK_BYTES = 32 * 2**20
"""Of one of the matrices of activations that autograd keeps of a block of rows."""
FEWEST_ROWS = 64
_MATRICES = 9
_FLOAT = 4


def gradients_in_blocks(
    architecture: Architecture, features: int, batch: Batch, state: StepState
) -> Loss:
    """Compute the loss of a batch and set `.grad` of every parameter."""
    for parameter in architecture.parameters.values():
        parameter.grad = None
    rows = len(batch.x_TI)
    size = _rows_at_once(features)
    found: list[Loss] = []
    for first in range(0, rows, size):
        block = Batch(batch.x_TI[first : first + size], batch.y_TO[first : first + size])
        share = len(block.x_TI) / rows
        loss = architecture.loss(block, state)
        (share * loss.total).backward()  # type: ignore[no-untyped-call]
        terms = {name: share * term.detach() for name, term in loss.terms.items()}
        found.append(Loss(share * loss.total.detach(), terms, loss.fired_F, share * loss.l0))
    return Loss(
        total=torch.stack([loss.total for loss in found]).sum(),
        terms={k: torch.stack([loss.terms[k] for loss in found]).sum() for k in found[0].terms},
        fired_F=state.mates.summed(torch.stack([loss.fired_F for loss in found]).sum(dim=0)),
        l0=state.mates.per_row(rows * sum(loss.l0 for loss in found), rows),
    )


def block_step_bytes(features: int, rows: int) -> int:
    """Return the memory that the activations of such a step take."""
    return _MATRICES * _FLOAT * min(rows, _rows_at_once(features)) * features


def _rows_at_once(features: int) -> int:
    return max(BLOCK_BYTES // (_FLOAT * features), FEWEST_ROWS)
