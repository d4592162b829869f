"""Quiet advice about a training run, a line under the curve it concerns. Free of Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sae_desktop.training.config import TrainConfig
from sae_desktop.words.amounts import share_text, short_count
from sae_desktop.words.curve_buffer import CurveBuffer

_SETTLED_SHARE = 0.15
"""Before this share of the run, curves still move too much to say anything."""
_EXPLODED = 10.0
"""A loss this many times its least is said at once, settled or not."""
_DEAD = 0.10
_DENSE = 0.10
_L0_OFF = 0.2
_EXPLAINED, _FEW_ACTIVE = 0.5, 3.0
"""λ is too large when less is explained while fewer are active."""
_HIGH_FVU = 0.4
_MOST_ACTIVE = 300.0
"""The largest mean L0 of the runs of Scaling Monosemanticity."""
_CROWDED = 0.5
"""An L0 over this share of the width is no longer sparse."""
_STILL_FALLING = 0.95
"""FVU that fell to this share of itself over the last fifth of the run has not settled."""
_RISE, _SHAKE = 1.15, 0.5
_GRADIENT_SPIKE = 10.0
_SHRUNK = 0.8
_WAITED = 0.2


def advice(
    config: TrainConfig,
    buffer: CurveBuffer,
    *,
    heeds: Sequence[str] = ("k", "sparsity"),
    width: int = 0,
) -> dict[str, str]:
    """Return column → a sentence; columns with nothing to say are left out.

    `heeds`: settings the architecture uses; `width` of the activations, 0 when unknown.
    """
    if _exploded(buffer):
        return {"loss": "The loss has exploded: the learning rate is far too high."}
    rows = buffer.last("rows")
    if rows is None or rows < _SETTLED_SHARE * config.tokens:
        return {}
    found = {
        "loss": _loss(buffer),
        "fvu": _fvu(buffer, heeds),
        "l0": _l0(config, buffer, heeds, width),
        "dead_fraction": _dead(config, buffer),
        "dense_fraction": _dense(buffer, heeds),
        "gradient_norm": _gradient(buffer),
        "shrinkage": _shrinkage(buffer, heeds),
        "waited_share": _waited(buffer),
        "loss_recovered": _recovered(buffer),
    }
    return {column: text for column, text in found.items() if text}


def _loss(buffer: CurveBuffer) -> str:
    _, loss = buffer.curve("loss")
    if len(loss) < 40:
        return ""
    tenth = max(len(loss) // 10, 4)
    # λ that is still warming up raises the loss without anything being wrong.
    _, weight = buffer.curve("sparsity_coefficient")
    warming = len(weight) > tenth and weight[-1] > 1.01 * weight[-tenth]
    before, now = float(np.median(loss[-3 * tenth : -2 * tenth])), loss[-tenth:]
    if before > 0 and float(np.median(now)) > _RISE * before and not warming:
        return "The loss is rising: a lower learning rate is steadier."
    if float(np.std(np.diff(now))) > _SHAKE * abs(float(np.median(now))):
        return "The loss jumps: a lower learning rate, or a larger batch, is steadier."
    return ""


def _exploded(buffer: CurveBuffer) -> bool:
    _, loss = buffer.curve("loss")
    return len(loss) >= 10 and float(loss[-1]) > _EXPLODED * max(float(loss.min()), 1e-9)


def _fvu(buffer: CurveBuffer, heeds: Sequence[str]) -> str:
    fvu, l0 = buffer.last("fvu"), buffer.last("l0")
    if fvu is None:
        return ""
    starved = "sparsity" in heeds and "k" not in heeds and l0 is not None and l0 < _FEW_ACTIVE
    if fvu > 1 - _EXPLAINED and starved:
        return (
            f"λ is too large: {share_text(max(1 - fvu, 0.0), 0)} of the variance is explained, "
            f"with {short_count(l0 or 0)} features per row. Try half of it."
        )
    if fvu > _HIGH_FVU and _falling(buffer):
        return (
            f"{share_text(fvu, 0)} of the variance is not explained, and this is still falling: "
            f"train on more rows."
        )
    if fvu > _HIGH_FVU:
        more = "a larger k" if "k" in heeds else "a smaller λ"
        return f"{share_text(fvu, 0)} of the variance is not explained: try {more}."
    return ""


def _falling(buffer: CurveBuffer) -> bool:
    rows, fvu = buffer.curve("fvu")
    before = fvu[rows <= 0.8 * rows[-1]]
    return len(before) > 0 and float(fvu[-1]) < _STILL_FALLING * float(before[-1])


def _l0(config: TrainConfig, buffer: CurveBuffer, heeds: Sequence[str], width: int) -> str:
    l0 = buffer.last("l0")
    if l0 is None:
        return ""
    less = "a smaller k" if "k" in heeds else "a larger λ"
    if l0 < 1.0:
        more = "a larger k" if "k" in heeds else "a smaller λ"
        return f"Less than one feature fires per row: {more} keeps more of them."
    if width and l0 > _CROWDED * width:
        return (
            f"{short_count(l0)} features for a row of {short_count(width)} numbers is not sparse: "
            f"try {less}."
        )
    if l0 > _MOST_ACTIVE:
        return f"More than {_MOST_ACTIVE:.0f} features per row are hard to read: try {less}."
    if "k" in heeds and abs(l0 - config.k) > _L0_OFF * config.k:
        if l0 > config.k:
            why = "the threshold lags behind"
        else:
            why = "not enough features have anything to add"
        return f"L0 is {short_count(l0)} where k asks for {config.k}: {why}."
    return ""


def _dead(config: TrainConfig, buffer: CurveBuffer) -> str:
    dead = buffer.last("dead_fraction")
    if dead is None or dead <= _DEAD:
        return ""
    ways = ["fewer features", "more rows", "a lower learning rate"]
    if not config.resample and config.target != "cross_layer_transcoder":
        ways.append("resampling")
    return (
        f"{share_text(dead, 0)} of the features are dead: {', '.join(ways[:-1])} or {ways[-1]} "
        "helps."
    )


def _dense(buffer: CurveBuffer, heeds: Sequence[str]) -> str:
    dense = buffer.last("dense_fraction")
    if dense is None or dense <= _DENSE:
        return ""
    less = "a smaller k" if "k" in heeds else "a larger λ"
    return (
        f"{share_text(dense, 0)} of the features fire on more than a tenth of the rows: few of "
        f"them will mean one thing. Try {less} or more features."
    )


def _gradient(buffer: CurveBuffer) -> str:
    _, norms = buffer.curve("gradient_norm")
    late = norms[-(len(norms) // 3) :]
    if len(late) < 10:
        return ""
    usual, most = float(np.median(late)), float(late.max())
    if usual > 0 and most > _GRADIENT_SPIKE * usual:
        return (
            f"The gradient jumps to {most / usual:.0f} times its usual norm: a lower learning "
            "rate, or a larger batch, is steadier."
        )
    return ""


def _shrinkage(buffer: CurveBuffer, heeds: Sequence[str]) -> str:
    shrinkage = buffer.last("shrinkage")
    if shrinkage is None or not math.isfinite(shrinkage) or shrinkage >= _SHRUNK:
        return ""
    way = "a smaller λ" if "k" not in heeds else "more rows"
    return f"Activations come out at {share_text(shrinkage, 0)} of what fits best: {way} helps."


def _waited(buffer: CurveBuffer) -> str:
    waited = buffer.last("waited_share")
    if waited is None or waited <= _WAITED:
        return ""
    return f"{share_text(waited, 0)} of the time is spent waiting for data: the disk is too slow."


def _recovered(buffer: CurveBuffer) -> str:
    recovered = buffer.last("loss_recovered")
    if recovered is None or recovered >= 0:
        return ""
    return (
        "The model does worse with the reconstruction than with zeros: nothing has been "
        "learned yet."
    )
