"""What a dictionary must be like for its features to be read or steered in a model."""

from __future__ import annotations

from sae_desktop.dictionary import Dictionary
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.resolve import Site, check_site, parse_site, site_width
from sae_desktop.language_model.sites.site_names import HOOKS


def require_one_site(name: str, dictionary: Dictionary) -> None:
    """Raise UserError for a dictionary that reads several sites or models at once."""
    if len(dictionary.parts) > 1:
        raise UserError(
            f"The dictionary “{name}” reads {len(dictionary.parts)} sites at once, but an index "
            "covers one site.",
            kept="Nothing was changed.",
            next_step="Use Evaluate for its figures, or index a dictionary of one of those sites.",
        )


def written_site(name: str, dictionary: Dictionary, lm: LanguageModel, read: Site) -> Site:
    """Return the site to which a dictionary's features write: `read`, or a transcoder's output.

    Raises UserError for a crosscoder or cross-layer transcoder, which write several sites, for a
    transcoder that names no site, or one that the model lacks, that has another width, or that
    the model computes before the one it reads.
    """
    if len(dictionary.parts) > 1:
        raise UserError(
            f"The dictionary “{name}” is a crosscoder or cross-layer transcoder: its features "
            f"write {len(dictionary.parts)} sites at once, but steering changes one.",
            kept="Nothing was changed.",
            next_step="Steer with a dictionary or transcoder of a single layer.",
        )
    found = writes_elsewhere(dictionary)
    if not found:
        return read
    if found == UNNAMED:
        raise UserError(
            f"The dictionary “{name}” is a transcoder, and its files do not say which site it "
            "writes.",
            kept="Nothing was changed.",
            next_step="Import it again with the site it writes given, such as "
            f"blocks.{read.layer}.hook_mlp_out.",
        )
    written = check_site(lm.model, parse_site(found))
    width = site_width(lm.model, written)
    if width != dictionary.out_width:
        raise UserError(
            f"The dictionary “{name}” writes {dictionary.out_width} numbers, and the site "
            f"“{written}” of “{lm.name}” has {width}.",
            kept="Nothing was changed.",
            next_step="Import it again with the site it writes given.",
        )
    if _place(written) < _place(read):
        raise UserError(
            f"The dictionary “{name}” is said to read “{read}” and to write “{written}”, which "
            "the model computes before that.",
            kept="Nothing was changed.",
            next_step="Import it again with the sites it reads and writes given.",
        )
    return written


UNNAMED = "unnamed"


def writes_elsewhere(dictionary: Dictionary) -> str:
    """Return the site a transcoder writes, or `UNNAMED`; nothing for a plain dictionary."""
    written = str(dictionary.metadata.get("hook_name_out") or "")
    other = dictionary.W_skip is not None or dictionary.out_width != dictionary.width
    return written or (UNNAMED if other else "")


def _place(site: Site) -> tuple[int, int]:
    return site.layer, HOOKS.index(site.hook)
