"""A feature's contexts in the groups in which a person reads them. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.layout import OTHER_KIND, TOP_BUCKET, IndexInfo
from sae_desktop.language_names import language_name
from sae_desktop.words.source_titles import source_title

SHORT_TOP = 6
SHORT_BUCKET = 1
SHORT_PICTURES = 4
"""Pictures of a bucket: they stand side by side."""
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
    """Return the strongest contexts, those of the kind that is rarer among them, then the buckets
    from the top down; empty ones left out.

    `buckets` is how many parts the range 0 to maximum (or, of the scheme “quantile”, the
    firings) was cut into. `short` folds duplicates and keeps the first few of each group.
    """
    groups = []
    for bucket in (TOP_BUCKET, OTHER_KIND, *range(buckets, 0, -1)):
        members = [c for c in contexts if c.bucket == bucket]
        if not members:
            continue
        kept, times = members, dict[int, int]()
        if short:
            folded = fold(members)
            kept = _first_few([c for c, _ in folded], bucket)
            times = {c.slot: count for c, count in folded if count > 1}
        name = f"Top {len(members)}" if bucket == TOP_BUCKET else ""
        if bucket == OTHER_KIND:
            name = f"Strongest {'on pictures' if members[0].picture else 'on text'}"
            if any((c.picture is None) == (members[0].picture is None) for c in _top(contexts)):
                name = f"Next strongest {'on pictures' if members[0].picture else 'on text'}"
        name = name or bucket_title(bucket, buckets, scheme)
        shown = sum(times.get(c.slot, 1) for c in kept)
        groups.append(ContextGroup(bucket, name, kept, len(members) - shown, times))
    return groups


def _top(contexts: Sequence[Context]) -> list[Context]:
    return [c for c in contexts if c.bucket == TOP_BUCKET]


def _first_few(contexts: Sequence[Context], bucket: int) -> list[Context]:
    """Return those that a short page shows of a group."""
    of_bucket = bucket > TOP_BUCKET
    left = {
        True: SHORT_PICTURES if of_bucket else SHORT_TOP,
        False: SHORT_BUCKET if of_bucket else SHORT_TOP,
    }
    kept = []
    for context in contexts:
        is_picture = context.picture is not None
        if left[is_picture] > 0:
            kept.append(context)
            left[is_picture] -= 1
    return kept


def fold(contexts: Sequence[Context]) -> list[tuple[Context, int]]:
    """Return the first of the contexts that read the same, and how many there are of each."""
    found: dict[tuple[str, ...], tuple[Context, int]] = {}
    for context in contexts:
        if context.picture is not None:
            kept, count = found.get((context.picture.digest,), (context, 0))
            found[(context.picture.digest,)] = (kept, count + 1)
            continue
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
