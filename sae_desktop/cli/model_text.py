"""A model's card as text for a person at a terminal."""

from __future__ import annotations

from sae_desktop.cli.render import number
from sae_desktop.language_model.config import ModelDescription, SameModelResult, TrustModelResult
from sae_desktop.language_model.files.code import ModelCode
from sae_desktop.language_model.files.trust import WARNING
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.model_card import memory_text, model_figures, reading_text


def card(model: ModelDescription) -> str:
    """Return all that is known about a model, one fact per line, then its sites."""
    rows = [
        ("Model", model.name),
        *model_figures(model),
        (
            "Reads",
            reading_text(model) or "left to right; it predicts what comes next",
        ),
        ("Precision", model.dtype or number(None)),
        ("Device", model.device or number(None)),
        ("Memory", memory_text(model) or number(None)),
        ("Weights", model.origin or number(None)),
        ("Program code", _code(model)),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name.ljust(width)}  {value}" for name, value in rows]
    return "\n".join([*lines, *_sites(model)])


def _code(model: ModelDescription) -> str:
    if not model.code_files:
        return "none"
    state = "trusted" if model.code_trusted else "not trusted: sae-desktop models trust"
    return f"{', '.join(model.code_files)} ({state})"


def _sites(model: ModelDescription) -> list[str]:
    """Return the sites of each run of layers with the same sites."""
    found: dict[int, list[str]] = {}
    shapes = model.site_shapes or [""] * len(model.sites)
    for name, size, shape in zip(model.sites, model.site_widths, shapes, strict=True):
        site = parse_site(name)
        found.setdefault(site.layer, []).append(f"{site.hook} ({shape or f'{size:,}'})")
    lines: list[str] = []
    layers = sorted(found)
    while layers:
        first = last = layers.pop(0)
        while layers and layers[0] == last + 1 and found[layers[0]] == found[first]:
            last = layers.pop(0)
        span = f"blocks.{first}" if first == last else f"blocks.{first} to blocks.{last}"
        lines.append(f"sites of {span}")
        lines += [f"  {site}" for site in found[first]]
    return lines


def code_question(name: str, code: ModelCode) -> str:
    """Return what it means to trust a model's code, and which files it is."""
    sizes = [(file, format_bytes((code.folder / file).stat().st_size)) for file in code.files]
    width = max(len(file) for file, _ in sizes)
    return "\n".join(
        [
            f"“{name}” cannot be opened without running its own program code. {WARNING}",
            f"It is in {code.folder}:",
            *(f"  {file.ljust(width)}  {size}" for file, size in sizes),
            "You trust these files as they are now; if one changes, you are asked again.",
        ]
    )


def said_same(result: SameModelResult) -> str:
    """Return that two models are treated as the same from now on."""
    if not result.differed:
        return f"“{result.one}” and “{result.other}” are the same model already."
    return (
        f"“{result.one}” and “{result.other}” are treated as the same model in this project from "
        f"now on, although {result.differed}."
    )


def trusted(result: TrustModelResult) -> str:
    """Return that the code may be run now."""
    return f"The code of “{result.model}” may be run: {', '.join(result.code_files)}"
