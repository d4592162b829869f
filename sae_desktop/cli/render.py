"""Results as text for a person at a terminal."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sae_desktop.engine.protocol import JobProgress
from sae_desktop.features.asking.text_set_config import FindFeaturesResult
from sae_desktop.features.config import IndexResult, ProbeResult
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.language_names import language_name
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import elapsed_text
from sae_desktop.words.glossary import hover
from sae_desktop.words.picture_words import MODALITY_WORDS
from sae_desktop.words.stage_text import HEADERS, stage_rows

_NOTHING = "–"
_ANY_WIDTH = 100_000
"""Of a table: a terminal wraps it as it likes, a pipe keeps its lines whole."""


def number(value: Any, name: str = "") -> str:
    """Return a value as text: thousands separated, four figures, sizes in their unit."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return format_bytes(value) if name.endswith("bytes") else f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return _NOTHING
        return elapsed_text(value) if name == "seconds" else f"{value:,.4g}"
    return str(value)


def progress_words(event: JobProgress) -> str:
    """Return rate, time left and message of a progress event."""
    words = []
    if event.rate > 0:
        words.append(f"{event.rate:,.0f} {event.unit}/s")
    if event.seconds_left is not None:
        words.append(f"{elapsed_text(event.seconds_left)} left")
    if event.message:
        words.append(event.message)
    return " · ".join(words)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, left: set[int]) -> str:
    """Return rows under headers; the columns of `left` begin at the left, the others end right."""
    grid = Table(box=None, pad_edge=False)
    for number, header in enumerate(headers):
        side: Literal["left", "right"] = "left" if number in left else "right"
        grid.add_column(Text(header), justify=side, no_wrap=True)
    for row in rows:
        grid.add_row(*map(Text, row))
    drawn = Console(file=io.StringIO(), width=_ANY_WIDTH, color_system=None)
    with drawn.capture() as captured:
        drawn.print(grid, crop=False)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def meaning(term: str) -> str:
    """Return what a figure means, in a line below it, as the glossary has it."""
    return f"  {term}: {hover(term)}"


def figures(result: Any) -> str:
    """Return a result's fields, one per line; a nested struct becomes an indented block."""
    return "\n".join(_field_lines(msgspec.to_builtins(result), ""))


def _field_lines(fields: dict[str, Any], indent: str) -> list[str]:
    width = max((len(name) for name in fields), default=0)
    lines = []
    for name, value in fields.items():
        words = name.replace("_", " ")
        if isinstance(value, dict):
            lines.append(f"{indent}{words}")
            lines += _field_lines(value, indent + "  ")
        elif name.endswith("_counts"):
            continue  # a histogram, for --json and the window
        elif isinstance(value, list | tuple):
            text = ", ".join(_item_text(item) for item in value) or _NOTHING
            lines.append(f"{indent}{words.ljust(width)}  {text}")
        else:
            lines.append(f"{indent}{words.ljust(width)}  {number(value, name)}")
    return lines


def _item_text(item: Any) -> str:
    if isinstance(item, dict):
        return " ".join(f"{name} {number(value, name)}" for name, value in item.items())
    return str(item)


def index(result: IndexResult) -> str:
    """Return what an index has become, and below it how long each stage took."""
    fields = msgspec.to_builtins(result)
    del fields["stages"]
    return "\n".join(
        [*_field_lines(fields, ""), "", table(HEADERS, stage_rows(result.stages), left={0})]
    )


def probe(result: ProbeResult) -> str:
    """Return each token with the features active on it, the best rank first."""
    active: dict[int, list[str]] = {}
    effects = result.attributions
    for place, (position, feature, activation) in enumerate(result.entries()):
        effect = f", {effects[place]:+.3f}" if effects and effects[place] else ""
        active.setdefault(position, []).append(f"{feature} ({activation:.2f}{effect})")
    rows = [
        (str(position), visible_token(token), ", ".join(active.get(position, [_NOTHING])))
        for position, token in enumerate(result.tokens)
    ]
    told = "activation, attribution" if effects else "activation"
    text = table(("position", "token", f"features ({told})"), rows, left={1, 2})
    for number, picture in enumerate(result.pictures, start=1):
        size = f"{picture.layout.width:,} × {picture.layout.height:,} pixels"
        parts = [size, f"{picture.layout.tokens:,} tokens", *picture.notes]
        text += f"\npicture {number}: {picture.name}, {', '.join(parts)}"
    if result.difference is None:
        return text
    found = result.difference
    against = f"“{visible_token(found.against)}”" if found.against else "the mean"
    return (
        f"{text}\nattributed to the logit of “{visible_token(found.target)}” minus that of "
        f"{against}, after token {found.position}: {found.value:+.3f}"
    )


def found_features(result: FindFeaturesResult) -> str:
    """Return the features with their margins and the tokens responsible, then the scores."""
    rows = [
        (
            str(f.feature),
            f"{f.margin:.2f}",
            " ".join(visible_token(token) for token in f.tokens if token),
        )
        for f in result.found
    ]
    lines = [table(("feature", "margin", "tokens of A"), rows, left={2})]
    if result.total > len(rows):
        lines.append(f"… and {result.total - len(rows):,} more")
    lines += [score.sentence() for score in result.classifiers]
    if result.weights:
        told = ", ".join(f"{w.feature} ({w.weight:+.2f})" for w in result.weights[:12])
        lines.append(f"weights: {told}")
    if result.warning:
        lines.append(result.warning)
    return "\n".join(lines)


def feature_table(result: dict[str, Any]) -> str:
    """Return features as a table."""
    found = result["features"]
    rows = [
        (
            str(f["id"]),
            f"{f['density']:.2e}",
            number(f["max_activation"]),
            number(f["mean_activation"]),
            f["label"],
            f["words"],
        )
        for f in found
    ]
    head = ("feature", "density", "maximum", "mean", "label", "strongest context · tokens")
    text = table(head, rows, left={4, 5})
    left = result["total"] - len(found)
    return f"{text}\n… and {left:,} more; see --limit" if left > 0 else text


def _company(page: dict[str, Any]) -> list[str]:
    """Return what fires along with a feature, one line each, if it was measured."""
    parts = {
        "fires along with": [f"{c['id']} (r {c['pearson']:.2f})" for c in page["coactive"]],
        "neurons": [
            f"layer {n['layer']} #{n['neuron']} (r {n['pearson']:+.2f})" for n in page["neurons"]
        ],
        "fires on": [
            f"{visible_token(t['token'])} {t['firings']:,}" for t in page["firing_tokens"]
        ],
    }
    for kind in ("languages", "sources"):
        told = language_name if kind == "languages" else str
        parts[kind] = _share_words(
            [s | {"name": told(s["name"]) or "not known"} for s in page[kind]]
        )
    return [f"{name}: {'; '.join(words)}" for name, words in parts.items() if words]


def _share_words(shares: list[dict[str, Any]]) -> list[str]:
    """Return names with their share of the activation and of the firings, largest first."""
    weighed = all(s["activation"] is not None for s in shares)
    firings = sum(s["firings"] for s in shares) or 1
    if not weighed:
        largest = sorted(shares, key=lambda s: -s["firings"])[:8]
        return [
            f"{s['name']} {s['firings'] / firings:.0%} of firings" for s in largest if s["firings"]
        ]
    total = sum(s["activation"] for s in shares) or 1.0
    largest = sorted(shares, key=lambda s: -s["activation"])[:8]
    return [
        f"{s['name']} {s['activation'] / total:.0%} of activation, "
        f"{s['firings'] / firings:.0%} of firings"
        for s in largest
        if s["firings"]
    ]


def _site_lines(page: dict[str, Any]) -> list[str]:
    """Return how strongly a feature writes to each of several sites, and what drives it."""
    several = len({one["model"] for one in page["outputs"]}) > 1

    def where(one: dict[str, Any]) -> str:
        return f"{one['site']} of {one['model']}" if several else str(one["site"])

    lines = []
    if page["outputs"]:
        lines.append("writes, in each site’s typical norms, the strongest being 1:")
    for one in page["outputs"]:
        raised = ", ".join(visible_token(x["token"]) for x in one["top_logits"][:5])
        lines.append(f"  {one['strength']:.2f}  {where(one)}{f'  raises {raised}' * bool(raised)}")
    if page["inputs"]:
        lines.append("loses of its activation with one input at its mean:")
    lines += [f"  {one['share']:4.0%}  {where(one)}" for one in page["inputs"]]
    return lines


WINDOW_BAR = "│"
"""Marks where a window that the model reads begins."""


def _picture_line(picture: dict[str, Any]) -> str:
    """Return a picture by its name, with its strongest patch."""
    strongest = picture["strongest"]
    size = f"{picture['width']:,} × {picture['height']:,} pixels"
    return (
        f"{strongest['activation']:6.2f}  ▣ {picture['name']} ({size}): strongest at "
        f"{strongest['where']}"
    )


def feature_page(page: dict[str, Any]) -> str:
    """Return one feature: figures, logits, neighbours, contexts with the peak in brackets."""
    label = f" “{page['label']}”" if page["label"] else ""
    lines = [
        f"Feature {page['id']}{label}",
        f"density {page['density']:.2e}, maximum {number(page['max_activation'])}",
    ]
    if page.get("modality"):
        lines.append(
            f"fires on {page['picture_firings']:,} image tokens and {page['text_firings']:,} "
            f"tokens of text: {MODALITY_WORDS[page['modality']]}"
        )
    if page.get("one_concept"):
        lines.append(page["one_concept"]["told"])
    for name, words in (("top_logits", "raises"), ("bottom_logits", "lowers")):
        if page[name]:
            logits = (f"{visible_token(x['token'])} {x['value']:+.2f}" for x in page[name])
            lines.append(f"{words}: {', '.join(logits)}")
    near = (f"{n['id']} ({n['cosine']:.2f})" for n in page["neighbours"])
    lines.append(f"neighbours: {', '.join(near) or _NOTHING}")
    lines += [*_company(page), *_site_lines(page), ""]
    for context in page["contexts"]:
        if picture := context.get("picture"):
            lines.append(f"{context['bucket']:>8}  {_picture_line(picture)}")
            continue
        tokens = list(context["tokens"])
        peak = context["peak"]
        tokens[peak] = f"[{tokens[peak]}]"
        first, last = context["read"]
        if last < len(tokens):
            tokens.insert(last, WINDOW_BAR)
        if first > 0:  # what stands before was not read together with the token in brackets
            tokens.insert(first, WINDOW_BAR)
        text = "".join(tokens).replace("\n", "↵").replace("\t", "→")
        lines.append(f"{context['bucket']:>8}  {max(context['activations']):6.2f}  {text}")
    return "\n".join(lines)
