"""How well a cross-layer transcoder writes each layer's output, and how many features do it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sae_desktop.dictionary.architectures import Batch
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.training.set_config import SetLayerFigures

_ROWS_AT_ONCE = 1024


def across_figures(
    layers: Sequence[int], across: CrossLayerDictionary, rows: Batch, dead_fraction: float
) -> tuple[SetLayerFigures, ...]:
    """Return FVU and L0 of each layer on raw rows.

    L0 counts the layer's own features. FVU is Σ‖y − ŷ‖² over Σ‖y − ȳ‖² of what the layer writes.
    """
    count = len(layers)
    errors, spread, fired = torch.zeros(3, count, dtype=torch.float64)
    mean_O = rows.y_TO.double().mean(dim=0).float()
    with torch.no_grad():
        for begin in range(0, len(rows.x_TI), _ROWS_AT_ONCE):
            x, y = (side[begin : begin + _ROWS_AT_ONCE] for side in rows)
            activations = across.encode(x.to(across.device))
            written = across.decode(activations).cpu()
            errors += (y - written).double().square().reshape(len(y), count, -1).sum(dim=(0, 2))
            spread += (y - mean_O).double().square().reshape(len(y), count, -1).sum(dim=(0, 2))
            on = (activations > 0).reshape(len(y), count, -1)
            fired += on.sum(dim=(0, 2)).cpu()
    return tuple(
        SetLayerFigures(
            layer=layer,
            fvu=float(errors[n] / spread[n].clamp_min(1e-30)),
            l0=float(fired[n] / max(len(rows.x_TI), 1)),
            dead_fraction=dead_fraction,
        )
        for n, layer in enumerate(layers)
    )
