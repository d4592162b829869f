"""What is known of steering with one feature. Free of torch, Qt and HDF5."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["works", "breaks_first", "too_little"]


class KnownStrength(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of steering with one feature, in multiples of its maximum."""

    verdict: Verdict
    """works: `suggested` turns the text and leaves it whole; breaks_first: the text breaks before
    it turns; too_little: it does neither, up to the largest strength tried."""
    suggested: float | None
    turn: float
    """Share of the written tokens that are the feature's own, beyond that in the plain text; of
    none that works, the most among whole texts."""
    low: float
    """From here up to `high` every text tried stayed whole."""
    high: float
