"""Features as links with a figure beside: neighbours, and what fires on a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.explore.other_dictionaries import OtherDictionaries
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.feature_menu import open_feature, show_feature_menu
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.quiet_words import draw_scored, words_that_fit
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.feature_words import FeatureWords

PADDING = 8
_USUAL_NUMBER = "#0000"


@dataclass(frozen=True)
class FeatureRow:
    """A feature with its figure; `share` (0…1) is the length of the bar behind it."""

    feature: int
    figure: str
    share: float
    tip: str = ""


class FeatureLinks(QWidget):
    """Rows of features: a click opens one, a right click says what else can be done."""

    def __init__(self, session: Session, name: str) -> None:
        super().__init__()
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._links: list[FeatureLink] = []
        self._dictionary = ""
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.setAccessibleName(name)
        self._notes.noteChanged.connect(self._on_note_changed)

    def set_rows(self, rows: Sequence[FeatureRow], dictionary: str = "") -> None:
        """Show these features in place of those shown; `dictionary`: another than the open one."""
        self._dictionary = dictionary
        if not dictionary:
            self._notes.hold(row.feature for row in rows)
        while len(self._links) < len(rows):
            link = FeatureLink(self._session, self)
            self._links.append(link)
            self._column.addWidget(link)
        for number, link in enumerate(self._links):
            if number < len(rows):
                self._show(link, rows[number])
            link.setVisible(number < len(rows))

    def _show(self, link: FeatureLink, row: FeatureRow) -> None:
        title, words = self._notes.title(row.feature), self._notes.words(row.feature)
        score = self._notes.score_text(row.feature)
        if self._dictionary:
            others = OtherDictionaries.of(self._session)
            title = others.title(self._dictionary, row.feature)
            words, score = others.words(self._dictionary, row.feature), ""
        link.set_row(row, title, words, self._dictionary, score)

    def links(self) -> list[FeatureLink]:
        """Return the links that are shown."""
        return [link for link in self._links if not link.isHidden()]

    def _on_note_changed(self, feature: int) -> None:
        for link in self.links():
            if link.row.feature == feature and not self._dictionary:
                self._show(link, link.row)


class FeatureLink(QAbstractButton):
    """One feature: number and label as a link, a bar, a figure."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.row = FeatureRow(0, "", 0.0)
        self._dictionary = ""
        self._words: FeatureWords | None = None
        self._score = ""
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.clicked.connect(self._on_clicked)
        theme.manager().themeChanged.connect(self.update)

    def set_row(
        self,
        row: FeatureRow,
        title: str,
        words: FeatureWords | None = None,
        dictionary: str = "",
        score: str = "",
    ) -> None:
        """Show a feature with its label and its score, or with `words` in grey where it has none.

        `dictionary`: another than the open one.
        """
        self.row, self._words, self._dictionary = row, words, dictionary
        self._score = score
        self.setText(title)
        said = "" if words is None else words.spoken
        name = ", ".join(part for part in (title.removeprefix("#"), said, row.figure) if part)
        self.setAccessibleName(f"Feature {name}")
        told = "" if words is None else words.tip
        self.setToolTip(plain_tip("\n".join(part for part in (title, told, row.tip) if part)))
        self.update()

    def _on_clicked(self) -> None:
        control = QApplication.keyboardModifiers() & Qt.KeyboardModifier.ControlModifier
        opened = self._session.feature
        if control and not self._dictionary and opened not in (None, self.row.feature):
            Compared.of(self._session).show([opened, self.row.feature])
            return
        if self._dictionary:
            OtherDictionaries.of(self._session).open(self._dictionary, self.row.feature)
        else:
            open_feature(self._session, self.row.feature)

    def sizeHint(self) -> QSize:
        return QSize(160, self.fontMetrics().height() + PADDING)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self.underMouse() or self.isDown():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.hover)
            painter.drawRoundedRect(box, 4, 4)
        metrics = self.fontMetrics()
        figure_width = max(
            metrics.horizontalAdvance(self.row.figure), metrics.horizontalAdvance("000.00")
        )
        inner = box.adjusted(4, 0, -4, 0)
        figure_box = QRectF(inner.right() - figure_width, inner.top(), figure_width, inner.height())
        bar_width = min(56.0, inner.width() * 0.22)
        bar_left = figure_box.left() - 8 - bar_width
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.border)
        middle = inner.center().y()
        painter.drawRoundedRect(QRectF(bar_left, middle - 2, bar_width, 4), 2, 2)
        painter.setBrush(colours.accent)
        share = min(max(self.row.share, 0.0), 1.0)
        painter.drawRoundedRect(QRectF(bar_left, middle - 2, bar_width * share, 4), 2, 2)
        align = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(colours.text)
        painter.drawText(figure_box, Qt.AlignmentFlag.AlignRight | align, self.row.figure)
        self._paint_title(painter, inner, bar_left - 8 - inner.left())
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 4, 4)

    def _paint_title(self, painter: QPainter, inner: QRectF, width: float) -> None:
        colours, metrics = theme.palette(), self.fontMetrics()
        number, _, label = self.text().partition(" ")
        align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setPen(colours.link)
        painter.drawText(QRectF(inner.left(), inner.top(), width, inner.height()), align, number)
        # As wide for all, so that what is said of them begins in one line.
        widest = max(number, _USUAL_NUMBER, key=metrics.horizontalAdvance)
        used = metrics.horizontalAdvance(widest) + 8
        if (label or self._words is not None) and width > used:
            words, place = self._words, QRectF(inner)
            place.setLeft(inner.left() + used)
            place.setWidth(width - used)
            painter.setPen(colours.text if words is None else colours.muted_text)

            def fit(room: float) -> str:
                if words is not None:
                    return words_that_fit(words, metrics, room)
                return metrics.elidedText(label, Qt.TextElideMode.ElideMiddle, int(room))

            draw_scored(painter, place, fit, self._score if words is None else words.score_text)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self._dictionary:  # what can be done is done in the open one
            show_feature_menu(self._session, self.row.feature, self, event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        elif event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.focusNextPrevChild(event.key() == Qt.Key.Key_Down)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
