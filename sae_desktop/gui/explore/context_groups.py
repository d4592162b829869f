"""A feature's contexts in the groups in which a person reads them. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.layout import TOP_BUCKET, IndexInfo
from sae_desktop.language_names import language_name
from sae_desktop.words.source_titles import source_title

SHORT_TOP = 6
SHORT_BUCKET = 1
SAME_AROUND = 8
"""Contexts whose tokens are the same so far on either side of the chosen one are duplicates."""


@dataclass(frozen=True)
class ContextGroup:
    """Contexts of like strength under one name."""

    bucket: int
    name: str
    contexts: list[Context]
    hidden: int
    """How many more there are when only some are shown."""
    times: dict[int, int] = field(default_factory=dict)
    """Slot → how many contexts it stands for, where it stands for more than itself."""


def context_groups(
    contexts: Sequence[Context], buckets: int, *, short: bool, scheme: str = "linear"
) -> list[ContextGroup]:
    """Return the strongest contexts, then the buckets from the top down; empty ones left out.

    `buckets` is how many parts the range 0 to maximum (or, of the scheme “quantile”, the
    firings) was cut into. `short` folds duplicates and keeps the first few of each group.
    """
    groups = []
    for bucket in (TOP_BUCKET, *range(buckets, 0, -1)):
        members = [c for c in contexts if c.bucket == bucket]
        if not members:
            continue
        kept, times = members, dict[int, int]()
        if short:
            folded = fold(members)
            kept = [c for c, _ in folded][: SHORT_TOP if bucket == TOP_BUCKET else SHORT_BUCKET]
            times = {c.slot: count for c, count in folded if count > 1}
        top = bucket == TOP_BUCKET
        name = f"Top {len(members)}" if top else bucket_title(bucket, buckets, scheme)
        shown = sum(times.get(c.slot, 1) for c in kept)
        groups.append(ContextGroup(bucket, name, kept, len(members) - shown, times))
    return groups


def fold(contexts: Sequence[Context]) -> list[tuple[Context, int]]:
    """Return the first of the contexts that read the same, and how many there are of each."""
    found: dict[tuple[str, ...], tuple[Context, int]] = {}
    for context in contexts:
        first = max(context.peak - SAME_AROUND, 0)
        # What stands before the peak counts by its distance: a cut at the start is no difference.
        before = tuple(context.tokens[first : context.peak])
        after = tuple(context.tokens[context.peak : context.peak + SAME_AROUND + 1])
        key = (*before, "\x00", *after)
        kept, count = found.get(key, (context, 0))
        found[key] = (kept, count + 1)
    return list(found.values())


def bucket_title(bucket: int, buckets: int, scheme: str = "linear") -> str:
    """Return a bucket's range, such as "60–80% of the maximum"; the 1st begins at 0."""
    step = 100 / buckets
    of = "the maximum" if scheme == "linear" else "its firings"
    return f"{(bucket - 1) * step:.0f}–{bucket * step:.0f}% of {of}"


def origin_text(context: Context, info: IndexInfo | None = None) -> str:
    """Return where a context of an index is from, such as “King James Bible · English”.

    Parts that are not known are left out.
    """
    source, language = source_title(context.source, info), language_name(context.language)
    return " · ".join(part for part in (source, language) if part)
