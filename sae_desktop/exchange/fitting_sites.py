"""The sites a foreign dictionary names, and those that the model at hand has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from sae_desktop.dictionary import Dictionary, save
from sae_desktop.dictionary.formats.folder_view import Found
from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.resolve import check_site, hook_point
from sae_desktop.language_model.sites.site_names import Site, is_centred, parse_site, uncentred

SEVERAL = " + "
"""Between the sites of a dictionary that reads or writes several."""
_IF_CENTRED = (
    "The model’s writing weights were centred in training, so the dictionary reads “{site}”, the "
    "stream minus its mean. In a model whose norms are RMSNorms that had no effect: for such a "
    "model, import it with the site “{plain}”."
)
_NOT_CENTRED = (
    "The model’s writing weights were to be centred in training; its norms do not subtract the "
    "mean, so the weights were left unchanged."
)


def fitting_sites(
    network: Any, found: Found, site: str, site_out: str
) -> tuple[str, str, list[str]]:
    """Return the sites that a dictionary reads and writes in a model, and what to know of them.

    `network` is the model without weights, None where it is not on this machine. Raises UserError
    where a module that the files name gives something else than the site of that name: a Gemma 2
    norms what its MLP gives before it is added.
    """
    notes: list[str] = []
    fitted = []
    for names in (site, site_out):
        one = [_uncentred_if_rms(network, name, notes) for name in names.split(SEVERAL) if name]
        fitted.append(SEVERAL.join(one))
    if network is not None:
        for name, module in found.modules:
            if name in fitted:
                _require_module(network, name, module)
    return fitted[0], fitted[1], list(dict.fromkeys(notes))


def _uncentred_if_rms(network: Any, name: str, notes: list[str]) -> str:
    parsed = parse_site(name)
    if not is_centred(parsed.hook):
        return name
    plain = Site(parsed.layer, uncentred(parsed.hook))
    if network is None:
        notes.append(_IF_CENTRED.format(site=parsed, plain=plain))
        return name
    check_site(network, plain)
    try:
        check_site(network, parsed)
    except UserError:
        notes.append(_NOT_CENTRED)
        return str(plain)
    return name


def _require_module(network: nn.Module, site: str, module: str) -> None:
    named = next(
        (m for name, m in network.named_modules() if name == module or name.endswith(f".{module}")),
        None,
    )
    if named is None:
        return
    point = hook_point(network, parse_site(site))
    if point.module is not named:
        raise UserError(
            f"The dictionary was trained on the output of the module “{module}”. This model "
            f"applies a norm to that output before adding it to the stream, and the site “{site}” "
            "is what is added.",
            kept="Nothing was written.",
            next_step="Use it in the library that made it; this program has no site for it.",
        )


def save_for_saelens(dictionary: Dictionary, folder: Path) -> None:
    """Save a dictionary with its sites in SAELens's words: a centred one by how the model is read.

    Raises UserError when the disk is full, and for one that reads rows twice.
    """
    if dictionary.refinement is not None:
        raise UserError(
            "This dictionary looks a second time at what its first reading leaves over, which "
            "SAELens has no architecture for.",
            kept="Nothing was written.",
            next_step="Share it as a package, which SAE Desktop opens; or train one with "
            "LISTA step 0 and Leave one out 0.",
        )
    metadata = dict(dictionary.metadata)
    for key in ("hook_name", "hook_name_out"):
        try:
            site = parse_site(str(metadata.get(key) or ""))
        except UserError:
            continue
        if is_centred(site.hook):
            metadata[key] = str(Site(site.layer, uncentred(site.hook)))
            metadata["model_from_pretrained_kwargs"] = {"center_writing_weights": True}
    dictionary.metadata = metadata
    save(dictionary, folder)
