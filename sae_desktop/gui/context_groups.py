"""A feature's contexts in the groups in which a person reads them. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sae_desktop.features.layout import TOP_BUCKET
from sae_desktop.features.reader import Context

SHORT_TOP = 6
SHORT_BUCKET = 1


@dataclass(frozen=True)
class ContextGroup:
    """Contexts of like strength under one name."""

    bucket: int
    name: str
    contexts: list[Context]
    hidden: int
    """How many more there are when only some are shown."""


def context_groups(contexts: Sequence[Context], buckets: int, *, short: bool) -> list[ContextGroup]:
    """Return the strongest contexts, then the buckets from the top down; empty ones left out.

    `buckets` is how many parts of equal width the range 0 to maximum was cut into. `short`
    keeps the first few of each group.
    """
    groups = []
    for bucket in (TOP_BUCKET, *range(buckets, 0, -1)):
        members = [c for c in contexts if c.bucket == bucket]
        if not members:
            continue
        kept = members
        if short:
            kept = members[: SHORT_TOP if bucket == TOP_BUCKET else SHORT_BUCKET]
        name = f"Top {len(members)}" if bucket == TOP_BUCKET else bucket_title(bucket, buckets)
        groups.append(ContextGroup(bucket, name, kept, len(members) - len(kept)))
    return groups


def bucket_title(bucket: int, buckets: int) -> str:
    """Return a bucket's range, such as "60–80% of the maximum"; the 1st begins at 0."""
    step = 100 / buckets
    return f"{(bucket - 1) * step:.0f}–{bucket * step:.0f}% of the maximum"


def origin_text(context: Context) -> str:
    """Return where a context is from, such as "udhr · fr"; parts that are not known left out."""
    return " · ".join(part for part in (context.source, context.language) if part)
