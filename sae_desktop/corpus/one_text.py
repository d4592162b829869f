"""A single file as one text, to be shown or tried: whatever a corpus may be made of."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.decoding import whole_text
from sae_desktop.corpus.formats import format_of
from sae_desktop.corpus.names import is_table, reader_of
from sae_desktop.corpus.records import Report
from sae_desktop.errors import UserError


def text_of(file: Path, most: int) -> str:
    """Return a file's text; of a table the texts of its rows, with a blank line between.

    JSON that is not lines is given as it stands. Raises UserError for a file without text, one
    that is damaged, and one of more than `most` characters.
    """
    if not is_table(file.name) and reader_of(file.name) is None:
        return whole_text(file, most)
    settings = CorpusSettings()
    texts: list[str] = []
    count = 0
    for record in format_of(file, settings, in_folder=False).read(file, settings, Report()):
        texts.append(record.text)
        count += len(record.text) + 2
        if count > most + 2:
            raise UserError(
                f"The texts of “{file.name}” have more than {most:,} characters.",
                next_step="Choose a shorter file, or copy some of its rows.",
            )
    if not texts:
        raise UserError(f"“{file.name}” holds no texts.", next_step="Choose another file.")
    return "\n\n".join(texts)
