"""A harvest of pictures, checked and worked out before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from sae_desktop.activations.batch_size import working_bytes
from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest_plan import (
    DEFAULT_BATCH_TOKENS,
    HarvestPlan,
    about,
    harvest_sites,
    plan_harvest,
)
from sae_desktop.activations.layout import Capacity, StoreInfo
from sae_desktop.activations.picture_survey import Survey, survey
from sae_desktop.activations.picture_windows import (
    GROUP_BYTES,
    PictureInputs,
    PictureWindow,
    WindowReader,
)
from sae_desktop.corpus.documents import Document
from sae_desktop.corpus.picture_documents import PictureCorpus, PictureReport
from sae_desktop.corpus.picture_sources import canonical_pictures
from sae_desktop.corpus.records import Report
from sae_desktop.corpus.windows import Encoded, ReadingPoint, Window, WindowPlan
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, Network, load_any
from sae_desktop.language_model.pictures.reader import open_pictures
from sae_desktop.language_model.sites.resolve import check_site, site_width
from sae_desktop.limits import refuse_beyond_limits

_PREPARED = 3
"""Groups whose pixels may be in memory: one that is read, and those ahead of it."""
_MARGIN = 1.5
_SPARE = 256
_SPECIAL = 1.25
_SPECIAL_EACH = 32
"""Room for the special tokens around tiles and in each document, which a survey does not count.
Where that is too little, the harvest continues in another file."""


@dataclass(frozen=True, kw_only=True)
class PicturePlan(HarvestPlan):
    """What a harvest of pictures does: a document is a window."""

    reader: WindowReader
    place: str

    @property
    def alone(self) -> bool:
        """Whether the model reads pictures without words."""
        return not isinstance(self.lm, LanguageModel)

    @property
    def divisible(self) -> bool:
        """A picture is never cut."""
        return False

    @property
    def padded(self) -> bool:
        """An encoder of pictures is given those of one length together."""
        return not self.alone

    def picture_bytes(self, batch_tokens: int) -> int:
        """Return what the encoder of pictures takes, if all tokens are of pictures, and what is
        prepared ahead of it."""
        patches = self.reader.reader.patches
        count = int(patches.number * batch_tokens)
        pixels = count * self.group_batches * patches.pixels * self.reader.dtype.itemsize
        encoder = 0 if self.alone else working_bytes(count, patches.width, ())
        return encoder + _PREPARED * min(pixels, GROUP_BYTES)

    def pictures(self, windows: Sequence[Window], length: int) -> PictureInputs:
        """Return what the model is given of some windows."""
        whole = [window for window in windows if isinstance(window, PictureWindow)]
        return PictureInputs.of(self.reader.reader, whole, length)

    def lead(self, window: Window) -> int:
        """Return how many rows of a window's beginning are not kept: none of a picture's."""
        assert isinstance(window, PictureWindow)
        return 0 if self.config.keep_first or bool(window.prepared.picture[0, 0] >= 0) else 1

    def left_out(self, window: Window) -> int:
        """Return the token of a window's first row where that is not kept, else −1."""
        return window.ids[0] if self.lead(window) else -1

    def source(self, report: PictureReport) -> PictureCorpus:
        """Return the corpus, opened to be read once."""
        return PictureCorpus(self.place, self.config, report, alone=self.alone)

    def corpus(self) -> tuple[Iterable[Document] | None, Report]:
        """Return what is learnt of the corpus while its windows are read."""
        return None, PictureReport()

    def read(
        self, start: ReadingPoint, documents: Iterable[Document] | None, report: Report | None
    ) -> Iterator[Window]:
        """Yield the windows of the documents from `start` on."""
        del documents
        found = report if isinstance(report, PictureReport) else PictureReport()
        return self.reader.windows(self.source(found), found, max(0, start.ordinal))

    def survey(self) -> Survey:
        """Return what the first documents amount to, by their headers alone."""
        return survey(self.source(PictureReport()), self.reader)

    def capacity(self, rows: int, times: int = 1) -> Capacity:
        """Return the room for `rows` rows, judged by the first documents.

        Raises UserError for a corpus that has no document that can be read.
        """
        found = self.survey()
        if not found.documents:
            raise found.empty(self.windows.settings.corpus)
        if found.complete:
            most = int(_SPECIAL * found.tokens) + _SPECIAL_EACH * found.documents
            rows = min(rows, times * most)
            documents, pictures = times * found.documents, times * found.pictures
        else:
            share = _MARGIN * rows / found.tokens
            documents = min(rows, times * (int(share * found.documents) + _SPARE))
            pictures = min(rows, times * (int(share * found.pictures) + _SPARE))
        return Capacity(
            rows=rows,
            windows=documents,
            documents=documents,
            pictures=pictures,
            picture_data=times * found.data_bytes(pictures),
        )

    def info(self) -> StoreInfo:
        """Return what the store will say of itself."""
        return about(self, _policy(self), pictures=True, reader_digest=self.reader.reader.digest)


def plan_any(config: HarvestConfig, context: JobContext | None = None) -> HarvestPlan:
    """As `plan_harvest`, of texts or of pictures."""
    return plan_pictures(config, context) if config.pictures else plan_harvest(config, context)


def plan_pictures(config: HarvestConfig, context: JobContext | None = None) -> PicturePlan:
    """Load the model and check every setting of a harvest of pictures.

    Raises UserError for a setting that cannot be, and for a model that reads no pictures.
    """
    sites = harvest_sites(config)
    refuse_beyond_limits(config)
    _check_settings(config)
    place = canonical_pictures(config.pictures)
    lm = load_any(config.model, config.device, config.model_dtype, fetch=True, context=context)
    pictures = open_pictures(lm)
    for site in sites:
        check_site(lm.model, site)
    most = _window(lm, config)
    settings = msgspec.structs.replace(config, corpus=place)
    reader = WindowReader(
        reader=pictures,
        dtype=lm.model.dtype,
        encode=lm.encode if isinstance(lm, LanguageModel) else lambda text: (),
        most_tokens=most,
        most_of_picture=config.picture_tokens,
        source=place,
        keep=config.keep_pictures,
        skip_limit=config.skip_limit,
    )
    return PicturePlan(
        config=config,
        lm=lm,
        sites=sites,
        widths=tuple(site_width(lm.model, site) for site in sites),
        windows=WindowPlan(settings),
        encode=_no_text,
        batch_tokens=config.batch_tokens or DEFAULT_BATCH_TOKENS,
        reader=reader,
        place=place,
    )


def _no_text(document: Document) -> Encoded:
    raise AssertionError("windows of pictures come prepared")


def _check_settings(config: HarvestConfig) -> None:
    if config.packing == "packed" or config.overlap:
        raise UserError(
            "With pictures, each window holds one document, and windows do not overlap.",
            next_step="Choose one document per window, and no overlap.",
        )


def _window(lm: Network, config: HarvestConfig) -> int:
    """Return the most tokens of a window; 0: any number, of an encoder of pictures."""
    if not isinstance(lm, LanguageModel):
        return 0
    if config.context_size > lm.context_size:
        raise UserError(
            f"A window of {config.context_size:,} tokens is longer than “{lm.name}” can read.",
            next_step=f"Use a context of at most {lm.context_size:,}.",
        )
    return config.context_size


def _policy(plan: PicturePlan) -> str:
    if plan.alone:
        return "Each window is one picture, without words."
    first = (
        ""
        if plan.config.keep_first
        else (" Its first token is left out, unless that is of a picture.")
    )
    return (
        "Each window is one document, its pictures whole, with the special tokens that the model "
        f"expects around them.{first}"
    )
