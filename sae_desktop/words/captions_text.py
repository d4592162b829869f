"""Captions with concepts clamped, in words and tables. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sae_desktop.benchmark.captions.config import (
    CAPTION_WAYS,
    CaptionChangesResult,
    CaptionCounts,
    CaptionRow,
    CaptionWay,
    SettingTried,
    Share,
    Tokens,
)
from sae_desktop.words.amounts import figure_text, signed_text, whole_percent_text
from sae_desktop.words.curve_files import as_table

CAPTION_WAY_TITLES: dict[CaptionWay, str] = {
    "feature": "feature",
    "random direction": "random direction",
    "other feature": "another feature",
    "difference of means": "difference of means",
    "asked": "prompt that asks for it",
}
CAPTION_WAY_TIPS: dict[CaptionWay, str] = {
    "feature": "The concept’s feature, clamped",
    "random direction": "As much is added along a direction drawn at random",
    "other feature": "As much is added along the direction of a feature that fires about as often, "
    "not one of those chosen for concepts",
    "difference of means": "As much is added along the mean of the concept’s words minus that of "
    "the other concepts’ words, which costs nothing to train",
    "asked": "Nothing is clamped; the concept’s word stands in the prompt",
}
TOKENS_TITLES: dict[Tokens, str] = {
    "pictures": "the picture",
    "words": "the words",
    "all": "picture and words",
}
_NAMED = "Captions that name the concept, of pictures whose plain caption does not"
_CHANGED = "Captions that differ from the plain model’s"
_BROKEN = "Captions that are empty, or at least half of whose three-token sequences repeat"
_LIKELY = (
    "Mean log-probability of a caption’s tokens under the plain model, which sees the same picture "
    "and the plain prompt: the nearer to 0, the more likely"
)


class CaptionHead(NamedTuple):
    """What stands above a column."""

    title: str
    tip: str = ""
    number: bool = True


class CaptionCell(NamedTuple):
    """One place of a table."""

    text: str
    tip: str = ""
    share: float | None = None
    """Of what names the concept: how strongly it is coloured."""


class CaptionTable(NamedTuple):
    """Rows under heads; each row with the feature that it opens, or none."""

    title: str
    tip: str
    heads: list[CaptionHead]
    rows: list[tuple[int | None, list[CaptionCell]]]


def tables_of(result: CaptionChangesResult) -> list[CaptionTable]:
    """Return the tables of a result, the one that answers first."""
    return [_ways(result), _concepts(result), _settings(result), _captions(result)]


def verdict_text(result: CaptionChangesResult) -> str:
    """Return who named the concepts most often, and whether that is clear of chance."""
    by_way = {one.way: one.counts.named for one in result.ways}
    if len(by_way) < len(CAPTION_WAYS) or not by_way["feature"].of:
        return "No picture was left to count: every plain caption names the concept."
    feature = by_way.pop("feature")
    rival = max(by_way, key=lambda way: by_way[way].count / max(by_way[way].of, 1))
    other = by_way[rival]
    first, second = feature.count / feature.of, other.count / max(other.of, 1)
    if feature.low > other.high:
        ending = "the feature is ahead"
    elif other.low > feature.high:
        ending = f"{_the(rival)} is ahead"
    elif first == second:
        ending = "neither is ahead"
    else:
        ending = "the intervals overlap, so neither is clearly ahead"
    return (
        f"Clamped, a concept’s feature makes the caption name it on {share_words(feature)} of "
        f"something else; the best of what stands beside, {_the(rival)}, on "
        f"{share_words(other)}: {ending}."
    )


def how_text(result: CaptionChangesResult) -> str:
    """Return what the figures are of."""
    concepts = len(result.concepts)
    unit = "multiples of the feature’s maximum" if result.unit == "maximum" else "typical norms"
    likely = _likely_text(result.plain_log_probability)
    return (
        f"{concepts:,} {'concept' if concepts == 1 else 'concepts'}; captions after “"
        f"{result.prompt}”, greedy; strengths in {unit}; seed {result.seed}. The plain model’s "
        f"captions: {result.plain_broken.count:,} of {result.plain_broken.of:,} broken, "
        f"log-probability {likely}."
    )


CAUTION = (
    "Where and how strongly is chosen for each way on every other picture and counted on the rest. "
    "Intervals are for other pictures of these concepts, not for other concepts."
)
"""How far the figures go."""


def share_words(share: Share) -> str:
    """Return a share with its interval, in words."""
    pictures = "picture" if share.of == 1 else "pictures"
    return f"{share.count:,} of {share.of:,} {pictures} ({_interval(share)})"


def captions_csv(result: CaptionChangesResult) -> str:
    """Return every concept with every way and setting as delimited text."""
    features = {one.concept: one.feature for one in result.concepts}
    heads = ["concept", "feature", "way", "tokens", "strength", "unit"]
    for name in ("named", "changed", "broken"):
        heads += [name, f"{name}_of", f"{name}_low", f"{name}_high"]
    rows = []
    for row in result.rows:
        clamped = row.where is not None
        told = [row.concept, str(features[row.concept]), row.way, row.where or "",
                f"{row.strength:g}" if clamped else "", result.unit if clamped else ""]  # fmt: skip
        for share in (row.counts.named, row.counts.changed, row.counts.broken):
            told += [str(share.count), str(share.of), f"{share.low:.4f}", f"{share.high:.4f}"]
        likely = row.counts.log_probability
        rows.append([*told, "" if likely is None else f"{likely:.4f}"])
    return as_table([*heads, "log_probability"], rows)


def captions_markdown(result: CaptionChangesResult) -> str:
    """Return the answer and all tables as Markdown."""
    parts = [
        "# Captions with concepts clamped",
        verdict_text(result),
        f"{how_text(result)} {CAUTION}",
    ]
    parts += result.notes
    for one in tables_of(result):
        heads = [head.title for head in one.heads]
        rule = ["---:" if head.number else "---" for head in one.heads]
        rows = [[cell.text for cell in cells] for _, cells in one.rows]
        lines = [_line(heads), f"| {' | '.join(rule)} |", *map(_line, rows)]
        parts += [f"## {one.title}", one.tip, "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _line(cells: Sequence[str]) -> str:
    told = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(told)} |"


# ---------------------------------------------------------------- tables
_COUNT_HEADS = [
    CaptionHead("Names it", _NAMED), CaptionHead("Changed", _CHANGED),
    CaptionHead("Broken", _BROKEN), CaptionHead("Log-probability", _LIKELY),
]  # fmt: skip
_SETTING_HEADS = [
    CaptionHead("Way", number=False),
    CaptionHead("Works on", "On which tokens it is clamped", number=False),
    CaptionHead("Strength"),
]


def _ways(result: CaptionChangesResult) -> CaptionTable:
    return CaptionTable(
        "Ways beside one another",
        "Each way at the setting that was chosen for it on every other picture, counted on the "
        "rest.",
        [*_SETTING_HEADS, *_COUNT_HEADS],
        [(None, [*_setting_cells(one), *_counts_cells(one.counts)]) for one in result.ways],
    )


def _settings(result: CaptionChangesResult) -> CaptionTable:
    return CaptionTable(
        "All settings",
        "Each way at each strength, counted on all pictures of all concepts.",
        [*_SETTING_HEADS, *_COUNT_HEADS],
        [(None, [*_setting_cells(one), *_counts_cells(one.counts)]) for one in result.settings],
    )


def _concepts(result: CaptionChangesResult) -> CaptionTable:
    chosen = {one.way: (one.where, one.strength) for one in result.ways}
    rows: list[tuple[int | None, list[CaptionCell]]] = []
    for one in result.concepts:
        of_way = {
            row.way: row
            for row in result.rows
            if row.concept == one.concept and chosen.get(row.way) == (row.where, row.strength)
        }
        spoken = f"Named by: {', '.join(one.spoken)}"
        cells = [
            CaptionCell(one.concept, spoken),
            CaptionCell(f"{one.feature}", f"Beside it stands feature {one.other}"),
            CaptionCell(figure_text(one.words, 2)),
            CaptionCell(figure_text(one.drawings, 2)),
            *(_share_cell(of_way[way].counts.named, coloured=True) for way in chosen),
        ]
        rows.append((one.feature, cells))
    return CaptionTable(
        "Concepts",
        "How often captions name each concept, each way at its setting, on all pictures.",
        [
            CaptionHead("Concept", number=False), CaptionHead("Feature"),
            CaptionHead("Words", "AUROC of the feature on held-out words of the concept"),
            CaptionHead("Drawings", "AUROC of the feature on drawings of the concept"),
            *(CaptionHead(_named_head(way), CAPTION_WAY_TIPS[way]) for way in chosen),
        ],
        rows,
    )  # fmt: skip


def _captions(result: CaptionChangesResult) -> CaptionTable:
    features = {one.concept: one.feature for one in result.concepts}
    chosen = {(one.way, one.where, one.strength) for one in result.ways}
    return CaptionTable(
        "Captions",
        "Some captions of each way at its setting, first those that name the concept.",
        [
            CaptionHead("Concept", number=False), CaptionHead("Way", number=False),
            CaptionHead("Picture", "The drawing’s code point", number=False),
            CaptionHead("Without", "The plain model’s caption", number=False),
            CaptionHead("With", "The caption with what the way does", number=False),
        ],
        [
            (features[row.concept], _pair_cells(row, *pair))
            for row in result.rows
            if (row.way, row.where, row.strength) in chosen
            for pair in ((one.picture, one.plain, one.changed) for one in row.pairs)
        ],
    )  # fmt: skip


def _named_head(way: CaptionWay) -> str:
    # The number of the feature stands beside, under the word alone.
    return "Feature clamped" if way == "feature" else _title(way)


def _pair_cells(row: CaptionRow, picture: str, plain: str, changed: str) -> list[CaptionCell]:
    way = CAPTION_WAY_TITLES[row.way]
    told = (row.concept, way, picture, plain or "–", changed or "–")
    return [CaptionCell(text, text if len(text) > len(way) else "") for text in told]


def _setting_cells(one: SettingTried) -> list[CaptionCell]:
    where = "–" if one.where is None else TOKENS_TITLES[one.where]
    strength = "–" if one.where is None else f"{one.strength:g}"
    return [CaptionCell(_title(one.way), CAPTION_WAY_TIPS[one.way]), CaptionCell(where),
            CaptionCell(strength)]  # fmt: skip


def _counts_cells(counts: CaptionCounts) -> list[CaptionCell]:
    return [
        _share_cell(counts.named, coloured=True), _share_cell(counts.changed),
        _share_cell(counts.broken), CaptionCell(_likely_text(counts.log_probability)),
    ]  # fmt: skip


def _share_cell(share: Share, *, coloured: bool = False) -> CaptionCell:
    if not share.of:
        return CaptionCell("–", "There was no picture to count")
    value = share.count / share.of
    return CaptionCell(
        whole_percent_text(value), share_words(share), value if coloured and share.count else None
    )


def _likely_text(value: float | None) -> str:
    return "–" if value is None else signed_text(value)


def _interval(share: Share) -> str:
    return (
        f"{whole_percent_text(share.count / share.of)}, 95% interval "
        f"{whole_percent_text(share.low).removesuffix('%')}–{whole_percent_text(share.high)}"
        if share.of
        else "–"
    )


def _title(way: CaptionWay) -> str:
    title = CAPTION_WAY_TITLES[way]
    return title[:1].upper() + title[1:]


def _the(way: CaptionWay) -> str:
    title = CAPTION_WAY_TITLES[way]
    return title if title.startswith("another") else f"the {title}"
