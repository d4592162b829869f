"""Training while harvesting: rows go from the model into a pool, and no store is written.

The harvest's own plan, windows and rows are used. Some of the first documents are held out whole
(of a corpus read file after file the first windows); the first windows of the others are measured
for the scalars, and are the first to be trained on. Rows fill one pool after
the other, and of a full pool they are drawn in an order that depends on the seed and the pool's
number alone. When the corpus ends it is read again, without the windows held out. Documents
alike to one held out are never trained on.

A checkpoint says at which window its pool begins. A resumed run harvests the windows held out
and those measured once more, continues at that window, and comes to the same rows in the same
order. They are the same bit for bit where the model is: on the CPU with as many threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch

from sae_desktop.activations.harvest_groups import window_groups
from sae_desktop.activations.harvest_plan import plan_harvest, store_info
from sae_desktop.activations.layout import read_dtype
from sae_desktop.activations.prefetch import prefetch
from sae_desktop.activations.store_writer import StoreBatch
from sae_desktop.corpus.documents import Document
from sae_desktop.corpus.windows import (
    BEGINNING,
    EmptyCorpusError,
    Window,
    empty_corpus,
)
from sae_desktop.dictionary.normalisation import MASSIVE_NORM
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.training.checkpoint import StreamPosition
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.measuring.samples import SampleText, text_of
from sae_desktop.training.measuring.splice import SpliceText
from sae_desktop.training.rows.data import (
    FEWEST_ROWS,
    Array,
    Rows,
    Side,
    Sides,
    evenly,
    measure_affine,
)
from sae_desktop.training.rows.harvest_reader import HarvestReader, norms, usable_rows, values_of
from sae_desktop.training.rows.pool import Feed, shuffled
from sae_desktop.training.rows.source import CURVE_WINDOWS, Resolve, Source
from sae_desktop.training.rows.stream_feed import EVERY_ROW, StreamFeed
from sae_desktop.training.rows.stream_texts import HeldOutTexts, TextsAfter
from sae_desktop.training.rows.targets import TargetPlan, resolve_target

HELD_OUT_ROWS = 16_384
MEASURED_ROWS = 32_768
_HELD_OUT_SHARE = 0.1
_POOL_ROWS = 2**18
_POOL_BYTES = 2**29
_POOL_SHARE_OF_RUN = 1 / 16
_POOL_BATCHES = 16
_SAMPLE_WINDOWS = 48
_FEWEST_LOOKED_AT = 1024
"""Rows held out, and measured, of however many sites."""


@dataclass(frozen=True)
class RowBudget:
    """Bytes that rows of very many sites may take."""

    pool: int = _POOL_BYTES
    measured: int = 2**62
    held_out: int = 2**62
    group: int = 2**62
    """Of the windows that are read together; never less than one batch of them."""

    def rows(self, row_bytes: int) -> tuple[int, int]:
        """Return how many rows are held out, and how many measured before the first step."""
        held_out = min(HELD_OUT_ROWS, max(_FEWEST_LOOKED_AT, self.held_out // row_bytes))
        return held_out, min(MEASURED_ROWS, max(_FEWEST_LOOKED_AT, self.measured // row_bytes))


def pool_rows(config: TrainConfig, row_bytes: int, most_bytes: int) -> int:
    """Return the rows of a pool, a sixteenth of a short run; it follows from the config."""
    share = max(_POOL_BATCHES * config.batch, int(_POOL_SHARE_OF_RUN * config.tokens))
    most = min(_POOL_ROWS, most_bytes // row_bytes, share, config.tokens)
    return max(config.batch, most)


def plan_width(plan: TargetPlan) -> int:
    """Return the numbers of a row, of all that is read and reconstructed."""
    return plan.width + (0 if plan.reconstructs_input else plan.out_width)


class StreamSource(Source):
    """Rows of a harvest that is under way."""

    position: StreamPosition

    def __init__(
        self,
        config: TrainConfig,
        position: StreamPosition | None,
        context: JobContext,
        *,
        held_out_rows: int | None = None,
        measured_rows: int | None = None,
        budget: RowBudget | None = None,
        resolve: Resolve = resolve_target,
    ) -> None:
        """Load the model and harvest what is held out and what is measured.

        A look at what the stream gives may ask for fewer rows than a training does, and so do
        rows of many sites. `resolve` says which parts of the rows are read. Raises UserError for
        settings of the harvest that cannot be, and for a corpus too small.
        """
        assert config.stream is not None
        harvest = msgspec.structs.replace(config.stream, device=config.device, tokens=config.tokens)
        context.progress(0, config.tokens, "rows", "Loading the model")
        budget = budget or RowBudget()
        self._config, self._harvest = config, plan_harvest(harvest).with_groups(budget.group)
        self.info = store_info(self._harvest)
        self.plan = resolve(config, self.info, ())
        inputs = [part.site for part in self.plan.inputs]
        outputs = [part.site for part in self.plan.outputs]
        self._sites = inputs if self.plan.reconstructs_input else inputs + outputs
        self._texts: HeldOutTexts | None = None
        self._others: Callable[[], Iterable[Document]] | None = None
        bytes_ = read_dtype(self.info.dtype).itemsize * plan_width(self.plan)
        most = budget.rows(bytes_)
        self._begin(held_out_rows or most[0], measured_rows or most[1], context)
        self.position = position or self._first
        self._limits = self._massive_limits()
        self._held_out_rows: Rows | None = None
        usable = self._usable(self._measured)
        self._training = [part[usable] for part in self._each(self._measured)]
        self._measured.clear()  # of many sites these are many bytes
        self.sides = self._measure()
        self.pool_rows = pool_rows(config, self._row_bytes, budget.pool)
        self._feed: StreamFeed | None = None
        self.notes = [
            f"Training while harvesting, with no store: {self._rows(self._held_out):,} rows are "
            f"held out, and rows are drawn from pools of {self.pool_rows:,}."
        ]

    def _begin(self, held_out: int, measured: int, context: JobContext) -> None:
        """Harvest the first windows, and part them into those held out and those measured."""
        if self._harvest.config.order == "files":
            self._begin_in_order(held_out, measured, context)
            return
        self._texts = texts = HeldOutTexts(self._harvest, held_out)
        self._others = texts.others
        self._first = StreamPosition(ordinal=-1)
        self._held_out_windows, self._held_out = self._read(texts.held_out(), held_out, context)
        _, self._measured = self._read(texts.others(), measured, context)
        self._refuse_small(self._rows(self._held_out) + self._rows(self._measured))

    def _read(
        self, documents: Iterable[Document], rows: int, context: JobContext
    ) -> tuple[list[Window], list[StoreBatch]]:
        """Harvest the first rows of some documents."""
        reader = HarvestReader(self._harvest)
        batches: list[StoreBatch] = []
        windows: list[Window] = []
        try:
            groups = window_groups(self._harvest, BEGINNING, rows, documents)
            with closing(prefetch(groups)) as pieces:
                for piece in pieces:
                    context.check_cancelled()
                    batches.append(reader.read(piece))
                    windows += piece.windows
                    context.progress(0, self._config.tokens, "rows", "Measuring the first rows")
        except EmptyCorpusError:
            if self._texts is None or self._texts.none:
                raise
        return windows, batches

    def _refuse_small(self, rows: int) -> None:
        if rows - self._rows(self._held_out) < FEWEST_ROWS:
            raise UserError(
                f"The corpus “{self.info.corpus}” gives {rows:,} rows; a dictionary needs at least "
                f"{FEWEST_ROWS} to learn from, besides those held out.",
                kept="Nothing was changed.",
                next_step="Choose a larger corpus, or a smaller harvest batch.",
            )

    def _begin_in_order(self, held_out: int, measured: int, context: JobContext) -> None:
        """Hold the first windows of a corpus out that is read file after file."""
        reader, batches, windows = HarvestReader(self._harvest), [], []
        rows, wanted = 0, held_out + measured
        groups = window_groups(self._harvest, BEGINNING, EVERY_ROW)
        pieces = prefetch(groups)
        with closing(pieces):
            for piece in pieces:
                context.check_cancelled()
                if rows >= wanted:
                    break
                batches.append(reader.read(piece, context.check_cancelled))
                windows.append(piece.windows)
                rows += len(batches[-1].tokens)
                context.progress(0, self._config.tokens, "rows", "Measuring the first rows")
        if not batches:
            raise empty_corpus(self._harvest.windows.settings.corpus)
        kept, count = 0, 0
        least = held_out if rows >= wanted else max(1, int(_HELD_OUT_SHARE * rows))
        while kept < least:
            kept += len(batches[count].tokens)
            count += 1
        self._held_out, self._measured = batches[:count], batches[count:]
        self._refuse_small(rows)
        self._held_out_windows = [window for piece in windows[:count] for window in piece]
        first = windows[count][0].spans[0]
        self._others = TextsAfter(
            self._harvest, self._held_out_windows, [w for piece in windows[count:] for w in piece]
        ).others
        self._first = StreamPosition(
            ordinal=first.document.ordinal,
            offset=first.offset,
            windows=len(self._held_out_windows),
        )

    @staticmethod
    def _rows(batches: list[StoreBatch]) -> int:
        return sum(len(batch.tokens) for batch in batches)

    def _values(self, batches: list[StoreBatch], sites: Sequence[str] | None = None) -> list[Array]:
        """Return rows as harvested, a part each, of all sites or of some."""
        return list(self._each(batches, sites))

    def _each(
        self, batches: list[StoreBatch], sites: Sequence[str] | None = None
    ) -> Iterator[Array]:
        """As `_values`, but one part at a time: those of very many sites are large together."""
        for site in self._sites if sites is None else sites:
            yield np.concatenate([values_of(batch, site) for batch in batches])

    def _massive_limits(self) -> list[float]:
        """Return for each part the norm beyond which a row is massive."""
        if not self._config.exclude_massive:
            return [np.inf] * len(self._sites)
        return [MASSIVE_NORM * float(np.median(norms(v))) for v in self._each(self._measured)]

    def _usable(self, batches: list[StoreBatch]) -> Rows:
        return usable_rows(self._each(batches), self._limits)

    def _usable_held_out(self) -> Rows:
        if self._held_out_rows is None:
            self._held_out_rows = self._usable(self._held_out)
        return self._held_out_rows

    def _measure(self) -> Sides:
        affines = [
            measure_affine(values, self._config.centre, what=f"“{site}”")
            for site, values in zip(self._sites, self._training, strict=True)
        ]
        count = len(self.plan.inputs)
        outputs = affines[count:]
        return Sides(Side(tuple(affines[:count])), Side(tuple(outputs)) if outputs else None)

    @property
    def _row_bytes(self) -> int:
        return sum(int(part.dtype.itemsize * part.shape[1]) for part in self._training)

    @property
    def pool_bytes(self) -> int:
        return 2 * self.pool_rows * self._row_bytes

    def feed(self) -> Feed:
        self._feed = StreamFeed(
            self._harvest,
            self._sites,
            self._limits,
            start=self.position,
            first=self._first,
            seed=self._config.seed,
            pool_rows=self.pool_rows,
            total=self._config.tokens,
            documents=self._others,
        )
        return self._feed

    def place(self, rows: int) -> StreamPosition:
        if self._feed is None:
            return self.position
        return self._feed.place(rows // self.pool_rows)

    def sample_parts(
        self, rows: int, seed: int | None, which: Sequence[int] | None = None
    ) -> list[Array]:
        count = len(self._training[0])
        if seed is None:
            chosen = evenly(np.arange(count), rows)
        else:
            chosen = np.sort(shuffled(count, self._config.seed, seed)[:rows])
        numbers = range(len(self._training)) if which is None else which
        return [self._training[number][chosen] for number in numbers]

    def held_out_parts(self, rows: int, which: Sequence[int] | None = None) -> list[Array]:
        chosen = evenly(self._usable_held_out(), rows)
        sites = self._sites if which is None else [self._sites[number] for number in which]
        return [part[chosen] for part in self._values(self._held_out, sites)]

    def metadata(self) -> Mapping[str, Any]:
        return self.base_metadata() | {"activation_store": ""}

    def texts(self, device: str) -> tuple[SpliceText | None, SampleText | None]:
        del device  # the harvest's model is at hand
        lm, windows = self._harvest.text, self._held_out_windows
        count = len(self.plan.inputs)
        outputs = self._sites[count:] or self._sites
        means = self._training[count:] or self._training
        sites = {str(site): site for site in self._harvest.sites}
        splice = SpliceText(
            lm=lm,
            inputs=[sites[site] for site in self._sites[:count]],
            outputs=[sites[site] for site in outputs],
            windows=[window.ids for window in windows[:CURVE_WINDOWS]],
            typical_norms=[float(np.median(norms(part))) for part in self._training[:count]],
            means=[
                torch.from_numpy(part.mean(axis=0, dtype=np.float64)).float().to(lm.device)
                for part in means
            ],
        )
        lengths = np.concatenate([batch.windows["length"] for batch in self._held_out])
        lengths = lengths[:_SAMPLE_WINDOWS]
        rows = int(lengths.sum())
        tokens = np.concatenate([batch.tokens for batch in self._held_out])[:rows]
        values = [part[:rows] for part in self._each(self._held_out, self._sites[:count])]
        # An encoder predicts no next token: there is no loss to recover.
        return splice if lm.causal else None, text_of(lm, values, tokens, lengths)
