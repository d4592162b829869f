"""Pictures and a text put before the model of an index, as one window.

T tokens, of pictures and of text, without the special ones around them; I width of what is read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.places import Places, models_of, side_by_side
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.pictures.batches import PictureBatch
from sae_desktop.language_model.pictures.reader import Document, PictureReader, open_pictures
from sae_desktop.language_model.sites.capture import visit_inputs
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.pictures.places import PictureLayout
from sae_desktop.pictures.reading import ReadPicture, read_picture
from sae_desktop.storage.stamp import file_stamp

MOST_PICTURES = 32
"""Of one document."""
_MOST_KEPT = 8
_MOST_KEPT_PIXELS = 20_000_000

_readers: WeakKeyDictionary[LanguageModel, PictureReader] = WeakKeyDictionary()
_kept: OrderedDict[tuple[Any, ...], ReadPicture] = OrderedDict()
"""Who types after a picture asks of the same one at every key."""


@dataclass(frozen=True)
class PictureDocument:
    """Pictures and a text as a model is given them, and which of its rows are of what."""

    lm: LanguageModel
    batch: PictureBatch
    """Of one document."""
    pictures: list[ReadPicture]

    @property
    def layouts(self) -> list[PictureLayout]:
        return self.batch.layouts

    @cached_property
    def own(self) -> npt.NDArray[np.intp]:
        """(T,): the rows that are of the document, not of what stands around every text."""
        return np.flatnonzero(~self.batch.special[0])

    @property
    def whole_ids(self) -> list[int]:
        """Of all rows, the special ones too; −1 of an encoder of pictures, which has no tokens."""
        if "input_ids" not in self.batch.inputs:
            return [-1] * self.batch.lengths[0]
        found: list[int] = self.batch.inputs["input_ids"][0].tolist()
        return found

    @property
    def ids(self) -> list[int]:
        """(T,)"""
        whole = self.whole_ids
        return [whole[row] for row in self.own]

    @property
    def picture(self) -> npt.NDArray[np.int32]:
        """(T,): of which picture a token is; −1 of text."""
        return np.asarray(self.batch.picture[0, self.own])

    @property
    def token(self) -> npt.NDArray[np.int32]:
        """(T,): which token of that picture it is; −1 of text."""
        return np.asarray(self.batch.token[0, self.own])

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """What the model is given, on its device and in its numbers."""
        dtype = self.lm.model.dtype
        return {
            name: x.to(self.lm.device, dtype if x.is_floating_point() else x.dtype)
            for name, x in self.batch.inputs.items()
        }

    def names(self) -> list[str]:
        """Return what each token is called: its text, or its place in its picture."""
        known = self.lm.token_bytes() if (self.picture < 0).any() else []
        several = len(self.layouts) > 1
        places = [
            [f"picture {number}, {name}" if several else name for name in layout.names()]
            for number, layout in enumerate(self.layouts, start=1)
        ]
        return [
            token_text(known[number]) if picture < 0 else places[picture][token]
            for number, picture, token in zip(self.ids, self.picture, self.token, strict=True)
        ]

    def rows(self, places: Places) -> Tensor:
        """Return the values (T, I) at places of the model, side by side, float32."""
        found: dict[Site, Tensor] = {}

        def keep(site: Site, value_BSD: Tensor) -> None:
            found[site] = value_BSD[0, torch.from_numpy(self.own).to(value_BSD.device)].float()

        rows, length = self.batch.picture.shape
        sites = [place.site for place in places]
        visit_inputs(self.lm, self.inputs, rows, length, sites, keep)
        return side_by_side([found[place.site] for place in places])


def read_document(opened: OpenedIndex, pictures: Sequence[str], text: str) -> PictureDocument:
    """Return pictures and the text after them as the model of an index is given them.

    Raises UserError for a model that reads no pictures, a picture that cannot be read, and for
    more than the model reads at once.
    """
    lm = one_model(opened)
    reader = picture_reader_of(lm)
    if len(pictures) > MOST_PICTURES:
        raise UserError(
            f"{len(pictures)} pictures were given; at most {MOST_PICTURES} are read at once.",
            next_step="Remove some of them.",
        )
    found = [read_kept(Path(name)) for name in pictures]
    parts: list[Any] = [one.image for one in found]
    return document_of(lm, reader, [*parts, *([text] if text.strip() else [])], found)


def document_of(
    lm: LanguageModel, reader: PictureReader, parts: Document, pictures: list[ReadPicture]
) -> PictureDocument:
    """Return texts and pictures as a model is given them. Raises UserError where they are too long.

    `pictures`: those of `parts`, in their order.
    """
    batch = reader.batch([parts])
    length = batch.lengths[0]
    if length > getattr(lm, "context_size", length):  # an encoder of pictures has none
        of_pictures = int((batch.picture >= 0).sum())
        raise UserError(
            f"The text and its pictures have {length:,} tokens, {of_pictures:,} of them of "
            f"pictures; “{lm.name}” reads {lm.context_size:,} at once.",
            kept="Nothing was read.",
            next_step="Use fewer or smaller pictures, or a shorter text.",
        )
    return PictureDocument(lm, batch, pictures)


def one_model(opened: OpenedIndex) -> LanguageModel:
    """Return the model of an index. Raises UserError where it is of several."""
    if len(models_of(opened.reads)) > 1:
        raise UserError(
            f"The dictionary “{opened.index.info.dictionary}” reads {len(opened.models)} models at "
            "once, and pictures are read with one.",
            next_step="Choose an index of a single model that reads pictures, or use text alone.",
        )
    return opened.lm


def picture_reader_of(lm: LanguageModel) -> PictureReader:
    """Return what prepares pictures for a model. Raises UserError where it reads none."""
    if lm not in _readers:
        _readers[lm] = open_pictures(lm)
    return _readers[lm]


def reads_pictures(opened: OpenedIndex) -> bool:
    """Whether pictures can be put before the model of an index."""
    try:
        picture_reader_of(one_model(opened))
    except UserError:
        return False
    return True


def read_kept(path: Path) -> ReadPicture:
    """Return a picture, kept from before where its file has not changed.

    Raises UserError as `read_picture`.
    """
    path = path.expanduser()
    key = (path, file_stamp(path))
    if key not in _kept:
        _kept[key] = read_picture(path)
    _kept.move_to_end(key)
    while len(_kept) > 1 and (
        len(_kept) > _MOST_KEPT
        or sum(one.image.width * one.image.height for one in _kept.values()) > _MOST_KEPT_PIXELS
    ):
        _kept.popitem(last=False)
    return _kept[key]
