"""Quiet advice about a training run, a line under the curve it concerns. Free of Qt."""

from __future__ import annotations

import numpy as np

from sae_desktop.gui.amounts import count_text, share_text
from sae_desktop.gui.curve_buffer import CurveBuffer
from sae_desktop.training.config import TrainConfig

_SETTLED_SHARE = 0.15
"""Before this share of the run, curves still move too much to say anything."""
_DEAD = 0.10
_L0_OFF = 0.2
_HIGH_FVU = 0.4
_RISE = 1.15


def advice(config: TrainConfig, buffer: CurveBuffer) -> dict[str, str]:
    """Return column → a sentence; columns with nothing to say are left out."""
    rows = buffer.last("rows")
    if rows is None or rows < _SETTLED_SHARE * config.tokens:
        return {}
    found: dict[str, str] = {}
    dead, l0, fvu = (buffer.last(name) for name in ("dead_fraction", "l0", "fvu"))
    if dead is not None and dead > _DEAD:
        found["dead_fraction"] = (
            f"{share_text(dead, 0)} of the features are dead: fewer features, more tokens or a "
            "lower learning rate help."
        )
    if l0 is not None and config.architecture == "batchtopk":
        off = abs(l0 - config.k) / config.k
        if off > _L0_OFF:
            found["l0"] = f"L0 is {count_text(l0)} where k asks for {config.k}."
    if l0 is not None and config.architecture == "standard" and l0 < 1.0:
        found["l0"] = "Less than one feature fires for a row: a smaller λ keeps more of them."
    if fvu is not None and fvu > _HIGH_FVU:
        more = "a larger k" if config.architecture == "batchtopk" else "a smaller λ"
        found["fvu"] = f"{share_text(fvu, 0)} of the variance is left over: try {more}."
    if _rising(buffer):
        found["loss"] = "The loss is rising: a lower learning rate is steadier."
    return found


def _rising(buffer: CurveBuffer) -> bool:
    _, loss = buffer.curve("loss")
    if len(loss) < 40:
        return False
    tenth = max(len(loss) // 10, 4)
    before = float(np.median(loss[-3 * tenth : -2 * tenth]))
    return bool(before > 0 and float(np.median(loss[-tenth:])) > _RISE * before)
