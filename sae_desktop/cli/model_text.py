"""A model's card as text for a person at a terminal."""

from __future__ import annotations

from sae_desktop.cli.render import number
from sae_desktop.language_model.config import ModelDescription, SameModelResult, TrustModelResult
from sae_desktop.language_model.files.code import ModelCode
from sae_desktop.language_model.files.trust import WARNING
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.storage.faults import format_bytes

_SPECIAL = (("bos_token", "before a text"), ("eos_token", "after a text"))


def card(model: ModelDescription) -> str:
    """Return all that is known about a model, one fact per line, then its sites."""
    rows = [
        ("model", model.name),
        ("architecture", f"{model.architecture}, {_kind(model)}"),
        ("layers", number(model.layers)),
        ("width", number(model.width)),
        ("heads", _heads(model)),
        ("MLP", _mlp(model)),
        ("context", f"{model.context_size:,} tokens"),
        ("vocabulary", number(model.vocabulary)),
        ("parameters", number(model.parameters or None)),
        ("precision", model.dtype or number(None)),
        ("device", model.device or number(None)),
        ("memory", _memory(model)),
        ("on disk", format_bytes(model.disk_bytes) if model.disk_bytes else "not here yet"),
        ("weights", model.origin or number(None)),
        ("special tokens", _special(model)),
        ("chat template", number(model.chat_template if model.parameters else None)),
        ("program code", _code(model)),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name.ljust(width)}  {value}" for name, value in rows]
    return "\n".join([*lines, *_sites(model)])


def _kind(model: ModelDescription) -> str:
    return "predicts the next token" if model.causal else "an encoder"


def _heads(model: ModelDescription) -> str:
    if model.key_value_heads in (0, model.heads):
        return number(model.heads or None)
    return f"{model.heads}, {model.key_value_heads} for keys and values"


def _mlp(model: ModelDescription) -> str:
    if model.experts:
        return f"{model.experts} experts of {model.mlp_width:,} neurons"
    return f"{model.mlp_width:,} neurons" if model.mlp_width else number(None)


def _memory(model: ModelDescription) -> str:
    if not model.memory_bytes:
        return number(None)
    words = (
        f"{format_bytes(model.memory_bytes)} for the weights, "
        f"{format_bytes(model.free_memory_bytes)} free"
    )
    if model.fits:
        return words
    return f"{words}: it does not fit; try --dtype bfloat16, --dtype 8bit or --device split"


def _special(model: ModelDescription) -> str:
    named = [(getattr(model, field), place) for field, place in _SPECIAL]
    return ", ".join(f"{token} {place}" for token, place in named if token) or number(None)


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
