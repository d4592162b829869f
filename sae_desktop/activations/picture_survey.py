"""What a corpus of pictures amounts to, by the headers of its first documents."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sae_desktop.activations.config import PictureEstimate
from sae_desktop.activations.picture_windows import WindowReader
from sae_desktop.corpus.mixed import FoundPicture, Refused
from sae_desktop.corpus.picture_documents import NAMED, PictureCorpus
from sae_desktop.errors import UserError
from sae_desktop.interruption import check_interrupted
from sae_desktop.pictures.reading import picture_size, read_picture
from sae_desktop.pictures.thumbnails import thumbnail

MOST_DOCUMENTS = 4096
"""That are looked at."""
_THUMBNAILS = 16
"""That are made, to see how large they are."""
_RECORD = 600
"""Bytes kept of a picture beside its thumbnail and its name."""
_MARGIN = 1.5


@dataclass
class Survey:
    """Of the first documents."""

    documents: int = 0
    pictures: int = 0
    tokens: int = 0
    """Of the documents that fit, special ones aside."""
    of_picture: list[int] = field(default_factory=list)
    """Tokens of each picture."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    too_long: int = 0
    """Documents whose end, or all of which, a window does not take."""
    whole_bytes: int = 0
    """Of the pictures' files, where they are kept."""
    thumbnail_bytes: int = 0
    """Of the largest thumbnail seen."""
    complete: bool = True
    """Whether these are all."""

    def told(self) -> PictureEstimate:
        """Return what a person is told before a harvest."""
        counts = sorted(self.of_picture) or [0]
        return PictureEstimate(
            documents=self.documents,
            pictures=self.pictures,
            tokens=self.tokens,
            fewest=counts[0],
            typical=counts[len(counts) // 2],
            most=counts[-1],
            refused=[name for name, _ in self.refused[:NAMED]],
            refusals=len(self.refused),
            too_long=self.too_long,
            complete=self.complete,
        )

    def data_bytes(self, pictures: int) -> int:
        """Return the room for what is kept of so many pictures."""
        each = self.thumbnail_bytes + _RECORD + self.whole_bytes / max(1, self.pictures)
        return math.ceil(_MARGIN * each * pictures) + (1 << 16)

    def empty(self, name: str) -> UserError:
        """Return the error for a corpus of which nothing can be read."""
        if not self.refused:
            return UserError(
                f"There are no pictures in “{name}”.",
                next_step="Choose a folder, an archive or a table of PNG, JPEG, WebP, GIF, BMP or "
                "TIFF pictures.",
            )
        first, why = self.refused[0]
        return UserError(
            f"None of the {len(self.refused):,} documents in “{name}” can be read. The first, "
            f"“{first}”: {why}",
            kept="Nothing was written.",
            next_step="Mend them, or choose other pictures.",
        )


def survey(corpus: PictureCorpus, reader: WindowReader) -> Survey:
    """Look at the first documents of a corpus. Raises UserError for one that cannot be read."""
    found = Survey()
    for item in corpus.first():
        check_interrupted()
        if found.documents + len(found.refused) >= MOST_DOCUMENTS:
            found.complete = False
            break
        if isinstance(item, Refused):
            found.refused.append((item.name, item.why))
            continue
        try:
            _add(found, reader, item.parts)
        except UserError as error:
            found.refused.append((item.name, error.what))
    return found


def _add(found: Survey, reader: WindowReader, parts: tuple[str | FoundPicture, ...]) -> None:
    tokens, own, whole = 0, [], 0
    for part in parts:
        if isinstance(part, str):
            count = reader.tokens_of(part)
        else:
            count = reader.tokens_of_size(picture_size(part.held, part.name))
        if reader.most_tokens and tokens + count > reader.most_tokens:
            found.too_long += 1
            if isinstance(part, str):  # its beginning fits
                tokens = reader.most_tokens
            break
        tokens += count
        if not isinstance(part, str):
            own.append(count)
            if reader.keep:
                whole += _bytes(part)
            if found.pictures + len(own) <= _THUMBNAILS:
                small = thumbnail(read_picture(part.held, part.name).image)
                found.thumbnail_bytes = max(found.thumbnail_bytes, len(small))
    if tokens:
        found.documents += 1
        found.pictures += len(own)
        found.of_picture += own
        found.tokens += tokens
        found.whole_bytes += whole


def _bytes(part: FoundPicture) -> int:
    return len(part.held) if isinstance(part.held, bytes) else part.held.stat().st_size
