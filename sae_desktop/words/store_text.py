"""What the window says of a store's rows. Free of Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sae_desktop.activations.config import (
    OutlierDimension,
    Share,
    SiteFigures,
    StoreDescription,
    VerifyResult,
)
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import (
    exact_count,
    percent_text,
    share_text,
    short_count,
    signed_text,
)
from sae_desktop.words.source_titles import corpus_title, model_title

_DAMAGED_NAMED = 3
_LEAST_FVU = 1e-5
"""Less than this is not worth its digits."""


def plural(count: int, one: str) -> str:
    """Return “1 row”, “1,200 rows”."""
    return f"{exact_count(count)} {one if count == 1 else one + 's'}"


def store_summary(store: StoreDescription) -> str:
    """Return a store in a line: rows, windows, documents, segments, bytes."""
    rows = exact_count(store.rows)
    if store.rows_wanted > store.rows:
        rows += f" of {exact_count(store.rows_wanted)}"
    parts = [f"{rows} rows", plural(store.windows, "window"), plural(store.documents, "document")]
    if store.pictures:
        share = exact_count(store.picture_rows)
        parts.append(f"{plural(store.pictures, 'picture')} with {share} of the rows")
    if store.segments > 1:
        parts.append(plural(store.segments, "segment"))
    size = format_bytes(store.bytes)
    parts.append(f"{size} as {store.dtype}" if store.dtype else size)
    return " · ".join(parts)


def no_tokens_text(store: StoreDescription | None) -> str:
    """Return why no tokens are listed."""
    if store is not None and store.pictures and store.picture_rows == store.rows:
        return "All rows are of pictures, which have no tokens of text."
    return "The rows’ tokens are not known."


def origin_text(store: StoreDescription) -> str:
    """Return where a store is from: model, text, what the weights went through, policy."""
    names = (model_title(store.model), corpus_title(store.corpus))
    return " · ".join(part for part in (*names, store.model_origin, store.policy) if part)


def norm_text(figures: SiteFigures) -> str:
    """Return the norms of a site's rows, and which stand out, in words."""
    text = f"Median norm {_number(figures.median_norm)}."
    if figures.massive_rows:
        are = "is" if figures.massive_rows == 1 else "are"
        text += f" {plural(figures.massive_rows, 'row')} {are} over 10× that."
    else:
        text += " No row is over 10× that."
    if figures.massive_first_rows:
        text += (
            f" Of the windows’ {exact_count(figures.first_rows)} first tokens "
            f"{exact_count(figures.massive_first_rows)} are"
        )
        if figures.first_norm is not None:
            text += f" (mean norm {_number(figures.first_norm)})"
        text += "."
    return text


def storage_text(figures: SiteFigures) -> str:
    """Return what storing costs and by what rows are scaled; empty without rows."""
    if not figures.rows:
        return ""
    fvu = figures.storage_fvu
    cost = "nothing" if fvu <= 0 else "under 0.001%"
    if fvu >= _LEAST_FVU:
        cost = percent_text(fvu)
    parts = [f"Rounding costs {cost} of the variance"]
    if figures.scalar:
        parts.append(f"scalar {figures.scalar:.4g}")
    return "; ".join(parts) + "."


def outlier_rows(outliers: Sequence[OutlierDimension]) -> list[tuple[str, float, str]]:
    """Return (name, share, figure) of the dimensions that stand out."""
    return [
        (
            f"dimension {exact_count(outlier.dimension)}",
            outlier.variance_share,
            f"{share_text(outlier.variance_share)} · mean {signed_text(outlier.mean, 1)}",
        )
        for outlier in outliers
    ]


def share_rows(shares: Sequence[Share], total: int) -> list[tuple[str, float, str]]:
    """Return (name, share of `total` rows, figure)."""
    rows = max(total, 1)
    return [
        (s.name, s.rows / rows, f"{short_count(s.rows)} · {share_text(s.rows / rows)}")
        for s in shares
    ]


def throughput_text(tokens_per_second: float, waited_share: float) -> str:
    """Return the last point of a harvest's metrics in words."""
    if not math.isfinite(tokens_per_second):
        return ""
    text = short_count(tokens_per_second)
    if math.isfinite(waited_share):
        text += f" · waited {share_text(waited_share, 0)}"
    return text


def verified_text(result: VerifyResult) -> str:
    """Return what was found of a store that is as it was written."""
    blocks, size = plural(result.blocks, "block"), format_bytes(result.bytes)
    return f"“{result.name}”, {blocks}, {size}: all intact."


def damage(result: VerifyResult) -> ErrorInfo:
    """Return what was found of a damaged store, the first blocks named."""
    count = len(result.damaged)
    named = "; ".join(result.damaged[:_DAMAGED_NAMED])
    more = f"; and {count - _DAMAGED_NAMED} more" if count > _DAMAGED_NAMED else ""
    are = "is" if count == 1 else "are"
    return ErrorInfo(
        what=f"{count} of {plural(result.blocks, 'block')} of “{result.name}” {are} damaged: "
        f"{named}{more}.",
        kept="The other blocks are intact.",
        next_step="Delete the store and harvest it again, or restore it from a copy.",
        details="\n".join(result.damaged),
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else exact_count(round(value))
