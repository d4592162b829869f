"""Dictionaries that an earlier version of this program imported with another site or norm.

What they would show in a model is not what they were trained for: they must be imported again.
"""

from __future__ import annotations

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.saelens import ROW_NORM_NAMES
from sae_desktop.dictionary.formats.saelens_overrides import corrections
from sae_desktop.errors import UserError


def require_right_import(name: str, dictionary: Dictionary) -> None:
    """Raise UserError for one whose site or norm is known to be wrong."""
    metadata = dictionary.metadata
    site = str(metadata.get("hook_name") or "")
    right = ""
    if metadata.get("source_format") == "Gemma Scope" and site.endswith(".mlp.hook_in"):
        right = f"reads “{site.replace('mlp.hook_in', 'ln2.hook_normalized')}”, not “{site}”"
    told = corrections("/".join(str(metadata.get("source") or "").split("/")[:2]))
    processed = told.get("model_from_pretrained_kwargs", {})
    if processed.get("center_writing_weights") and ".hook_resid_" in site and "centred" not in site:
        right = f"reads “{site}.centred”, the stream minus its mean, not “{site}”"
    norm = told.get("normalize_activations")
    if norm and ROW_NORM_NAMES[dictionary.row_norm] != norm:
        right = f"normalises each row by “{norm}”"
    if right:
        raise UserError(
            f"The dictionary “{name}” was imported by an earlier version of this program, which "
            f"read its files incorrectly: it {right}. What it showed about a model was wrong.",
            kept="Nothing was changed.",
            next_step="Import it again, harvest its site and rebuild its index.",
        )
