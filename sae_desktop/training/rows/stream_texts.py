"""Whole documents of a streamed corpus, held out from training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sae_desktop.activations.harvest_plan import HarvestPlan
from sae_desktop.corpus.alike import KnownTexts
from sae_desktop.corpus.documents import Corpus, Document
from sae_desktop.corpus.pieces import whole_title
from sae_desktop.corpus.windows import Window

_EVERY = 8
_MARGIN = 1.2


class HeldOutTexts:
    """Which documents are held out: one in eight of the first ones, with all parts of their texts.

    With them goes every document that is alike to one of them (`corpus/alike.py`), wherever in
    the stream it comes: the runs of those held out are kept, and nothing of the others. They follow
    from the corpus and the settings alone, so that a run that continues has the same.
    """

    def __init__(self, harvest: HarvestPlan, rows: int) -> None:
        """Choose documents of at least a given number of rows together, where the corpus has
        them.
        """
        self._settings = harvest.windows.settings
        self._ordinals: set[int] = set()
        self._texts: set[tuple[str, str]] = set()
        tokens = 0.0
        held: list[str] = []
        others: list[str] = []
        for number, document in enumerate(Corpus(self._settings)):
            text = _text(document)
            chosen = number % _EVERY == 0 or text in self._texts
            (held if chosen else others).append(document.text)
            if chosen:
                self._ordinals.add(document.ordinal)
                if text is not None:
                    self._texts.add(text)
                tokens += len(harvest.text.encode(document.text))
            if tokens > _MARGIN * rows:
                break
        self._alike = KnownTexts(held, others)

    @property
    def none(self) -> bool:
        """Whether the corpus has no document at all."""
        return not self._ordinals

    def held_out(self) -> Iterator[Document]:
        """Yield the documents held out."""
        return (document for document in Corpus(self._settings) if self._holds(document))

    def others(self) -> Iterator[Document]:
        """Yield the documents to train on."""
        return (document for document in Corpus(self._settings) if not self._holds(document))

    def _holds(self, document: Document) -> bool:
        return (
            document.ordinal in self._ordinals
            or _text(document) in self._texts
            or self._alike.like(document.text)
        )


class TextsAfter:
    """What of a corpus that is read file after file stands after the windows held out, without
    documents that are alike to one that was held out whole."""

    def __init__(
        self, harvest: HarvestPlan, held_out: Sequence[Window], after: Sequence[Window]
    ) -> None:
        """Take the windows held out, and some of those after them."""
        self._settings = harvest.windows.settings
        later = {span.document.ordinal: span.document for w in after for span in w.spans}
        held = {span.document.ordinal: span.document for w in held_out for span in w.spans}
        # The text that is cut where training begins is on both sides as it is.
        self._cut = min(later, default=-1)
        self._alike = KnownTexts(
            [document.text for number, document in held.items() if number != self._cut],
            [document.text for document in later.values()],
        )

    def others(self) -> Iterator[Document]:
        """Yield the documents to train on."""
        return (
            document
            for document in Corpus(self._settings)
            if document.ordinal <= self._cut or not self._alike.like(document.text)
        )


def _text(document: Document) -> tuple[str, str] | None:
    """Return what the parts of a text have in common; None for a document that is whole."""
    title = whole_title(document.title)
    return None if title == document.title else (document.source, title)
