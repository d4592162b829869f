"""Converts dictionaries trained on head outputs without value biases to the full head outputs."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.site_names import Site, parse_site
from sae_desktop.language_model.sites.value_biases import value_biases


def with_value_biases(
    dictionary: Dictionary, path: Path, model: str, site: str, site_out: str
) -> Dictionary:
    """Return the dictionary of a model's own heads, of one whose rows lack the values' biases.

    Its activations at x are those that the other has at x less the biases: exact, but for
    rounding. Raises UserError where the model is not on this machine, and for a dictionary
    that no constant can be moved into.
    """
    try:
        read, written = parse_site(site), parse_site(site_out or site)
        lm = load_model(model, "cpu", "float32")
    except UserError as error:
        raise UserError(
            f"“{path}” was trained on “{model}” with its value biases moved elsewhere "
            f"(fold_value_biases). Bringing them back needs the model: {error.what}",
            kept="Nothing was written.",
            next_step=error.next_step,
        ) from error

    def biases(of: Site) -> Tensor | None:
        return value_biases(lm, of.layer) if of.hook == "attn.hook_z" else None

    try:
        return dictionary.shifted(biases(read), biases(written))
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"“{path}” was trained with the value biases moved elsewhere (fold_value_biases), "
            f"which cannot be brought back: {error}.",
            kept="Nothing was written.",
            next_step="Ask its maker for one that was trained without fold_value_biases.",
        ) from error
