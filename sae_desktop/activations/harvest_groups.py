"""Windows in groups, and groups in batches of similar length.

A group is the unit of a harvest: its windows are read in the order that wastes least padding,
and its rows are stored in the order of the corpus. Where a group ends depends on nothing but
the corpus and the settings, so that a harvest that continues forms the same ones.

Shape legend: B windows, S tokens of the longest, R rows, W windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sae_desktop.activations.harvest_plan import HarvestPlan
from sae_desktop.activations.picture_windows import GROUP_BYTES, PictureInputs, PictureWindow
from sae_desktop.corpus.documents import Document
from sae_desktop.corpus.picture_documents import PictureReport
from sae_desktop.corpus.records import Report
from sae_desktop.corpus.windows import ReadingPoint, Window


@dataclass(frozen=True)
class TokenBatch:
    """Windows of one forward pass, padded on the right."""

    ids_BS: Tensor
    mask_BS: Tensor | None
    """1 at tokens; None for a causal model, which does not see the padding."""
    kept_R: Tensor
    """Places in the flattened (B·S) of the rows to keep."""
    targets_R: Tensor
    """Their rows in the group."""
    first_B: Tensor
    """Places in the flattened (B·S) of the windows' first tokens."""
    pictures: PictureInputs | None = None
    """What the model is given of windows with pictures; None: the ids say it all."""

    def halves(self) -> list[TokenBatch]:
        """Return the windows as two batches; one if there is one window only."""
        count, length = self.ids_BS.shape
        if count < 2:
            return [self]
        middle = count // 2
        return [self._rows(0, middle, length), self._rows(middle, count, length)]

    def _rows(self, first: int, last: int, length: int) -> TokenBatch:
        inside = (self.kept_R >= first * length) & (self.kept_R < last * length)
        return TokenBatch(
            ids_BS=self.ids_BS[first:last],
            mask_BS=None if self.mask_BS is None else self.mask_BS[first:last],
            kept_R=self.kept_R[inside] - first * length,
            targets_R=self.targets_R[inside],
            first_B=self.first_B[first:last] - first * length,
            pictures=self.pictures and self.pictures.part(first, last),
        )


@dataclass(frozen=True)
class Group:
    """Windows in the order of the corpus, and the batches they are read in."""

    windows: Sequence[Window]
    rows: Sequence[int]
    """Rows kept of each window."""
    batches: Sequence[TokenBatch]


def window_groups(
    plan: HarvestPlan,
    start: ReadingPoint,
    rows: int,
    documents: Iterable[Document] | None = None,
    report: Report | None = None,
) -> Iterator[Group]:
    """Yield groups of windows, from `start` on, that give exactly `rows` rows together.

    The last window is cut to fit, or left out where it has a picture; fewer rows come only then
    and where the corpus ends before. They are of `documents` where these are given, and what is
    left out of these is counted in `report`.
    """
    found: list[Window] = []
    tokens = held = 0
    for window in plan.read(start, documents, report):
        if plan.rows_of(window) > rows and not plan.divisible:
            if isinstance(report, PictureReport):
                report.waiting = plan.rows_of(window)
            break
        if plan.rows_of(window) > rows:
            window = _cut(plan, window, rows)
        rows -= plan.rows_of(window)
        found.append(window)
        tokens += len(window.ids)
        held += window.prepared.bytes if isinstance(window, PictureWindow) else 0
        if rows == 0 or tokens >= plan.group_batches * plan.batch_tokens or held >= GROUP_BYTES:
            yield make_group(plan, found)
            found, tokens, held = [], 0, 0
        if rows == 0:
            return
    if found:
        yield make_group(plan, found)


def _cut(plan: HarvestPlan, window: Window, rows: int) -> Window:
    """Return the beginning of a window that gives more than a given number of rows."""
    excess = plan.rows_of(window) - rows
    body = len(window.ids) - len(plan.windows.suffix) - excess
    spans, left = [], body - len(plan.windows.prefix) - window.repeated
    for span in window.spans:
        if left > 0:
            spans.append(replace(span, length=min(span.length, left)))
        left -= span.length
    if not spans:  # only the row of the special token before the text is left
        spans = [replace(window.spans[0], length=0)]
    return replace(window, ids=[*window.ids[:body], *plan.windows.suffix], spans=tuple(spans))


def make_group(plan: HarvestPlan, found: Sequence[Window]) -> Group:
    """Lay out the batches of some windows, the longest first."""
    rows = [plan.rows_of(window) for window in found]
    starts = [0]
    for count in rows:
        starts.append(starts[-1] + count)
    order = sorted(range(len(found)), key=lambda number: -len(found[number].ids))
    batches, first = [], 0
    while first < len(order):
        longest = len(found[order[first]].ids)
        last = first + max(1, plan.batch_tokens // longest)
        if not plan.padded:
            same = [number for number in order[first:last] if len(found[number].ids) == longest]
            last = first + len(same)
        chosen = [(found[n], starts[n], rows[n]) for n in order[first:last]]
        batches.append(_batch(plan, chosen, longest))
        first = last
    return Group(found, rows, batches)


def _batch(
    plan: HarvestPlan, chosen: Sequence[tuple[Window, int, int]], longest: int
) -> TokenBatch:
    ids_BS = torch.zeros(len(chosen), longest, dtype=torch.long)
    kept, targets = [], []
    for number, (window, start, rows) in enumerate(chosen):
        ids_BS[number, : len(window.ids)] = torch.tensor(window.ids)
        begin = number * longest + plan.lead(window)
        kept.append(torch.arange(begin, begin + rows))
        targets.append(torch.arange(start, start + rows))
    lengths = torch.tensor([len(window.ids) for window, _, _ in chosen])
    mask_BS = (torch.arange(longest)[None, :] < lengths[:, None]).long()
    return TokenBatch(
        ids_BS=ids_BS,
        mask_BS=None if plan.lm.causal else mask_BS,
        kept_R=torch.cat(kept),
        targets_R=torch.cat(targets),
        first_B=torch.arange(len(chosen)) * longest,
        pictures=plan.pictures([window for window, _, _ in chosen], longest),
    )
