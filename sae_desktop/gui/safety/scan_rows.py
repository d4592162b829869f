"""What stands in the tables of a scan."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.gui.safety.cell_table import Cell, Head
from sae_desktop.safety.scan.config import Area, FoundFeature, SetScan
from sae_desktop.safety.scan.scan_file import Scan
from sae_desktop.words.amounts import share_text
from sae_desktop.words.scan_words import (
    METHOD_TIPS,
    METHOD_TITLES,
    acts_sentence,
    acts_text,
    area_text,
    p_text,
    scores_text,
    set_sentence,
    short_area,
)

_AHEAD = {"dictionary": "the dictionary", "rival": "the rival", "no difference": "not clear"}
_AHEAD_KEYS = {"dictionary": 0, "no difference": 1, "rival": 2}
_AHEAD_TIP = (
    "Which of the two does better: the dictionary’s better way, or the better of the three cheap "
    "rivals. It is not clear where the 95% interval of the difference holds 0."
)
_NOTHING = "–"


def set_heads(scan: Scan) -> list[Head]:
    """Return the heads of the table of sets × ways."""
    heads = [Head("Concept set", width=0)]
    if len(scan.info.indexes) > 1:
        heads.append(Head("Index", width=14))
    heads += [
        Head(_capital(METHOD_TITLES.get(name, name)), METHOD_TIPS.get(name, ""), width=16)
        for name in method_names(scan.scans)
    ]
    return [*heads, Head("Ahead", _AHEAD_TIP, width=14)]


def method_names(scans: Sequence[SetScan]) -> list[str]:
    """Return the ways of telling, those of the dictionary first."""
    return list(dict.fromkeys(method.name for one in scans for method in one.methods))


def set_rows(scan: Scan) -> list[list[Cell]]:
    """Return a row for each set and dictionary."""
    titles = {one.name: one.title for one in scan.info.sets}
    names = method_names(scan.scans)
    rows = []
    for one in scan.scans:
        found = {method.name: method for method in one.methods}
        best = max(one.methods, key=lambda method: method.scores.near.area).name
        held_out = f"Held out: {one.positives} positives, {one.negatives} near misses"
        row = [Cell(titles.get(one.set, one.set), tip=f"{one.set}\n{held_out}")]
        if len(scan.info.indexes) > 1:
            row.append(Cell(one.index))
        for name in names:
            method = found.get(name)
            if method is None:
                row.append(Cell(_NOTHING, -1.0))
                continue
            area = method.scores.near
            row.append(
                Cell(
                    short_area(area.area), area.area, area, f"{name}\n{scores_text(method)}",
                    bold=name == best,
                )
            )  # fmt: skip
        ahead = Cell(
            _AHEAD[one.verdict], _AHEAD_KEYS[one.verdict], tip=set_sentence(one),
            quiet=one.verdict == "no difference",
        )  # fmt: skip
        rows.append([*row, ahead])
    return rows


FEATURE_HEADS = (
    Head("Feature", "Its number and its name; a double click opens it in Explore", width=0),
    Head(
        "Near misses",
        "AUROC on held-out texts against near misses, with its 95% interval for other templates; "
        "the tick is chance",
        width=14,
    ),
    Head("q", width=5, number=True),
    Head("Ordinary", "The same positives against passages of the index’s own text", width=13),
    Head("Languages", "The same in the set’s other languages", width=13),
    Head("Density", width=7, number=True),
    Head("In the model", "Whether ablating it does more than any other direction does", width=11),
)


def feature_rows(features: Sequence[FoundFeature]) -> list[list[Cell]]:
    """Return a row for each candidate."""
    rows = []
    for row in features:
        name = f"{row.feature}  {row.name}".rstrip()
        effect = row.effect
        told = acts_sentence(effect)
        rows.append(
            [
                Cell(name, row.feature, tip=f"{name}\nFound by {', '.join(row.found_by)}"),
                _area(row.scores.near),
                Cell(
                    p_text(row.q), row.q, bold=row.significant,
                    tip=f"p {p_text(row.p)} before the correction for looking at many",
                ),
                _area(row.scores.ordinary),
                _area(row.scores.other),
                Cell(share_text(row.density, 2), row.density),
                Cell(
                    acts_text(effect), 2 if effect is None else int(not effect.acts), tip=told,
                    quiet=effect is None or not effect.acts,
                ),
            ]
        )  # fmt: skip
    return rows


def parted(line: str) -> tuple[str, list[str], int | None]:
    """Return the note, tokens and peak of a line such as “positive, 3.21: before⟦it⟧ after”."""
    note, text = "", line
    for side in ("positive, ", "near miss, "):
        if line.startswith(side) and ": " in line:
            note, text = line.split(": ", 1)
    before, opened, rest = text.partition("⟦")
    token, closed, after = rest.partition("⟧")
    if not (opened and closed):
        return note, [text], None
    tokens = [part for part in (before, token, after) if part]
    return note, tokens, int(bool(before))


def _area(area: Area | None) -> Cell:
    if area is None:
        return Cell(_NOTHING, -1.0)
    return Cell(short_area(area.area), area.area, area, f"AUROC {area_text(area)}")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
