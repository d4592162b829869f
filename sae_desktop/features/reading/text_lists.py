"""Lists of texts, typed by a person or read from a file. Free of torch and Qt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.decoding import whole_text
from sae_desktop.corpus.records import BadRowError, LeftOutError, Report, UnreadableError
from sae_desktop.errors import UserError

MOST_BYTES = 64 * 2**20
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*?(?=\S|[ \t]+\S)")


def split_texts(text: str) -> list[str]:
    """Return the texts: paragraphs where a blank line parts any, else one a line."""
    text = text.replace("\r\n", "\n").strip("\n")
    found = _PARAGRAPHS.split(text) if re.search(r"\n[ \t]*\n", text) else text.split("\n")
    return [part.strip("\n") for part in found if part.strip()]


def joined_texts(texts: list[str]) -> str:
    """Return what `split_texts` makes these texts of, their own blank lines taken out."""
    plain = [re.sub(r"\n\s*\n", "\n", text).strip("\n") for text in texts]
    several = any("\n" in text for text in plain)
    # A single text of several lines is one paragraph only before a blank line.
    return ("\n\n" if several else "\n").join(plain) + ("\n\n" if several else "\n")


def read_texts(path: Path, tell: Callable[[str], None] | None = None) -> list[str]:
    """Return the texts of a file: of .jsonl each line's string, or its “text”; else as written.

    A few lines that hold no text are left out, which `tell` is told. Raises UserError for a file
    that is missing, too large or no text, and for one with many such lines.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UserError(
                f"“{path.name}” has {size:,} bytes; at most {MOST_BYTES:,} can be read.",
                next_step="Use fewer texts.",
            )
        data = whole_text(path, MOST_BYTES)
    except OSError as error:
        raise UserError(
            f"“{path.name}” cannot be read: {error}.", next_step="Use a text file in UTF-8."
        ) from error
    except (UnreadableError, LeftOutError) as error:
        raise UserError(
            f"“{path.name}” cannot be read: {error.what}", next_step=error.next_step
        ) from error
    if path.suffix.lower() != ".jsonl":
        return split_texts(data)
    found, report = [], Report()
    for number, line in enumerate(data.split("\n"), 1):
        if not line.strip():
            continue
        report.rows += 1
        try:
            found.append(_json_text(path, number, line))
        except BadRowError as bad:
            report.leave_out(bad, CorpusSettings().skip_limit)
    if report.first_bad is not None and not found:
        raise report.first_bad
    if tell is not None:
        for note in report.notes():
            tell(note)
    return found


def _json_text(path: Path, number: int, line: str) -> str:
    try:
        found = json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        found = None
    text = found.get("text") if isinstance(found, dict) else found
    if not isinstance(text, str):
        raise BadRowError(
            f"Line {number} of “{path.name}” holds no text.",
            next_step="Put a string on each line, or an object with “text”.",
        )
    return text
