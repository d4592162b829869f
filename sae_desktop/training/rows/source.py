"""Where a run's rows come from: a store, or several of the same tokens; see also `streaming`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sae_desktop.activations.layout import StoreInfo, read_dtype
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary.architectures import Batch
from sae_desktop.errors import UserError
from sae_desktop.project import Project, existing
from sae_desktop.storage.memory import free_memory
from sae_desktop.training.checkpoint import StorePosition, StreamPosition
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.measuring.samples import SampleText, sample_text
from sae_desktop.training.measuring.splice import SpliceText, model_of, splice_text
from sae_desktop.training.rows.data import (
    FEWEST_ROWS,
    Array,
    Rows,
    Side,
    Sides,
    SiteRows,
    Split,
    evenly,
    part_affine,
    split_parts,
)
from sae_desktop.training.rows.document_split import FEW_TEXTS, HeldOutBy
from sae_desktop.training.rows.pool import (
    Feed,
    PooledFeed,
    PoolSize,
    RandomFeed,
    choose_pool,
    shuffled,
)
from sae_desktop.training.rows.targets import TargetPlan, check_aligned, resolve_target

Resolve = Callable[[TrainConfig, StoreInfo, Sequence[StoreInfo]], TargetPlan]
"""From a config and what its stores hold to the parts of a batch."""
CURVE_WINDOWS = 16
"""Windows of text on which the loss recovered of the curves is measured."""
_SAMPLE_SEED = 0x5EED


class Source(ABC):
    """Rows to learn from, always in the same order, and rows held out from that."""

    plan: TargetPlan
    info: StoreInfo
    """Of the model and the text; for several stores that of the first."""
    sides: Sides
    position: StorePosition | StreamPosition
    """Where rows are read from when nothing has been consumed yet."""
    notes: Sequence[str] = ()
    """What a person should know of the rows."""

    @property
    @abstractmethod
    def pool_bytes(self) -> int:
        """Of rows read ahead, two pools of them."""

    @abstractmethod
    def feed(self) -> Feed:
        """Return the endless sequence of training rows."""

    @abstractmethod
    def sample_parts(
        self, rows: int, seed: int | None, which: Sequence[int] | None = None
    ) -> list[Array]:
        """Return at most a given number of training rows, raw: evenly spaced, or drawn with a
        seed. `which` are the numbers of the parts to return; None: all, inputs first.
        """

    @abstractmethod
    def held_out_parts(self, rows: int, which: Sequence[int] | None = None) -> list[Array]:
        """Return at most a given number of the rows that are not trained on, raw; `which` as
        above.
        """

    @abstractmethod
    def metadata(self) -> Mapping[str, Any]:
        """Return what a dictionary says of the rows it learned from."""

    @abstractmethod
    def texts(self, device: str) -> tuple[SpliceText | None, SampleText | None]:
        """Return held-out text for the loss recovered and for showing features on.

        None where there is no model. Raises UserError where it is not the one it was.
        """

    def place(self, rows: int) -> StorePosition | StreamPosition:
        """Return from where the rows from `rows` on can be read again; kept in checkpoints."""
        del rows
        return self.position

    def sample(self, rows: int, seed: int | None = None) -> Batch:
        """Return at most a given number of training rows, normalised, on the CPU."""
        return self._normalised(self.sample_parts(rows, seed))

    def held_out(self, rows: int) -> Batch:
        """Return at most a given number of rows that are not trained on, raw float32, on the
        CPU.
        """
        return self.sides.raw(self.held_out_parts(rows))

    def _normalised(self, parts: Sequence[Array]) -> Batch:
        tensors: list[Tensor] = [torch.from_numpy(part) for part in parts]
        return self.sides.batch(tensors, self.sides.empty(len(parts[0]), torch.device("cpu")))

    def base_metadata(self) -> dict[str, Any]:
        """Return what is known of any run's model, text and sites."""
        return {
            "model_name": self.info.model,
            "model_revision": self.info.model_revision,
            "model_origin": self.info.model_origin,
            "tokenizer_hash": self.info.tokenizer_hash,
            "context_size": self.info.context_size,
            "prepend_bos": self.info.bos_prepended,
            "dataset_path": self.info.corpus,
            **self.plan.metadata(),
        }


class StoreSource(Source):
    """Rows of a store, or of several that hold the same tokens row by row."""

    position: StorePosition

    def __init__(
        self,
        config: TrainConfig,
        position: StorePosition | None,
        resolve: Resolve = resolve_target,
    ) -> None:
        """Open what `config` names; `position` is that of a checkpoint, `resolve` says which
        parts of the rows are read.

        Raises UserError for stores that are missing, do not fit the target or each other, or
        teach nothing.
        """
        project = Project.open(config.project)
        self._config = config
        store = _open(project, config.activations)
        others = [_open(project, name) for name in config.other_activations]
        for other in others:
            check_aligned(store, other)
        self.info = store.info
        self.plan = resolve(config, store.info, [other.info for other in others])
        stores = self._stores = [store, *others]
        self._store = store
        self._inputs = [SiteRows(stores[p.source], p.site) for p in self.plan.inputs]
        self._outputs = (
            []
            if self.plan.reconstructs_input
            else [SiteRows(stores[p.source], p.site) for p in self.plan.outputs]
        )
        rows = store.rows if position is None else position.rows
        by: HeldOutBy = "documents" if position is None else position.held_out
        self.split = self._split(rows, by)
        self.position = position or StorePosition(rows=rows, pool=self._pool(), held_out=by)
        self.sides = Sides(
            self._side(self._inputs), self._side(self._outputs) if self._outputs else None
        )
        self.notes = self._notes()

    @property
    def _parts(self) -> list[SiteRows]:
        return self._inputs + self._outputs

    def _split(self, rows: int, by: HeldOutBy) -> Split:
        if rows < FEWEST_ROWS:
            raise UserError(
                f"The store “{self._config.activations}” holds {rows} rows; a dictionary needs at "
                f"least {FEWEST_ROWS} to learn from.",
                kept="Nothing was changed.",
                next_step="Harvest more before training.",
            )
        return split_parts(
            self._parts,
            exclude_massive=self._config.exclude_massive,
            rows=rows,
            by=by,
            of=self._config.rows_of,
        )

    def _pool(self) -> PoolSize:
        return choose_pool(len(self.split.training), self._row_bytes, free_memory())

    @property
    def _row_bytes(self) -> int:
        return read_dtype(self.info.dtype).itemsize * sum(part.width for part in self._parts)

    @property
    def pool_bytes(self) -> int:
        return 2 * self.position.pool.rows * self._row_bytes

    def _side(self, parts: Sequence[SiteRows]) -> Side:
        centre = self._config.centre
        return Side(tuple(part_affine(part, self.split.training, centre) for part in parts))

    def _notes(self) -> list[str]:
        notes = []
        if len(self.split.excluded):
            notes.append(
                f"{len(self.split.excluded):,} rows above ten times the median norm are left out."
            )
        if self.info.model and self.position.held_out == "documents":
            notes += few_texts_notes(self.split.texts)
        pool = self.position.pool
        if pool.rows:
            notes.append(
                "The store is larger than the free memory: rows are drawn from a pool of "
                f"{pool.rows:,}, filled in blocks of {pool.block:,}."
            )
        return notes

    def feed(self) -> Feed:
        gather = [part.gather for part in self._parts]
        if self.position.pool.rows:
            return PooledFeed(gather, self.split.training, self._config.seed, self.position.pool)
        return RandomFeed(gather, self.split.training, self._config.seed)

    def sample_parts(
        self, rows: int, seed: int | None, which: Sequence[int] | None = None
    ) -> list[Array]:
        training = self.split.training
        if seed is None:
            return self._gathered(evenly(training, rows), which)
        order = shuffled(len(training), self._config.seed, _SAMPLE_SEED, seed)
        return self._gathered(training[np.sort(order[:rows])], which)

    def held_out_parts(self, rows: int, which: Sequence[int] | None = None) -> list[Array]:
        return self._gathered(evenly(self.split.held_out, rows), which)

    def _gathered(self, rows: Rows, which: Sequence[int] | None) -> list[Array]:
        parts = self._parts if which is None else [self._parts[number] for number in which]
        return [part.gather(rows) for part in parts]

    def metadata(self) -> Mapping[str, Any]:
        names: dict[str, Any] = {
            "activation_store": self._config.activations,
            "held_out": self.position.held_out,
        }
        if self._config.other_activations:
            names["other_activations"] = list(self._config.other_activations)
            names["other_models"] = [
                {
                    "model_name": store.info.model,
                    "model_revision": store.info.model_revision,
                    "tokenizer_hash": store.info.tokenizer_hash,
                }
                for store in self._stores[1:]
            ]
        return self.base_metadata() | names

    def texts(self, device: str) -> tuple[SpliceText | None, SampleText | None]:
        held_out = self.split.held_out
        one_model = all(part.source == self.plan.inputs[0].source for part in self.plan.inputs)
        if not len(held_out) or not one_model:
            return None, None
        lm = model_of(self._store, device)
        if lm is None:
            return None, None
        sample = sample_text(lm, self._store, self._inputs, held_out)
        if not lm.causal:  # no next token, no loss
            return None, sample
        splice = splice_text(
            lm,
            self._store,
            [part.site for part in self.plan.inputs],
            outputs=[part.site for part in self._outputs],
            windows=CURVE_WINDOWS,
            rows=held_out,
        )
        return splice, sample


def few_texts_notes(texts: int) -> list[str]:
    """Return what is to be said of a store of so few texts that figures on held-out ones are no
    guide; 0: none could be held out whole."""
    if texts == 0:
        return [
            "The rows held out are the last ones: the store has too few documents to hold out a "
            "whole one, so figures on these rows are better than they would be on other texts."
        ]
    if texts < FEW_TEXTS:
        return [
            f"The store holds rows from only {texts:,} texts: figures on the few held out say "
            "little about other texts. Harvest more tokens, or from more documents."
        ]
    return []


def _open(project: Project, name: str) -> ActivationStore:
    existing("activation store", name, project.stores())
    return ActivationStore.open(project.store_path(name))
