"""When an intervention works, and what a monitor reads to know that. Free of torch and Qt."""

from __future__ import annotations

from typing import Literal

import msgspec

Pool = Literal["token", "max", "mean"]
Where = Literal["all", "prompt", "output", "pictures", "words"]
"""pictures: the tokens of the pictures in the prompt; words: all others, those written too."""


class Readout(msgspec.Struct, frozen=True, kw_only=True):
    """What is read at every token, and how it becomes one score.

    With c the activations of `features`, or the value's product with a direction, each pooled over
    the tokens of a unit, the score is Σ weights·c + bias.
    """

    index: str = ""
    """Whose features they are, and whose site is read; empty: a direction at `site`."""
    features: list[int] = []
    """None: the direction `direction` of the monitor's file of tensors."""
    weights: list[float] = []
    """None: 1 each."""
    bias: float = 0.0
    site: str = ""
    """Of a direction; empty: what the dictionary of the index reads."""
    pool: Pool = "token"
    """token: each token by itself; max, mean: over the tokens of a unit read so far."""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Lets an intervention work only where a score is above a threshold.

    One of `monitor`, `feature` and `seed` says what is read. It is what the model computes as it
    runs, at the site before anything is changed there.
    """

    monitor: str = ""
    """A monitor of the project."""
    feature: int | None = None
    """A feature's activation: “when #12 > 3”."""
    index: str = ""
    """Of the feature, or whose site the random direction reads; empty: that is steered with."""
    index_hash: str = ""
    """Of that index's dictionary when the feature was chosen; empty: whatever it is now."""
    seed: int | None = None
    """A random direction of length one: what a gate is compared with."""
    above: float | None = None
    """The score has to be larger; None: the monitor's own threshold, and 0 without a monitor."""
    since: bool = False
    """From the first token on at which it fires, not only at those."""
    where: Where = "all"
    """On which tokens it may fire."""


def gate_text(gate: Gate) -> str:
    """Return a condition in words: “when #12 > 3”, “from the first time “m” fires”."""
    above = f"{gate.above or 0:g}".replace("-", "−")
    if gate.monitor:
        what = f"“{gate.monitor}” fires" + ("" if gate.above is None else f" above {above}")
    elif gate.feature is not None:
        of = f" of {gate.index}" if gate.index else ""
        what = f"#{gate.feature}{of} > {above}"
    else:
        what = f"random direction {(gate.seed or 0) + 1} > {above}"
    where = "" if gate.where == "all" else f" on the {gate.where}"
    return f"{'from the first time' if gate.since else 'when'} {what}{where}"


class GateSource(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate takes from the file of a monitor; the rest of it is left unread."""

    readout: Readout
    threshold: float
    tensors: str = ""
    """The file beside it that holds a direction, and the scores of calibration."""
    dictionary_hash: str = ""
    model: str = ""
    revision: str = ""
    tokenizer: str = ""
