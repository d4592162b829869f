"""The picture that a store or an index has a small copy of, found again where it came from.

The job `original_picture`. Free of torch; nothing is read that lies outside of what was named.
"""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath

from PIL import Image

from sae_desktop.activations.original_config import OriginalPicture, OriginalPictureConfig
from sae_desktop.activations.store import ActivationStore
from sae_desktop.corpus.documents import hub_name
from sae_desktop.corpus.mixed import FoundPicture, MixedDocument
from sae_desktop.corpus.picture_sources import read_source
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.pictures.reading import ReadPicture, read_picture
from sae_desktop.project import Project

_QUALITY = 90
_MOST_LOOKED_AT = 100_000
"""Documents of an archive or a table."""
_KEPT = "The small copy stays as it is."


def original_picture(config: OriginalPictureConfig, context: JobContext) -> OriginalPicture:
    """Return a picture from a store that kept it, or from where it was.

    Raises UserError where it is gone, has changed or cannot be read.
    """
    context.progress(0, 1, "pictures", "Reading the picture")
    found = _kept(config)
    if found is None:
        found = _read(config, context)
    if found.digest != config.digest:
        raise UserError(
            f"“{config.name}” has changed since it was read: the file there is another one.",
            kept=_KEPT,
            next_step="Put the file back that was harvested to see it large.",
        )
    image = found.image
    size = image.size
    if max(size) > config.side:
        image.thumbnail((config.side, config.side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY)
    context.progress(1, 1, "pictures", "Reading the picture")
    return OriginalPicture(name=config.name, width=size[0], height=size[1], picture=out.getvalue())


def _kept(config: OriginalPictureConfig) -> ReadPicture | None:
    """Return the picture from a store that has it whole; None: none has."""
    if not config.project:
        return None
    project = Project.open(Path(config.project))
    for name in config.stores:
        folder = project.store_path(name)
        if not folder.is_dir():
            continue
        pictures = ActivationStore.open(folder).pictures
        table = pictures.table
        for number in (table["digest"] == config.digest.encode()).nonzero()[0].tolist():
            if data := pictures.whole(number):
                return read_picture(data, config.name)
    return None


def _read(config: OriginalPictureConfig, context: JobContext) -> ReadPicture:
    place = Path(config.place).expanduser()
    if not config.place or not place.exists():
        raise _gone(config)
    if place.is_dir() and (path := _inside(place, config.name)) is not None:
        return read_picture(path, config.name)
    for number, item in enumerate(read_source(place)):
        context.check_cancelled()
        if number >= _MOST_LOOKED_AT:
            break
        for part in item.parts if isinstance(item, MixedDocument) else ():
            if isinstance(part, FoundPicture) and part.name == config.name:
                return read_picture(part.held, config.name)
    raise _gone(config)


def _inside(folder: Path, name: str) -> Path | None:
    """Return a picture’s file in a folder; None where the name leads elsewhere or to nothing."""
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        return None
    path = folder
    for part in inside.parts:
        path = path / part
        if path.is_symlink():
            return None
    return path if path.is_file() else None


def _gone(config: OriginalPictureConfig) -> UserError:
    if hub_name(config.place) is not None:
        return UserError(
            f"“{config.name}” was streamed from “{config.place}”, which is not asked again.",
            kept=_KEPT,
            next_step="Harvest again and keep the pictures themselves.",
        )
    return UserError(
        f"“{config.name}” is no longer in “{config.place}”."
        if config.place
        else f"Where “{config.name}” was is not known.",
        kept=_KEPT,
        next_step="Put the file back where it was harvested from, or harvest again and keep the "
        "pictures themselves.",
    )
