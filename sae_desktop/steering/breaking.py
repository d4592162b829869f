"""When a continuation has fallen apart, and when it has turned towards a feature.

Said here once, for the sweep over strengths, the measuring of features and the words under a
text. Free of torch and Qt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

BROKEN_REPETITION = 0.5
BROKEN_PERPLEXITY = 8.0
TURNED = 0.08
"""Share of tokens that are the feature's own, beyond that in the plain text: one in twelve. Of a
random direction as long, it is rarely reached."""
CRITERION = (
    "at least half of the three-token sequences repeat, or the perplexity under the plain model "
    f"is more than {BROKEN_PERPLEXITY:g} times that of the plain text"
)
"""When a text counts as broken, in words."""
Break = Literal["repeats", "unlikely"]

_RUN = 3


def repetition(ids: Sequence[int]) -> float:
    """Return the share of runs of three tokens that stood there before, 0 to 1."""
    runs = [tuple(ids[i : i + _RUN]) for i in range(len(ids) - _RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def breaking(
    repeated: float,
    perplexity: float | None,
    plain_repeated: float,
    plain_perplexity: float | None,
) -> Break | None:
    """Return how a text has fallen apart, measured beside the plain one; None: it is whole."""
    if repeated >= BROKEN_REPETITION > plain_repeated:
        return "repeats"
    if perplexity is None or plain_perplexity is None:
        return None
    return "unlikely" if perplexity > BROKEN_PERPLEXITY * plain_perplexity else None
