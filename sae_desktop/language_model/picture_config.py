"""What jobs on pictures are asked to do, and what they answer. Free of torch."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.file_kinds import takes
from sae_desktop.limits import Count
from sae_desktop.pictures.places import PictureLayout


class PreviewPicturesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="preview_pictures"):
    """Look what pictures there are, and what a model would make of the first of them."""

    pictures: Annotated[str, takes("pictures", "corpus")]
    """A picture, a folder, an archive (.zip, .tar), a table, or a dataset’s name on the hub."""
    subset: str = ""
    """Of a dataset on the hub; "": its default."""
    split: str = "train"
    """Of a dataset on the hub."""
    model: Annotated[str, takes("model")] = ""
    """Whose tokens are placed; "": none."""
    preview: Count = 8
    """Pictures that are read."""


class PicturePreview(msgspec.Struct, frozen=True, kw_only=True):
    """One picture as it was read."""

    name: str
    text: str
    """The words of its document."""
    format: str
    width: int
    height: int
    """Of the upright picture."""
    digest: str
    """SHA-256 of its file."""
    notes: list[str]
    """What was done to it beyond reading."""
    thumbnail: bytes
    """WebP, 160 pixels at most."""
    layout: PictureLayout | None = None
    """Which tokens the model makes of it, and where; None without a model."""


class RefusedPicture(msgspec.Struct, frozen=True):
    name: str
    why: str


class PicturesDescription(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    documents: int
    pictures: int
    """That were found; of a large source among the first documents alone."""
    complete: bool
    """Whether all of it was looked through."""
    previews: list[PicturePreview]
    refused: list[RefusedPicture]
    """The first of them."""
    refusals: int
    model: str = ""
