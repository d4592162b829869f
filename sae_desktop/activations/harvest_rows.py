"""From windows of tokens to rows of activations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from sae_desktop.activations.harvest_plan import HarvestPlan
from sae_desktop.activations.store import DOCUMENT_DTYPE, WINDOW_DTYPE, StoreBatch, encode_text
from sae_desktop.corpus.windows import Place, Window, windows
from sae_desktop.errors import UserError
from sae_desktop.language_model.capture import capture_sites


def window_batches(plan: HarvestPlan, start: Place, rows: int) -> Iterator[list[Window]]:
    """Yield batches of windows, from `start` on, that give exactly `rows` rows together.

    The last window is cut to fit; fewer rows come only where the corpus ends before.
    """
    batch: list[Window] = []
    for window in windows(plan.windows, plan.lm.encode, start):
        ids = window.ids[: rows + plan.dropped]
        rows -= len(ids) - plan.dropped
        batch.append(Window(window.document, window.offset, ids))
        if rows == 0 or len(batch) == plan.config.batch:
            yield batch
            batch = []
        if rows == 0:
            return
    if batch:
        yield batch


class RowReader:
    """Runs batches of windows through the model and numbers their documents.

    `documents` and `last_ordinal` say which documents the store already has: how many, and
    the last one's place in the corpus (−1: none).
    """

    def __init__(self, plan: HarvestPlan, documents: int = 0, last_ordinal: int = -1) -> None:
        self._plan = plan
        self._documents = documents
        self._last_ordinal = last_ordinal

    def read(self, batch: list[Window]) -> StoreBatch:
        """Return the rows of a batch.

        Raises UserError when a value does not fit the store's dtype.
        """
        plan = self._plan
        lengths = torch.tensor([len(window.ids) for window in batch])
        ids_BS = torch.zeros(len(batch), int(lengths.max()), dtype=torch.long)
        for row, window in enumerate(batch):
            ids_BS[row, : len(window.ids)] = torch.tensor(window.ids)
        positions_BS = torch.arange(ids_BS.shape[1]).expand_as(ids_BS)
        kept_BS = (positions_BS < lengths[:, None]) & (positions_BS >= plan.dropped)
        captured = capture_sites(plan.lm, ids_BS, None, plan.sites)
        windows_W, documents_N = self._number(batch, (lengths - plan.dropped).tolist())
        return StoreBatch(
            activations={
                str(site): self._stored(acts_BSD[kept_BS.to(acts_BSD.device)])
                for site, acts_BSD in captured.items()
            },
            tokens=ids_BS[kept_BS].numpy().astype("<i4"),
            positions=positions_BS[kept_BS].numpy().astype("<i4"),
            windows=windows_W,
            documents=documents_N,
        )

    def _stored(self, acts_RD: torch.Tensor) -> np.ndarray[Any, np.dtype[Any]]:
        dtype = torch.float16 if self._plan.config.dtype == "float16" else torch.float32
        stored = acts_RD.to(dtype)
        if not torch.isfinite(stored).all():
            if torch.isfinite(acts_RD).all():
                raise UserError(
                    f"An activation of {float(acts_RD.abs().max()):,.0f} does not fit into "
                    "float16, which ends at 65,504.",
                    next_step="Harvest under another name with the dtype float32.",
                )
            raise UserError(
                f"The model “{self._plan.lm.name}” gives activations that are no numbers.",
                next_step="Its weights are damaged: copy or download it again.",
            )
        return stored.cpu().numpy()

    def _number(
        self, batch: list[Window], rows: list[int]
    ) -> tuple[np.ndarray[Any, np.dtype[Any]], np.ndarray[Any, np.dtype[Any]]]:
        records, new = [], []
        first = 0
        for window, length in zip(batch, rows, strict=True):
            document = window.document
            if document.ordinal != self._last_ordinal:
                self._last_ordinal = document.ordinal
                self._documents += 1
                new.append(
                    (
                        document.ordinal,
                        encode_text(document.source),
                        encode_text(document.language, 16),
                        encode_text(document.title),
                    )
                )
            records.append((first, length, self._documents - 1, window.offset))
            first += length
        return np.array(records, dtype=WINDOW_DTYPE), np.array(new, dtype=DOCUMENT_DTYPE)
