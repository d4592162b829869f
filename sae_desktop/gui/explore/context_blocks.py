"""The contexts of a feature as blocks of a view: headings, texts, pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.layout import TOP_BUCKET, IndexInfo
from sae_desktop.gui.explore.context_groups import ContextGroup, context_groups, origin_text
from sae_desktop.gui.parts.lit_drawing import LitPicture, decoded_thumbnail
from sae_desktop.gui.parts.passages import BlockItem, Heading, Passage
from sae_desktop.gui.parts.picture_gallery import Pictures, ShownPicture

Kind = Literal["", "pictures", "text"]
"""Which contexts are shown; empty: all."""


def of_kind(contexts: Sequence[Context], kind: Kind) -> list[Context]:
    """Return the contexts that are pictures, those that are texts, or all."""
    if not kind:
        return list(contexts)
    return [c for c in contexts if (c.picture is not None) == (kind == "pictures")]


def context_blocks(
    contexts: Sequence[Context], info: IndexInfo, *, short: bool
) -> tuple[list[BlockItem], list[tuple[int, ...]]]:
    """Return what is shown of contexts, and the slots of those in each block, none in headings."""
    scheme = info.bucket_scheme
    groups = context_groups(contexts, info.buckets, short=short, scheme=scheme)
    first_bucket = next((g for g in groups if g.bucket > TOP_BUCKET), None)
    blocks: list[BlockItem] = []
    slots: list[tuple[int, ...]] = []
    for group in groups:
        note = f"{scheme} buckets" if group is first_bucket else ""
        if group.hidden and group.bucket == TOP_BUCKET:
            total = len([c for c in contexts if c.bucket == TOP_BUCKET])
            note = f"{total - group.hidden} of {total}"
        blocks.append(Heading(group.name, note))
        slots.append(())
        for run in _runs(group.contexts):
            blocks.append(_block(run, group, info))
            slots.append(tuple(c.slot for c in run))
    return blocks, slots


def plain_blocks(
    contexts: Sequence[Context], info: IndexInfo | None = None, *, origins: bool = False
) -> list[BlockItem]:
    """Return contexts in their order, without headings; `origins`: with where they are from."""
    if not origins:
        contexts = [replace(c, source="", language="") for c in contexts]
    return [
        text_passage(run[0], 1, info)
        if run[0].picture is None
        else Pictures(tuple(shown_picture(c, 1, info) for c in run))
        for run in _runs(contexts)
    ]


def _runs(contexts: Sequence[Context]) -> list[list[Context]]:
    """Return texts one by one, and pictures that follow on one another together."""
    runs: list[list[Context]] = []
    for context in contexts:
        if context.picture is not None and runs and runs[-1][0].picture is not None:
            runs[-1].append(context)
        else:
            runs.append([context])
    return runs


def _block(run: list[Context], group: ContextGroup, info: IndexInfo) -> BlockItem:
    first = run[0]
    if first.picture is None:
        times = group.times.get(first.slot, 1)
        return text_passage(first, times, info)
    return Pictures(tuple(shown_picture(c, group.times.get(c.slot, 1), info) for c in run))


def text_passage(context: Context, times: int, info: IndexInfo | None) -> Passage:
    """Return a text as a view shows it; `times`: how many contexts it stands for."""
    origin = origin_text(context, info)
    note = " · ".join(part for part in (f"×{times}" if times > 1 else "", origin) if part)
    return Passage(
        context.tokens, context.activations, context.peak, note, context.starts, context.read
    )


def shown_picture(context: Context, times: int, info: IndexInfo | None) -> ShownPicture:
    """Return a picture as a view shows it."""
    found = context.picture
    assert found is not None
    return ShownPicture(
        LitPicture(decoded_thumbnail(found.thumbnail), found.layout, found.activations),
        found.name,
        origin_text(context, info),
        times,
        context.slot,
        found.place,
        found.digest,
        found.notes,
    )
