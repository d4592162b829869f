"""Sets that were found in a source, as the import offers them. Free of widgets."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.exchange.set_config import SetFound
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.set_words import layers_text


def found_title(found: SetFound) -> str:
    """Return a set as an entry among single dictionaries."""
    if found.kind == "cross_layer":
        return f"Cross-layer transcoder of {len(found.layers)} layers, as a set"
    return f"All {len(found.layers)} layers, as one set"


def found_text(found: SetFound) -> str:
    """Return what a set is, a line each."""
    what = "a cross-layer transcoder" if found.kind == "cross_layer" else "transcoders"
    lines = [
        f"{found.format}, {what} of layers {layers_text(found.layers)}: "
        f"{exact_count(found.features)} features in all, width {exact_count(found.width)}."
    ]
    if found.path not in ("", "."):
        lines.append(found.path)
    return "\n".join([*lines, *found.notes])


def found_name(found: SetFound, source: str) -> str:
    """Return what a set could be called: as its folder, repository or file is."""
    outer = [part for part in Path(found.path).parts if "*" not in part and part != "."]
    whole = Path(source)
    name = whole.name if not whole.suffix or whole.is_dir() else whole.stem
    return "-".join([name, *outer[-1:]]) if outer and outer[-1] != name else name
