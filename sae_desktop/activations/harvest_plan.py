"""A harvest, checked and worked out before it starts: model, sites, windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.layout import (
    METADATA_BYTES,
    Capacity,
    StoreInfo,
    metadata_bytes,
    read_dtype,
    segment_bytes,
)
from sae_desktop.activations.picture_windows import PictureInputs
from sae_desktop.corpus.documents import Corpus, Document, canonical_corpus, read_documents
from sae_desktop.corpus.records import Report
from sae_desktop.corpus.windows import (
    BLOCK_CHARACTERS,
    BLOCK_DOCUMENTS,
    Encoder,
    ReadingPoint,
    Window,
    WindowPlan,
    empty_corpus,
    windows,
)
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, Network, load_model
from sae_desktop.language_model.sites.resolve import Site, check_site, parse_site, site_width
from sae_desktop.language_model.text.text_windows import document_encoder, plan_windows, policy_text
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import config_record

DEFAULT_BATCH_TOKENS = 4096
"""Where none is given and none is looked for."""
GROUP_BATCHES = 4
"""A group of windows has the tokens of this many batches, so that their lengths can be sorted."""
_SAMPLE_CHARACTERS = 2_000_000
_SAMPLE_TOKENISED = 64
_FEWEST_DOCUMENTS = 256
_MARGIN = 1.5
"""Room for documents that are shorter than those at the beginning of a corpus."""


@dataclass(frozen=True)
class HarvestPlan:
    """What a harvest does. `windows` says how the corpus is cut."""

    config: HarvestConfig
    lm: Network
    sites: tuple[Site, ...]
    widths: tuple[int, ...]
    """Numbers per token of each site."""
    windows: WindowPlan
    encode: Encoder
    batch_tokens: int
    """Tokens in one forward pass, padding included."""
    group_batches: int = GROUP_BATCHES
    """Batches whose windows are sorted by length, and whose rows are in memory together."""

    @property
    def text(self) -> LanguageModel:
        """The model, which reads texts."""
        assert isinstance(self.lm, LanguageModel)
        return self.lm

    @property
    def divisible(self) -> bool:
        """Whether a window may be cut where the rows asked for end."""
        return True

    @property
    def padded(self) -> bool:
        """Whether windows of different lengths may be read together."""
        return True

    def picture_bytes(self, batch_tokens: int) -> int:
        """Return about how much memory pictures take beside a forward pass of so many tokens."""
        del batch_tokens
        return 0

    def pictures(self, windows: Sequence[Window], length: int) -> PictureInputs | None:
        """Return what the model is given of some windows beside their ids."""
        del windows, length
        return None

    def corpus(self) -> tuple[Iterable[Document] | None, Report]:
        """Return the corpus, opened to be read once, and what is learnt of it meanwhile."""
        corpus = Corpus(self.windows.settings)
        return corpus, corpus.report

    def read(
        self, start: ReadingPoint, documents: Iterable[Document] | None, report: Report | None
    ) -> Iterator[Window]:
        """Yield the windows from `start` on, of `documents` where these are given."""
        return windows(self.windows, self.encode, start, documents, report)

    def capacity(self, rows: int, times: int = 1) -> Capacity:
        """Return the room that `rows` rows of the corpus need: see `measure_capacity`."""
        return measure_capacity(self, rows, times)

    def info(self) -> StoreInfo:
        """Return what the store will say of itself."""
        return store_info(self)

    @property
    def dropped(self) -> int:
        """Rows at the beginning of each window that are not stored."""
        return 0 if self.config.keep_first else 1

    def rows_of(self, window: Window) -> int:
        """Return how many rows a window gives."""
        return len(window.ids) - self.lead(window) - len(self.windows.suffix)

    def lead(self, window: Window) -> int:
        """Return how many tokens a window begins with whose rows are not kept."""
        if window.repeated:
            return len(self.windows.prefix) + window.repeated
        return self.dropped

    def left_out(self, window: Window) -> int:
        """Return the token of a window's first row where that is not kept, else −1."""
        return window.ids[0] if self.dropped else -1

    def with_batch(self, batch_tokens: int) -> HarvestPlan:
        """Return the plan with another size of the forward passes."""
        return replace(self, batch_tokens=batch_tokens)

    def with_groups(self, most_bytes: int) -> HarvestPlan:
        """Return the plan with groups of fewer batches where the rows of a group are larger."""
        batch = read_dtype(self.config.dtype).itemsize * sum(self.widths) * self.batch_tokens
        return replace(self, group_batches=group_batches(batch, most_bytes))


def group_batches(batch_bytes: int, most_bytes: int) -> int:
    """Return how many batches a group has, whose rows are to take `most_bytes` together."""
    return max(1, min(GROUP_BATCHES, most_bytes // batch_bytes))


def plan_harvest(config: HarvestConfig, context: JobContext | None = None) -> HarvestPlan:
    """Load the model and check every setting of a harvest of texts. A download is told to
    `context`.

    Raises UserError for a setting that cannot be.
    """
    if config.pictures:
        raise UserError(
            "Pictures are read into a store alone, not while training.",
            next_step="Harvest them first, and train on the store.",
        )
    sites = harvest_sites(config)
    refuse_beyond_limits(config)
    lm = load_model(config.model, config.device, config.model_dtype, fetch=True, context=context)
    for site in sites:
        check_site(lm.model, site)
    settings = msgspec.structs.replace(config, corpus=canonical_corpus(config.corpus))
    cut = plan_windows(lm, settings)
    dropped = 0 if config.keep_first else 1
    cut = plan_windows(lm, settings, minimum=dropped + len(cut.suffix) + 1)
    return HarvestPlan(
        config=config,
        lm=lm,
        sites=sites,
        widths=tuple(site_width(lm.model, site) for site in sites),
        windows=cut,
        encode=document_encoder(lm, settings),
        batch_tokens=config.batch_tokens or DEFAULT_BATCH_TOKENS,
    )


def harvest_sites(config: HarvestConfig) -> tuple[Site, ...]:
    """Return where the model is read. Raises UserError for a site named twice."""
    names = (config.site, *config.sites)
    sites = tuple(parse_site(name) for name in names)
    if len(set(sites)) < len(sites):
        raise UserError(
            f"A site is named twice: {', '.join(names)}.", next_step="Name each site once."
        )
    return sites


@dataclass
class _Beginning:
    """What the first documents of a corpus amount to."""

    documents: int = 0
    characters: int = 0
    size: int = 0
    """Bytes of UTF-8."""
    metadata: int = 0
    """Bytes of what is kept beside their text."""
    tokens_per_character: float = 1.0
    whole: bool = False
    """Whether the corpus has ended with them."""


def _read_beginning(plan: HarvestPlan, most: int) -> _Beginning:
    """Read at most a given number of documents, and as much text as shows what they are like.

    Raises UserError for an empty corpus, and for one whose first document cannot be read. What
    is wrong further on is met by the harvest itself, with rows to keep.
    """
    found = _Beginning()
    tokens = tokenised = 0
    try:
        for document in islice(read_documents(plan.windows.settings), most):
            found.documents += 1
            found.characters += len(document.text)
            found.size += len(document.text.encode("utf-8", "replace"))
            found.metadata += len(metadata_bytes(document.metadata, ()))
            if found.documents <= _SAMPLE_TOKENISED:
                piece = document.text[: _SAMPLE_CHARACTERS // _SAMPLE_TOKENISED]
                tokens += len(plan.text.encode(piece))
                tokenised += len(piece)
            if found.characters > _SAMPLE_CHARACTERS:
                break
        else:
            found.whole = found.documents < most
    except UserError:
        if not found.documents:
            raise
    if not found.documents:
        raise empty_corpus(plan.windows.settings.corpus)
    found.tokens_per_character = max(tokens, 1) / tokenised
    return found


def measure_capacity(plan: HarvestPlan, rows: int, times: int = 1) -> Capacity:
    """Return the room that `rows` rows of this corpus need, judged by its beginning.

    Every window of a document but its last is full, so there are at most rows ÷ full rows
    windows and one more a document; of windows that repeat tokens a document's first has more
    rows. A corpus that ends within the beginning is known exactly; of a longer one it is assumed
    that documents continue as they begin, with a margin. Where they are shorter still, the harvest
    continues in another segment, with `times` the room for them.
    Raises UserError for a corpus that is empty or cannot be read.
    """
    found = _read_beginning(plan, rows)
    if found.whole:
        # A token is at least a byte, and each document may bring its special ones.
        rows = min(rows, 2 * found.size + found.documents)
        documents = found.documents
    else:
        each = found.characters / found.documents
        tokens = each * found.tokens_per_character
        documents = int(_MARGIN * rows / tokens) + _FEWEST_DOCUMENTS
        if plan.config.order == "shuffled":  # windows come from all documents of a block
            documents += min(BLOCK_DOCUMENTS, int(_MARGIN * BLOCK_CHARACTERS / each))
            # Each window comes of one more document at most, beside those that end within it.
            windows = rows / _rows_of_window(plan) + rows / tokens
            documents = min(documents, int(_MARGIN * windows) + _FEWEST_DOCUMENTS)
        documents = min(rows, times * documents)
    each = int(_MARGIN * found.metadata / found.documents) + 64
    return _room(plan, rows, documents, min(METADATA_BYTES, times * each))


def _rows_of_window(plan: HarvestPlan) -> int:
    """Rows kept of a full window; with an overlap, of any but a document's first."""
    if plan.config.overlap:
        return plan.windows.room - plan.config.overlap
    return plan.windows.room + len(plan.windows.prefix) - plan.dropped


def _room(plan: HarvestPlan, rows: int, documents: int, metadata: int) -> Capacity:
    room = _rows_of_window(plan)
    packed = plan.config.packing == "packed"
    # Packed windows end short only with the corpus, or with a block of shuffled documents.
    in_one = packed and plan.config.order == "files"
    windows = rows // room + 2 + (0 if in_one else documents)
    return Capacity(
        rows=rows,
        windows=min(rows, windows),
        documents=documents,
        spans=windows + documents if packed else 0,
        metadata=documents * metadata,
    )


def store_bytes(plan: HarvestPlan, room: Capacity) -> int:
    """Return the size of a segment's file, its structure of a few kB aside."""
    return segment_bytes(plan.info(), room)


def store_info(plan: HarvestPlan) -> StoreInfo:
    """Return what the store will say of itself."""
    return about(plan, policy_text(plan.text, plan.windows))


def about(plan: HarvestPlan, policy: str, **pictures: Any) -> StoreInfo:
    """Return what a store of a plan says of itself; `pictures`: what it says of them."""
    config, lm = plan.config, plan.lm
    return StoreInfo(
        model=lm.name,
        model_revision=lm.revision,
        model_origin=lm.origin,
        model_dtype=config.model_dtype,
        tokenizer_hash=lm.tokenizer_hash,
        bos_policy=config.bos,
        bos_prepended=bool(plan.windows.prefix),
        prefix=list(plan.windows.prefix),
        suffix=list(plan.windows.suffix),
        policy=policy,
        packing=config.packing,
        context_size=config.context_size,
        corpus=plan.windows.settings.corpus,
        seed=config.seed,
        order=config.order,
        overlap=config.overlap,
        keep_first=config.keep_first,
        sites=[str(site) for site in plan.sites],
        widths=list(plan.widths),
        dtype=config.dtype,
        batch_tokens=plan.batch_tokens,
        config=config_record(config),
        **pictures,
    )
