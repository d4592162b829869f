"""A harvest, checked and worked out before it starts: model, sites, windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.layout import (
    METADATA_BYTES,
    Capacity,
    StoreInfo,
    metadata_bytes,
    read_dtype,
    segment_specs,
)
from sae_desktop.corpus.documents import canonical_corpus, read_documents
from sae_desktop.corpus.windows import (
    BLOCK_CHARACTERS,
    BLOCK_DOCUMENTS,
    Encoder,
    Window,
    WindowPlan,
    empty_corpus,
)
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.resolve import Site, check_site, parse_site, site_width
from sae_desktop.language_model.text.text_windows import document_encoder, plan_windows, policy_text
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import config_record
from sae_desktop.storage.hdf5 import spec_bytes

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
    lm: LanguageModel
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
    """Load the model and check every setting. A download is told to `context`.

    Raises UserError for a setting that cannot be.
    """
    sites = _sites(config)
    refuse_beyond_limits(config)
    lm = load_model(config.model, config.device, config.model_dtype, fetch=True, context=context)
    for site in sites:
        check_site(lm.model, site)
    settings = msgspec.structs.replace(config, corpus=canonical_corpus(config.corpus))
    windows = plan_windows(lm, settings)
    dropped = 0 if config.keep_first else 1
    windows = plan_windows(lm, settings, minimum=dropped + len(windows.suffix) + 1)
    return HarvestPlan(
        config=config,
        lm=lm,
        sites=sites,
        widths=tuple(site_width(lm.model, site) for site in sites),
        windows=windows,
        encode=document_encoder(lm, settings),
        batch_tokens=config.batch_tokens or DEFAULT_BATCH_TOKENS,
    )


def _sites(config: HarvestConfig) -> tuple[Site, ...]:
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
                tokens += len(plan.lm.encode(piece))
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
    specs = segment_specs(store_info(plan), room)
    return sum(spec_bytes(spec) for spec in specs)


def store_info(plan: HarvestPlan) -> StoreInfo:
    """Return what the store will say of itself."""
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
        policy=policy_text(lm, plan.windows),
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
    )
