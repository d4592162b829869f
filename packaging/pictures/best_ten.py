"""Draw the ten features that are best at a concept in words and pictures, for the README.

    QT_QPA_PLATFORM=offscreen python packaging/pictures/best_ten.py CACHE PROJECT OUT.png

Each was chosen on sentences in English, German and French. Shown are, of the sentences held out
in three languages, the one it fires on most in each, and of all 1,911 drawings by the artist that
the model never learnt from, the three it fires on most, whatever they show. That a feature is best
at telling a concept from the others does not make it one of the concept: those none of whose three
drawings shows it come last.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QImage, QPainter

from sae_desktop.benchmark.kinds.config import ConceptKindsConfig, ConceptRow
from sae_desktop.benchmark.kinds.instances import PICTURE, instances, read_concepts
from sae_desktop.benchmark.kinds.job import concept_kinds
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.lit_drawing import LitDrawing, LitPicture, decoded_webp
from sae_desktop.gui.parts.theme import rgb
from sae_desktop.jobs import SilentContext
from sae_desktop.pictures.thumbnails import VIEW_SIDE
from sae_desktop.project import Project

INDEX = "pictures-L3"
LANGUAGES = ("en", "de", "ru")
COUNT, DRAWINGS, COLUMNS = 10, 3, 2
SHORTEST = 2
"""Of the sentences held out in a language, how many are looked at."""
RATIO = 2
"""Pixels drawn for each of the picture's."""
CARD, MARGIN, PICTURE_SIDE, LINE = (680, 150), 16, 84, 26
_QUIET = SilentContext()
_BYTE = re.compile("⟨0x([0-9A-F]{2})⟩")


class Shown(NamedTuple):
    concept: str
    feature: int
    words: float
    picture: tuple[float, float, float]
    """The area and its interval."""
    texts: list[tuple[list[str], np.ndarray]]
    """Tokens and their activations."""
    drawings: list[LitPicture]


def chosen(project: str, drawings: Path) -> list[ConceptRow]:
    """Return the rows of the features that were chosen for concepts, the best in words and pictures
    alike first."""
    config = ConceptKindsConfig(project=project, index=INDEX, pictures=(str(drawings),))
    rows = [row for row in concept_kinds(config, _QUIET).rows if row.way == "feature"]
    found: dict[int, ConceptRow] = {}
    for row in sorted(rows, key=lambda row: -min(_words(row), _picture(row)[0])):
        found.setdefault(row.number, row)
    return list(found.values())


def _words(row: ConceptRow) -> float:
    """Return the lowest area on held-out words of those languages it was chosen on."""
    return min(area.area for area in row.areas if area.kind in ("en", "de", "fr"))


def _picture(row: ConceptRow) -> tuple[float, float, float]:
    found = next(area for area in row.areas if area.kind == PICTURE)
    return found.area, found.low, found.high


def shown(project: str, rows: list[ConceptRow], drawings: Path) -> list[Shown]:
    features = [row.number for row in rows]
    peaks = np.zeros((len(features), 0))
    files = sorted(drawings.glob("*.png"))
    for file in files:
        told = _probed(project, features, pictures=[str(file)])
        peaks = np.append(peaks, [[_of(told, f).max()] for f in features], axis=1)
    concepts = {concept.name: concept for concept in read_concepts()}
    top = np.argsort(-peaks, axis=1)[:, :DRAWINGS]
    right = [
        sum(files[n].stem in concepts[row.concept].told.pictures for n in top[place])
        for place, row in enumerate(rows)
    ]
    found = []
    for place in sorted(range(len(rows)), key=lambda place: right[place] == 0)[:COUNT]:
        row = rows[place]
        texts = []
        for language in LANGUAGES:
            held_out = [
                one.text for one in instances(concepts[row.concept])
                if one.kind == language and one.frame % 2
            ]  # fmt: skip
            probed = [_probed(project, [row.number], text=text) for text in held_out]
            short = sorted(probed, key=lambda one: len("".join(one.tokens)))
            told = max(short[:SHORTEST], key=lambda one: _of(one, row.number).max())
            texts.append(_joined(told.tokens, _of(told, row.number)))
        lit = []
        for number in top[place]:
            told = _probed(project, [row.number], pictures=[str(files[number])], views=True)
            picture = told.pictures[0]
            activations = _of(told, row.number)[np.array(told.picture) == 0]
            image = decoded_webp(picture.view, VIEW_SIDE)
            lit.append(LitPicture(image, picture.layout, activations))
        found.append(Shown(row.concept, row.number, _words(row), _picture(row), texts, lit))
    return found


def _probed(project: str, features: list[int], **asked: object) -> ProbeResult:
    config = ProbeConfig(project=project, index=INDEX, features=features, per_token=1, **asked)  # type: ignore[arg-type]
    return probe(config, _QUIET)


def _of(told: ProbeResult, feature: int) -> np.ndarray:
    """Return (T,) of one feature."""
    found = np.zeros(len(told.tokens), np.float32)
    for position, number, activation in told.entries():
        if number == feature:
            found[position] = activation
    return found


def _joined(tokens: list[str], activations: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Put tokens that share a letter together; they fire as the strongest of them does."""
    texts: list[str] = []
    found: list[float] = []
    waiting, peak = b"", 0.0
    for token, activation in zip(tokens, activations, strict=True):
        parts = _BYTE.split(token)  # every other one is a byte
        waiting += b"".join(
            bytes([int(part, 16)]) if number % 2 else part.encode()
            for number, part in enumerate(parts)
        )
        peak = max(peak, float(activation))
        try:
            texts.append(waiting.decode())
        except UnicodeDecodeError:
            continue
        found.append(peak)
        waiting, peak = b"", 0.0
    return texts, np.array(found, np.float32)


# ---------------------------------------------------------------- drawing
def drawn(cards: list[Shown], largest: dict[int, float]) -> QImage:
    """`largest`: of each feature, on the indexed text."""
    lines = -(-len(cards) // COLUMNS)
    width = COLUMNS * (CARD[0] + MARGIN) + MARGIN
    height = lines * (CARD[1] + MARGIN) + MARGIN
    image = QImage(width * RATIO, height * RATIO, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(RATIO)
    image.fill(theme.palette().window)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for number, card in enumerate(cards):
        row, column = divmod(number, COLUMNS)
        left, top = MARGIN + column * (CARD[0] + MARGIN), MARGIN + row * (CARD[1] + MARGIN)
        _paint(painter, card, ColourScale(largest[card.feature]), QRectF(left, top, *CARD))
    painter.end()
    return image


def _paint(painter: QPainter, card: Shown, scale: ColourScale, box: QRectF) -> None:
    colours = theme.palette()
    painter.setPen(colours.border)
    painter.setBrush(colours.surface)
    painter.drawRoundedRect(box, 6, 6)
    left, top = box.left() + MARGIN, box.top() + 28
    painter.setFont(_font(15, bold=True))
    painter.setPen(colours.text)
    painter.drawText(QPointF(left, top), card.concept)
    after = left + QFontMetricsF(painter.font()).horizontalAdvance(card.concept) + 10
    area, low, high = card.picture
    painter.setFont(_font(12))
    painter.setPen(colours.muted_text)
    painter.drawText(
        QPointF(after, top),
        f"#{card.feature}   words {card.words:.2f}   pictures {area:.2f} ({low:.2f}–{high:.2f})",
    )
    for number, (tokens, activations) in enumerate(card.texts):
        _paint_text(painter, tokens, activations, scale, QPointF(left, top + 34 + LINE * number))
    side = PICTURE_SIDE
    right = box.right() - MARGIN - DRAWINGS * side - (DRAWINGS - 1) * 8
    for number, lit in enumerate(card.drawings):
        drawing = LitDrawing(lit)
        drawing.lay_out(QRectF(right + number * (side + 8), box.bottom() - 14 - side, side, side))
        drawing.paint(painter, scale)


def _paint_text(
    painter: QPainter, tokens: list[str], activations: np.ndarray, scale: ColourScale, at: QPointF
) -> None:
    colours = theme.palette()
    painter.setFont(_font(13))
    metrics = QFontMetricsF(painter.font())
    x = at.x()
    for token, activation in zip(tokens, activations, strict=True):
        width = metrics.horizontalAdvance(token)
        if activation > 0:
            ground = scale.background(float(activation), rgb(colours.surface), rgb(colours.accent))
            box = QRectF(x, at.y() - metrics.ascent() - 1, width, metrics.height() + 2)
            painter.fillRect(box, QColor(*ground))
        painter.setPen(colours.text)
        painter.drawText(QPointF(x, at.y()), token)
        x += width


def _font(pixels: int, *, bold: bool = False) -> QFont:
    font = QFont("DejaVu Sans")
    font.setPixelSize(pixels)
    font.setBold(bold)
    return font


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("project", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    app = QGuiApplication([])
    app.styleHints().setColorScheme(Qt.ColorScheme.Light)
    drawings = args.cache / "emoji-datasource-google/img/google/64"
    rows = chosen(str(args.project), drawings)
    index = FeatureIndex(Project.open(args.project).index_path(INDEX))
    peaks = index.columns["max_activation"]
    largest = {row.number: float(peaks[row.number]) for row in rows}
    cards = shown(str(args.project), rows, drawings)
    for card in cards:
        print(card.concept, card.feature, f"{card.words:.3f}", card.picture)
        for tokens, _ in card.texts:
            print("   ", "".join(tokens))
    drawn(cards, largest).save(str(args.out))


if __name__ == "__main__":
    main()
