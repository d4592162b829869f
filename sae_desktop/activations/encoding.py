"""Encoding rows of activations for storage, and measuring them along the way.

Shape legend: R rows, D width of the site, W first rows of windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sae_desktop.activations.config import StoreDtype
from sae_desktop.activations.statistics import RowSums
from sae_desktop.activations.store_writer import EncodedRows
from sae_desktop.devices.copies import Download
from sae_desktop.errors import UserError

INT8_LEVELS = 127.0
_LARGEST_FLOAT16 = 65_504.0
_TORCH = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


class HostRows:
    """Encoded rows on their way to the host: begun at once, waited for where they are used."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        """`tensors`: values (R, D), norms, first norms, (Σx, Σx²), error, and scales of int8."""
        self._download = Download(tensors)

    def finished(self) -> EncodedRows:
        """Wait for the copy and return the rows."""
        stored, *measured = self._download.finished()
        if stored.dtype == torch.bfloat16:
            values = stored.view(torch.int16).numpy().view(np.uint16)
        else:
            values = stored.numpy()
        norms, first_norms, sums, error, *scales = (tensor.numpy() for tensor in measured)
        return EncodedRows(
            values=values,
            scales=scales[0] if scales else None,
            sums=RowSums(
                norms=norms,
                first_norms=first_norms,
                sum_D=sums[0],
                square_D=sums[1],
                error=float(error),
            ),
        )


def encode_rows(x_RD: Tensor, first_WD: Tensor, dtype: StoreDtype) -> HostRows:
    """Encode rows for a store and measure them where they are, and begin to bring them to the host.

    int8 rows are round(x / s) with s = max|x| / 127, a scale a row. `first_WD` are the first
    rows of windows, which may be among `x_RD` or left out of the store.
    """
    x_RD = x_RD.float()
    squares_RD = x_RD.square()
    values, scales = _encoded(x_RD, dtype)
    norms = squares_RD.sum(dim=1).sqrt_()
    first_norms = torch.linalg.vector_norm(first_WD.float(), dim=1)
    sums = torch.stack([x_RD.sum(dim=0), squares_RD.sum(dim=0)])
    measured = [norms, first_norms, sums, _error(x_RD, values, scales)]
    return HostRows([values, *measured, *([] if scales is None else [scales])])


def as_stored(x_RD: Tensor, dtype: StoreDtype) -> Tensor:
    """Return rows as a store gives them back, float32 (R, D): what its dtype leaves of them."""
    return _decoded(*_encoded(x_RD.float(), dtype))


def _encoded(x_RD: Tensor, dtype: StoreDtype) -> tuple[Tensor, Tensor | None]:
    """Return values (R, D) as they are stored, and scales (R,) where there are any."""
    if dtype != "int8":
        return x_RD.to(_TORCH[dtype]), None
    scales = x_RD.abs().amax(dim=1).div_(INT8_LEVELS)
    values = x_RD.div(scales.clamp_min(torch.finfo(torch.float32).tiny)[:, None])
    return values.round_().to(torch.int8), scales


def _decoded(values: Tensor, scales: Tensor | None) -> Tensor:
    return values.float() if scales is None else values.float() * scales[:, None]


def _error(x_RD: Tensor, values: Tensor, scales: Tensor | None) -> Tensor:
    """Return Σ‖x − stored‖², ()."""
    if values.dtype == torch.float32:
        return torch.zeros((), device=x_RD.device)
    return (x_RD - _decoded(values, scales)).square().sum()


def check_finite(rows: EncodedRows, dtype: StoreDtype, origin: str) -> None:
    """Raise UserError for rows that are not numbers, or do not fit into the store's dtype."""
    norms = rows.sums.norms
    if not np.isfinite(norms).all():
        raise UserError(
            f"The model “{origin}” gives activations that are not finite numbers.",
            next_step="Its weights may be damaged, or it may need another precision: try float32 "
            "or bfloat16, or copy the model again.",
        )
    # No value exceeds its row's norm, so mostly nothing need be looked at.
    if dtype != "float16" or float(norms.max(initial=0.0)) <= _LARGEST_FLOAT16:
        return
    if not np.isfinite(rows.values).all():
        raise UserError(
            f"A row of norm {float(norms.max()):,.0f} does not fit into float16, whose largest "
            "value is 65,504.",
            next_step="Harvest under another name, stored as bfloat16 or float32.",
        )
