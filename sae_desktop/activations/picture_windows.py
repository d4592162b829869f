"""Documents of words and pictures as windows: each is one, and no picture is ever cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sae_desktop.activations.picture_layout import (
    NewPicture,
    PictureRecord,
    PictureRows,
    picture_rows,
)
from sae_desktop.corpus.documents import Document
from sae_desktop.corpus.picture_documents import (
    HeldPicture,
    PictureCorpus,
    PictureDocument,
    PictureReport,
)
from sae_desktop.corpus.windows import Span, Window
from sae_desktop.errors import UserError
from sae_desktop.language_model.pictures.batches import PictureBatch
from sae_desktop.language_model.pictures.limited import size_within, stretched
from sae_desktop.language_model.pictures.reader import PictureReader
from sae_desktop.pictures.places import PictureLayout
from sae_desktop.pictures.reading import picture_size, read_picture
from sae_desktop.pictures.thumbnails import thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image


GROUP_BYTES = 1 << 27
"""Of the pixels of a group's pictures, after which it ends."""
_FEW_PARTS = 4
"""So many pieces are prepared before it is asked whether they fit."""


@dataclass(frozen=True)
class WindowPicture:
    """A picture of a window, as it will be kept."""

    record: PictureRecord
    digest: str
    thumbnail: bytes
    whole: bytes


@dataclass(frozen=True, eq=False)
class PictureWindow(Window):
    """A whole document, prepared for the model."""

    prepared: PictureBatch = field(kw_only=True)
    """Of this document alone, its pixels in the model's precision."""
    pictures: tuple[WindowPicture, ...] = ()


@dataclass(frozen=True)
class PictureInputs:
    """Documents of one forward pass as the model is given them."""

    reader: PictureReader
    windows: Sequence[PictureWindow]
    length: int
    """Tokens to which they are padded."""
    inputs: Mapping[str, Tensor]

    @classmethod
    def of(
        cls, reader: PictureReader, windows: Sequence[PictureWindow], length: int
    ) -> PictureInputs:
        """Put documents together."""
        joined = reader.joined([window.prepared for window in windows], length)
        return cls(reader, windows, length, joined.inputs)

    def part(self, first: int, last: int) -> PictureInputs:
        """Return some of the documents."""
        return self.of(self.reader, self.windows[first:last], self.length)


@dataclass(frozen=True)
class WindowReader:
    """Makes windows of the documents of a corpus of pictures."""

    reader: PictureReader
    dtype: torch.dtype
    encode: Callable[[str], Sequence[int]]
    most_tokens: int
    """Of a window; 0: as many as there are."""
    most_of_picture: int
    """Tokens of one picture; 0: as many as there are."""
    source: str
    keep: bool
    skip_limit: float

    def windows(
        self, corpus: PictureCorpus, report: PictureReport, start: int = 0
    ) -> Iterator[PictureWindow]:
        """Yield the windows of documents from the place `start` on.

        What cannot be read, and what has no piece that fits, is counted in `report`.
        """
        for document in corpus.documents(start):
            try:
                yield self._window(document, report)
            except UserError as error:
                report.refuse(document.name, error.what, self.skip_limit, error.next_step)

    def tokens_of(self, part: str | HeldPicture) -> int:
        """Return about how many tokens a piece is of, by its header alone."""
        if isinstance(part, str):
            return len(self.encode(part))
        return self.tokens_of_size(picture_size(part.data, part.name))

    def tokens_of_size(self, size: tuple[int, int]) -> int:
        """Return how many tokens a picture of a size is of."""
        return self.reader.layout(*size_within(self.reader, size, self.most_of_picture)).tokens

    def _window(self, document: PictureDocument, report: PictureReport) -> PictureWindow:
        given = self._beginning(document)
        read = [part if isinstance(part, str) else self._read(part) for part in given]
        prepared = self._prepared(read)
        cut = len(read) < len(document.parts)
        while self.most_tokens and prepared.lengths[0] > self.most_tokens:
            cut, last = True, read.pop()
            if isinstance(last, str):
                read += self._shortened(last, prepared.lengths[0] - self.most_tokens)
            if not read:
                raise self._too_long(prepared.lengths[0])
            prepared = self._prepared(read)
        if cut:
            report.cut += 1
            report.first_cut = report.first_cut or document.name
        pictures = [part for part in read if not isinstance(part, str)]
        layouts = [
            stretched(layout, one.size)
            for layout, one in zip(prepared.layouts, pictures, strict=True)
        ]
        ids = prepared.inputs.get("input_ids")
        numbers = [-1] * prepared.lengths[0] if ids is None else ids[0].tolist()
        whole = Document(document.ordinal, "", self.source, "", document.name)
        return PictureWindow(
            numbers,
            (Span(whole, 0, len(numbers)),),
            prepared=replace(prepared, layouts=layouts).with_floats(self.dtype),
            pictures=tuple(one.kept(layout) for one, layout in zip(pictures, layouts, strict=True)),
        )

    def _beginning(self, document: PictureDocument) -> Sequence[str | HeldPicture]:
        """Return the pieces that may fit, the last in part, so that no more are decoded."""
        if not self.most_tokens or len(document.parts) <= _FEW_PARTS:
            return document.parts
        tokens = 0
        for number, part in enumerate(document.parts):
            tokens += self.tokens_of(part)
            if tokens > self.most_tokens:
                if not number and not isinstance(part, str):
                    raise self._too_long(tokens)
                return document.parts[: number + isinstance(part, str)]
        return document.parts

    def _shortened(self, text: str, over: int) -> list[str]:
        """Return a text without its last `over` tokens or some more, to the end of a word; nothing
        where it has no more."""
        room = len(self.encode(text)) - over
        while text and (count := len(self.encode(text))) > room:
            kept = text[: min(len(text) - 1, len(text) * max(room, 0) // count)]
            text = kept.rpartition(" ")[0] or kept
        return [text] if text.strip() else []

    def _prepared(self, read: Sequence[str | _Read]) -> PictureBatch:
        return self.reader.batch([[x if isinstance(x, str) else x.given for x in read]])

    def _too_long(self, tokens: int) -> UserError:
        return UserError(
            f"its first picture has {tokens:,} tokens, more than a window of {self.most_tokens:,}",
            next_step="Ask for more tokens per window, or for fewer image tokens for each picture.",
        )

    def _read(self, part: HeldPicture) -> _Read:
        found = read_picture(part.data, part.name)
        size = size_within(self.reader, found.image.size, self.most_of_picture)
        small = found.image if size == found.image.size else found.image.resize(size)
        return _Read(
            given=small,
            size=found.image.size,
            name=part.name,
            source=self.source,
            format=found.format,
            notes=list(found.notes),
            digest=found.digest,
            thumbnail=thumbnail(found.image),
            whole=part.data if self.keep else b"",
        )


@dataclass(frozen=True)
class _Read:
    """A picture that was read, on its way to a window."""

    given: Image
    """What the model is given."""
    size: tuple[int, int]
    """Of the whole picture."""
    name: str
    source: str
    format: str
    notes: list[str]
    digest: str
    thumbnail: bytes
    whole: bytes

    def kept(self, layout: PictureLayout) -> WindowPicture:
        record = PictureRecord(
            name=self.name, source=self.source, format=self.format, notes=self.notes, layout=layout
        )
        return WindowPicture(record, self.digest, self.thumbnail, self.whole)


class GroupPictures:
    """The pictures of a group of windows, as they are kept."""

    def __init__(self) -> None:
        self._picture: list[NDArray[np.int32]] = []
        self._token: list[NDArray[np.int32]] = []
        self._new: list[NewPicture] = []

    def add(self, window: PictureWindow, lead: int, first: int, document: int) -> None:
        """Add a window whose rows begin at the group's row `first`, without the `lead` tokens
        before them; `document` is its row of the documents."""
        picture, token = window.prepared.picture[0, lead:], window.prepared.token[0, lead:]
        for number, one in enumerate(window.pictures):
            own = np.flatnonzero(picture == number)
            begin, end = (int(own[0]), int(own[-1]) + 1) if len(own) else (0, 0)
            self._new.append(
                NewPicture(
                    one.record, one.digest, document, first + begin, end - begin, one.thumbnail,
                    one.whole,
                )
            )  # fmt: skip
        shift = len(self._new) - len(window.pictures)
        self._picture.append(np.where(picture >= 0, picture + shift, -1).astype(np.int32))
        self._token.append(token)

    def rows(self) -> PictureRows | None:
        """Return what was added; None where no window may have pictures."""
        if not self._token:
            return None
        picture, token = np.concatenate(self._picture), np.concatenate(self._token)
        return picture_rows(picture, token, self._new)
