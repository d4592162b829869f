"""How λ is led, where none was chosen, so that as many features are active as were asked for.

A weight of the sparsity loss that suits one width and one kind of data empties a dictionary on
another: at λ = 10, right for rows of width 256, nothing is active on rows of width 64. Where no
λ was chosen, it is therefore found from L0. What is aimed at begins at several times k, so that
directions form while much is active, and falls to k, evenly in its logarithm, over the first
half of the run.

Where the penalty acts on thresholds alone, which answer at once, λ is the slope of a quadratic
penalty on the batch's mean L0 (after Rajamanoharan et al., 2024, and Gemma Scope 2):

    D·(L0/k' − 1)²,   so   λ = 2·D/k'·(L0/k' − 1)   for each active feature

It may be negative: too few are active. Where the penalty is an L1 on what also makes the
features, L0 answers with delay, and a controller integrates its error:

    e = log(L0' / k'),   L0' = L0 as it will be in h steps if it goes on as it does
    log λ ← log λ + e / h,  kept within bounds;   used: exp(log λ + p·e)

It comes to rest only where L0 is what is aimed at; it looks ahead, since it would swing without
it. Its bound is where an L1 leaves nothing of an activation of the usual size, √(D/k), which it
shrinks by λ/2: a λ above that empties the dictionary before L0 can answer.
"""

from __future__ import annotations

import math

from torch import Tensor, tensor

from sae_desktop.dictionary.architectures.base import Setup

REFERENCE_WIDTH, REFERENCE_K = 256, 32
"""For which the recipe's numbers were found right; what counts of λ is its part of E‖x‖² = D."""
AT_START = 4.0
"""What is aimed at when the run begins, as a multiple of k; at most …"""
_MOST_AT_START = 0.25
"""… this share of all features."""
_FALLS_OVER = 0.5
"""Share of the run after which k itself is aimed at."""
LAST_L0, CONTROLLER = "recent_l0", "l0_controller"
"""Names of the buffers."""
BUFFERS = frozenset({LAST_L0, CONTROLLER})

_HORIZON = 0.04
"""h as a share of the run …"""
_FEWEST_STEPS = 20
"""… but no fewer steps."""
_FIRST, _LOWEST, _HIGHEST = -3.0, -9.0, 0.0
"""Of log λ, in its unit."""
_PROPORTION = 0.3
"""p: a larger one swings on the built-in model, where λ went from 2 to 8 and back."""
_MOST_ERROR = 1.0
_MEMORY = 0.8
"""Of the running mean of L0, over batches."""


def activation_unit(width: int, k: int) -> float:
    """Return the usual size of an activation, √(D/k), as a multiple of that of the reference."""
    return math.sqrt(width / k * REFERENCE_K / REFERENCE_WIDTH)


def l1_unit(width: int, k: int) -> float:
    """Return the λ at which an L1 shrinks an activation of the usual size, √(D/k), to nothing."""
    return 2 * math.sqrt(width / k)


def l0_at_start(setup: Setup) -> float:
    """Return what is aimed at when the run begins."""
    if setup.k_start:
        return float(setup.k_start)
    return max(setup.k, min(AT_START * setup.k, _MOST_AT_START * setup.features))


def l0_aimed_at(setup: Setup, taken: float) -> float:
    """Return it once a share of the run's steps is taken."""
    left = max(0.0, 1 - taken / _FALLS_OVER)
    return float(setup.k * (l0_at_start(setup) / setup.k) ** left)


class L0Price:
    """λ as the slope of the quadratic penalty; remembers the last L0 in a buffer."""

    def __init__(self, buffers: dict[str, Tensor], setup: Setup, width: int) -> None:
        """Take the architecture's buffers, and the width of what it writes."""
        self._buffers, self._setup, self._width = buffers, setup, width
        if setup.aims_at_k:
            buffers[LAST_L0] = tensor(-1.0)  # none yet

    def sparsity(self, taken: float) -> float:
        """Return λ for the next step."""
        l0, aim = float(self._buffers[LAST_L0]), l0_aimed_at(self._setup, taken)
        return 0.0 if l0 < 0 else 2 * self._width / aim * (l0 / aim - 1)

    def update(self, l0: float) -> None:
        """Take the L0 of a batch."""
        if self._setup.aims_at_k:
            self._buffers[LAST_L0].fill_(l0)


class L0Controller:
    """λ by the integral of L0's error; remembers in a buffer how L0 goes."""

    def __init__(self, buffers: dict[str, Tensor], setup: Setup, unit: float) -> None:
        """Take the architecture's buffers, and a λ at which hardly a feature is worth its price."""
        self._buffers, self._setup = buffers, setup
        self._unit = unit
        self._horizon = max(_HORIZON * setup.steps, _FEWEST_STEPS)
        if setup.aims_at_k:
            # log L0 and its change a step, running means; log λ; log of what was aimed at.
            start = math.log(l0_at_start(setup))
            buffers[CONTROLLER] = tensor([math.nan, 0.0, _FIRST, start])

    def sparsity(self, taken: float) -> float:
        """Return λ for the next step."""
        log_l0, change, log_weight, _ = self._buffers[CONTROLLER].tolist()
        aim = math.log(l0_aimed_at(self._setup, taken))
        self._buffers[CONTROLLER][3] = aim
        return self._unit * math.exp(
            min(_HIGHEST, log_weight + _PROPORTION * self._error(log_l0, change, aim))
        )

    def update(self, l0: float) -> None:
        """Take the L0 of a batch."""
        if not self._setup.aims_at_k:
            return
        before, change, log_weight, aim = self._buffers[CONTROLLER].tolist()
        now = math.log(max(l0, 1e-3 * self._setup.k))
        if math.isnan(before):
            before = now
        log_l0 = _MEMORY * before + (1 - _MEMORY) * now
        change = _MEMORY * change + (1 - _MEMORY) * (log_l0 - before)
        log_weight += self._error(log_l0, change, aim) / self._horizon
        log_weight = min(max(log_weight, _LOWEST), _HIGHEST)
        self._buffers[CONTROLLER].copy_(tensor([log_l0, change, log_weight, aim]))

    def _error(self, log_l0: float, change: float, aim: float) -> float:
        if math.isnan(log_l0):
            return 0.0
        ahead = log_l0 + self._horizon * change - aim
        return min(max(ahead, -_MOST_ERROR), _MOST_ERROR)
