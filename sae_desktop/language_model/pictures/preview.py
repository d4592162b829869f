"""The pictures of a folder, an archive or a table, and what a model would make of them.

The model's weights are not read.
"""

from __future__ import annotations

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import hub_name
from sae_desktop.corpus.mixed import FoundPicture, MixedDocument, Refused
from sae_desktop.corpus.picture_sources import canonical_pictures, read_pictures
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.network import load_config
from sae_desktop.language_model.picture_config import (
    PicturePreview,
    PicturesDescription,
    PreviewPicturesConfig,
    RefusedPicture,
)
from sae_desktop.language_model.pictures.reader import PictureReader, picture_reader
from sae_desktop.pictures.reading import picture_size, read_picture
from sae_desktop.pictures.thumbnails import thumbnail

MOST_LOOKED_AT = 10_000
"""Documents."""
_MOST_SHOWN = 20
_UNIT, _DOING = "pictures", "Reading pictures"


def preview_pictures(config: PreviewPicturesConfig, context: JobContext) -> PicturesDescription:
    """Return what there is, the first pictures, and by name what cannot be read.

    Raises UserError for a source that cannot be read, and for a model that reads no pictures.
    """
    context.progress(0, config.preview, _UNIT, _DOING)
    reader = _reader(config.model) if config.model else None
    place = canonical_pictures(config.pictures)
    remote = hub_name(place) is not None
    most = config.preview if remote else MOST_LOOKED_AT
    settings = CorpusSettings(subset=config.subset, split=config.split)
    previews: list[PicturePreview] = []
    refused: list[RefusedPicture] = []
    documents = pictures = refusals = 0
    complete = True
    for item in read_pictures(place, settings):
        context.check_cancelled()
        if documents + refusals >= most:
            complete = False
            break
        found = [item] if isinstance(item, Refused) else []
        if isinstance(item, MixedDocument):
            documents += 1
            for part in item.parts:
                if isinstance(part, str):
                    continue
                pictures += 1
                if len(previews) >= config.preview:
                    found += _unreadable(part)
                else:
                    shown = _preview(part, item, reader)
                    if isinstance(shown, Refused):
                        found.append(shown)
                    else:
                        previews.append(shown)
                        context.progress(len(previews), config.preview, _UNIT, _DOING)
        refusals += len(found)
        refused += [RefusedPicture(one.name, one.why) for one in found]
        del refused[_MOST_SHOWN:]
    if not pictures and not refusals:
        raise UserError(
            f"There are no pictures in “{place}”.",
            next_step="Choose a folder, an archive or a table of PNG, JPEG, WebP, GIF, BMP or "
            "TIFF pictures.",
        )
    context.progress(len(previews), len(previews), _UNIT, _DOING)
    return PicturesDescription(
        name=place,
        documents=documents,
        pictures=pictures,
        complete=complete,
        previews=previews,
        refused=refused,
        refusals=refusals,
        model=config.model,
    )


def _reader(model: str) -> PictureReader:
    files = find_model(model)
    return picture_reader(files, load_config(files), None)


def _unreadable(part: FoundPicture) -> list[Refused]:
    """Return why a picture cannot be read, as far as its header tells."""
    try:
        picture_size(part.held, part.name)
    except UserError as error:
        return [Refused(part.name, error.what)]
    return []


def _preview(
    found: FoundPicture, document: MixedDocument, reader: PictureReader | None
) -> PicturePreview | Refused:
    try:
        read = read_picture(found.held, found.name)
        layout = reader.layout(*read.image.size) if reader else None
    except UserError as error:
        return Refused(found.name, error.what)
    return PicturePreview(
        name=found.name,
        text=" ".join(part for part in document.parts if isinstance(part, str)),
        format=read.format,
        width=read.image.width,
        height=read.image.height,
        digest=read.digest,
        notes=list(read.notes),
        thumbnail=thumbnail(read.image),
        layout=layout,
    )
