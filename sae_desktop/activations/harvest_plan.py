"""A harvest, checked and worked out before it starts: model, sites, windows and sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.store import DOCUMENT_DTYPE, WINDOW_DTYPE, StoreInfo
from sae_desktop.corpus.documents import BUILTIN, corpus_path, read_documents
from sae_desktop.corpus.windows import WindowPlan, empty_corpus
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites import Site, check_site, parse_site
from sae_desktop.project import config_record

# No tokenizer's tokens are longer than this on average over a corpus; four is usual.
_CHARACTERS_PER_TOKEN = 16


@dataclass(frozen=True)
class HarvestPlan:
    """What a harvest does. `windows` says how the corpus is cut."""

    config: HarvestConfig
    lm: LanguageModel
    sites: tuple[Site, ...]
    windows: WindowPlan

    @property
    def dropped(self) -> int:
        """Rows of each window that are not stored: its first, unless it is kept."""
        return 0 if self.config.keep_first else 1

    @property
    def bos_prepended(self) -> bool:
        return self.windows.bos_id is not None


@dataclass(frozen=True)
class Capacity:
    """Room that a store is made with."""

    rows: int
    windows: int
    documents: int


def plan_harvest(config: HarvestConfig) -> HarvestPlan:
    """Load the model and check every setting. Raises UserError for one that cannot be."""
    sites = _sites(config)
    corpus = config.corpus if config.corpus == BUILTIN else str(corpus_path(config.corpus))
    _check_amounts(config)
    lm = load_model(config.model, config.device)
    for site in sites:
        check_site(lm.model, site)
    if config.context_size > lm.context_size:
        raise UserError(
            f"A window of {config.context_size} tokens is longer than “{lm.name}” can read.",
            next_step=f"Use a context of at most {lm.context_size}.",
        )
    bos_id = lm.bos_id if config.bos != "never" else None
    if config.bos == "always" and bos_id is None:
        raise UserError(
            f"The tokenizer of “{lm.name}” has no beginning-of-sequence token.",
            next_step="Choose “auto” or “never”.",
        )
    windows = WindowPlan(corpus, config.seed, config.context_size, bos_id)
    plan = HarvestPlan(config, lm, sites, windows)
    return replace(plan, windows=replace(windows, minimum=plan.dropped + 1))


def _sites(config: HarvestConfig) -> tuple[Site, ...]:
    names = (config.site, *config.sites)
    sites = tuple(parse_site(name) for name in names)
    if len(set(sites)) < len(sites):
        raise UserError(
            f"A site is named twice: {', '.join(names)}.", next_step="Name each site once."
        )
    return sites


def _check_amounts(config: HarvestConfig) -> None:
    for value, least, what in (
        (config.tokens, 1, "The number of tokens"),
        (config.context_size, 4, "The context size"),
        (config.batch, 1, "The batch"),
    ):
        if value < least:
            raise UserError(f"{what} is {value}.", next_step=f"Use at least {least}.")


def measure_capacity(plan: HarvestPlan) -> Capacity:
    """Return the room `tokens` rows of this corpus can need at most.

    Every window of a document but its last is full, so there are at most rows ÷ full rows
    windows and one more a document; documents are counted as far as the harvest can read.
    Raises UserError for an empty corpus, and for one that cannot be read.
    """
    rows = plan.config.tokens
    characters = documents = 0
    for document in islice(read_documents(plan.windows.corpus, plan.windows.seed), rows):
        documents += 1
        characters += len(document.text)
        if characters > _CHARACTERS_PER_TOKEN * rows:
            break
    if not documents:
        raise empty_corpus(plan.windows.corpus)
    full = plan.config.context_size - plan.dropped
    return Capacity(rows, min(rows, rows // full + documents + 1), documents)


def store_bytes(plan: HarvestPlan, capacity: Capacity) -> int:
    """Return the size of the store's file, its structure of a few kB aside."""
    value = 2 if plan.config.dtype == "float16" else 4
    # A site's activations and their norm; a row's token and position.
    row = len(plan.sites) * (plan.lm.width * value + 4) + 2 * 4
    return (
        capacity.rows * row
        + capacity.windows * WINDOW_DTYPE.itemsize
        + capacity.documents * DOCUMENT_DTYPE.itemsize
    )


def store_info(plan: HarvestPlan) -> StoreInfo:
    """Return what the store will say of itself."""
    config, lm = plan.config, plan.lm
    return StoreInfo(
        model=lm.name,
        model_revision=lm.revision,
        tokenizer_hash=lm.tokenizer_hash,
        bos_policy=config.bos,
        bos_prepended=plan.bos_prepended,
        context_size=config.context_size,
        corpus=plan.windows.corpus,
        seed=config.seed,
        keep_first=config.keep_first,
        sites=[str(site) for site in plan.sites],
        widths=[lm.width] * len(plan.sites),
        dtype=config.dtype,
        config=config_record(config),
    )
