"""What stands in the rows of the Gallery and beside them. Free of widgets."""

from __future__ import annotations

from sae_desktop.exchange.fits import Fit, published_model
from sae_desktop.exchange.gallery import Family, layers_text
from sae_desktop.exchange.here import DictionaryHere
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.architecture_titles import architecture_title
from sae_desktop.words.gallery_text import access_short, fit_short
from sae_desktop.words.inventory import SetItem
from sae_desktop.words.set_words import layers_text as layers_in_short
from sae_desktop.words.source_titles import MODELS

Choice = Family | DictionaryHere | None
HEADS = (
    "Dictionary", "Model", "Site", "Layers", "Features", "Size", "Access", "This machine",
)  # fmt: skip
UNKNOWN = "unknown"


def row(name: str, model: str, site: str, features: int, size: int) -> list[str]:
    """Return the texts of a dictionary's row, its site split into hook and layer."""
    layer, _, hook = site.removeprefix("blocks.").partition(".")
    return [
        name, MODELS.get(model, model), hook or site, layer if hook else "",
        exact_count(features) if features else UNKNOWN, format_bytes(size), "", "",
    ]  # fmt: skip


def row_of_set(item: SetItem) -> list[str]:
    """Return the texts of a set of the open project."""
    info = item.info
    first = info.members[0].reads if info is not None else ""
    texts = row(
        item.name, info.model if info is not None else "", first,
        info.features if info is not None else 0, item.bytes,
    )  # fmt: skip
    texts[HEADS.index("Layers")] = layers_in_short(info.layers) if info is not None else ""
    return texts


def row_here(one: DictionaryHere) -> list[str]:
    return row(one.name, one.model, one.site, one.features, one.bytes)


def row_of(family: Family, fit: Fit | None, *, looked: bool) -> list[str]:
    """Return the texts of a family's row; `looked`: whether the machine is known yet."""
    known, model = family.features > 0, published_model(family.model)
    return [
        family.name, family.model, family.hook, layers_text(family.layers),
        exact_count(family.features) if known else UNKNOWN,
        format_bytes(family.bytes) if known else UNKNOWN,
        access_short(model.access if model is not None else "unknown"),
        fit_short(fit) if looked else "…",
    ]  # fmt: skip


def holds(texts: list[str], choice: Choice, words: list[str]) -> bool:
    """Whether a row is found by words; a family was chosen by more than its row shows."""
    if isinstance(choice, Family):
        return True
    told = " ".join(texts) if choice is None else choice.text
    return all(word in told.casefold() for word in words)


def about_family(family: Family) -> str:
    features = exact_count(family.features) if family.features else "unknown"
    return (
        f"{family.format}, {architecture_title(family.architecture)}\n{features} features of width "
        f"{exact_count(family.width)}\nLicence: {family.licence or 'see its web page'}\n"
        f"{family.repository}"
    )


def about_here(one: DictionaryHere) -> str:
    if not one.place:
        return "In the hub’s cache. Importing it shows which dictionaries it holds."
    return (
        f"{exact_count(one.features)} features\n{one.model or 'unknown model'}, "
        f"{one.site or 'unknown site'}\nIn the project {one.place}"
    )
