"""Captions with concepts clamped, saved to a file. Free of Qt."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.benchmark.captions.config import CaptionChangesResult
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.words.captions_text import captions_csv, captions_markdown

FORMS = {".csv": captions_csv, ".md": captions_markdown}


def save_captions(result: CaptionChangesResult, path: Path) -> None:
    """Write a result as the ending of the file says: .csv or .md. Raises UserError otherwise."""
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise UserError(
            f"“{path.name}” ends neither in .csv nor in .md.",
            kept="Nothing was written.",
            next_step="Give the file one of these endings.",
        )
    with explained(path):
        write_bytes(path, form(result).encode())
