"""A model card: what a dictionary belongs to, how good it is, and how to open it. Free of torch."""

from __future__ import annotations

import msgspec

from sae_desktop.exchange.config import PackageCard

_FIGURES = (
    ("l0", "L0, features active per token", "{:.1f}"),
    ("fvu", "fraction of variance unexplained", "{:.3f}"),
    ("dead_fraction", "dead features", "{:.2%}"),
    ("loss_recovered", "loss recovered, from zero ablation", "{:.2%}"),
)
_IN_SAELENS = (
    "```python",
    "from sae_lens import SAE",
    "",
    'sae = SAE.load_from_disk("dictionary")',
    "```",
)
_ELSEWHERE = "open the package in SAE\nDesktop, or read the tensors in `dictionary`."
_SEVERAL = f"Its features write several sites, which SAELens has no format for: {_ELSEWHERE}"
_TWICE = f"It looks at each row a second time, which SAELens has no format for: {_ELSEWHERE}"


def card_text(card: PackageCard) -> str:
    """Return a model card in Markdown, with the header the hub reads."""
    header = ["---", "library_name: saelens", "tags:", "- sparse-autoencoder", "- interpretability"]
    if card.licence:
        header.append(f"license: {_plain(card.licence)}")
    if "/" in card.model:
        header.append(f"base_model: {_plain(card.model)}")
    header.append("---")
    lines = [
        *header,
        f"# {_plain(card.name)}",
        "",
        _plain(card.about) or "What it is for and what it was trained on: to be written.",
        "",
        "| | |",
        "|---|---|",
        f"| model | {_plain(card.model)} |",
        *([f"| its weights | {_plain(card.model_origin)} |"] if card.model_origin else []),
        f"| site | `{_plain(card.site)}` |",
        *([f"| writes | {_sites(card)} |"] if card.outputs else []),
        *([f"| started from | {_plain(card.started_from)} |"] if card.started_from else []),
        f"| architecture | {_plain(card.architecture)} |",
        f"| features | {card.features:,} |",
        f"| width | {card.width:,} |",
        f"| licence | {_plain(card.licence) or 'not given'} |",
    ]
    if card.evaluation is not None:
        figures = msgspec.to_builtins(card.evaluation)
        lines += [
            f"| {title} | {form.format(figures[name])} |"
            for name, title, form in _FIGURES
            if isinstance(figures.get(name), int | float)
        ]
    if card.layers:
        layers = ", ".join(map(str, card.layers))
        lines += ["", f"A set of dictionaries for the layers {layers}: open it in SAE Desktop.", ""]
        return "\n".join(lines)
    lines += [
        "",
        "Decoder rows have norm one and input scaling is folded in: activations are in the units",
        "of the model's own.",
        "",
        *([_TWICE] if card.reads_twice else [_SEVERAL] if card.outputs else _IN_SAELENS),
        "",
    ]
    return "\n".join(lines)


def _sites(card: PackageCard) -> str:
    return ", ".join(f"`{_plain(site)}`" for site in card.outputs)


def _plain(text: str) -> str:
    """Return a text that ends no line and no cell of a table."""
    return " ".join(text.replace("|", "/").split())
