"""Monitors that read along while a model writes: what each says of every token.

S tokens, K components of what a monitor reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sae_desktop.steering.config import WatchedText
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.gating import RunningPool
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.readers import ReadyGate


class Watching:
    """The monitors of a run, made ready."""

    def __init__(self, preparer: Preparer, monitors: Sequence[str]) -> None:
        """Raises UserError for a monitor that is not there, or is of another model."""
        self._gates = {name: preparer.gate(Gate(monitor=name)) for name in monitors}

    @property
    def gates(self) -> list[ReadyGate]:
        """What a `Steering` has to be given for its passes to be watched."""
        return list(self._gates.values())

    def texts(self, steering: Steering, row: int, span: slice, prompt: int) -> list[WatchedText]:
        """Return what each says of a row's tokens in the pass made last.

        `span`: the columns of its text; `prompt`: how many of them are of the prompt.
        """
        if steering.gates is None:
            return []
        return [
            watched_text(name, gate, steering.gates.components(gate, row)[span], prompt)
            for name, gate in self._gates.items()
        ]


def watched_text(name: str, gate: ReadyGate, found_SK: Tensor, prompt: int) -> WatchedText:
    """Return what a monitor says of a text (S, K), read as one unit."""
    reader = gate.reader
    every_1S = torch.ones(1, len(found_SK), dtype=torch.bool, device=found_SK.device)
    pooled_SK = RunningPool(reader.pool).take(found_SK[None], every_1S, fresh=True)[0]
    so_far_S = reader.score(pooled_SK)
    own_S = so_far_S if reader.pool == "mean" else reader.score(found_SK)
    above_S = own_S > gate.above
    if reader.pool == "max":
        fired_S = so_far_S > gate.above
        before_S = torch.cat([fired_S.new_zeros(1), fired_S[:-1]])
        above_S = above_S | (fired_S & ~before_S)
    return WatchedText(
        monitor=name, threshold=gate.above, scores=own_S.float().tolist(), prompt=prompt,
        hits=above_S.nonzero()[:, 0].tolist(),
    )  # fmt: skip
