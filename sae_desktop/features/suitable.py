"""What a dictionary must be for features to be read, or steered, at one site of a model."""

from __future__ import annotations

from sae_desktop.dictionary import Dictionary
from sae_desktop.errors import UserError


def require_one_site(name: str, dictionary: Dictionary) -> None:
    """Raise UserError for a dictionary that reads several sites or models at once."""
    if len(dictionary.parts) > 1:
        raise UserError(
            f"The dictionary “{name}” reads {len(dictionary.parts)} sites at once, and an index "
            "is of one site.",
            kept="Nothing was changed.",
            next_step="Its figures are in Evaluate; index a dictionary of one of those sites.",
        )


def require_writing_where_it_reads(name: str, dictionary: Dictionary) -> None:
    """Raise UserError for a transcoder: its directions belong to another site than it reads."""
    written = writes_elsewhere(dictionary)
    if written:
        raise UserError(
            f"The dictionary “{name}” is a transcoder: it reads one site and writes another, "
            f"“{written}”, where its features cannot be clamped.",
            kept="Nothing was changed.",
            next_step="Steer with a dictionary of the residual stream or of that site.",
        )


def writes_elsewhere(dictionary: Dictionary) -> str:
    """Return the site a transcoder writes, or “unnamed”; nothing for a plain dictionary."""
    written = str(dictionary.metadata.get("hook_name_out") or "")
    other = dictionary.W_skip is not None or dictionary.out_width != dictionary.width
    return written or ("unnamed" if other else "")
