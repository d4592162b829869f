"""The page of one feature: name, figures, contexts, histogram, logits, neighbours."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.same_concept import COLUMN
from sae_desktop.features.reading.same_concept_text import TIP, same_concept_text
from sae_desktop.gui.explore.context_blocks import context_blocks, of_kind
from sae_desktop.gui.explore.feature_links import FeatureLinks, FeatureRow
from sae_desktop.gui.explore.page.feature_company import FeatureCompany
from sae_desktop.gui.explore.page.feature_elsewhere import FeatureElsewhere
from sae_desktop.gui.explore.page.feature_logits import FeatureLogits
from sae_desktop.gui.explore.page.feature_outputs import FeatureOutputs
from sae_desktop.gui.explore.page.feature_title import FeatureTitle
from sae_desktop.gui.explore.page.figures_line import figures_text, unbroken
from sae_desktop.gui.explore.page.picture_bar import PictureBar
from sae_desktop.gui.explore.picture_dialog import enlarge_from
from sae_desktop.gui.forms.grow_set_form import offer_growth
from sae_desktop.gui.parts.activation_legend import ActivationLegend
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.context_view import ContextView
from sae_desktop.gui.parts.histogram import ActivationHistogram
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.kept_scroll import keep_scroll
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.passages import Heading, HoveredToken
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.state.session import Session

WIDE = 1120
"""From this width on, the figures stand beside the contexts and not below."""
_ABREAST = 480
"""From this width on, histogram and logits stand side by side below the contexts."""
_NARROWEST = 400
"""Nothing on the page needs more: what is wider would be cut, for it does not scroll sideways."""
_SIDE_WIDTHS = (440, 720)
_CONTEXTS_WIDEST = 960
"""Longer lines are hard to read."""
_NO_BOUND = 16_777_215
_WINDOWS = (("±5 tokens", 5), ("±16 tokens", 16), ("As indexed", -1), ("Whole document", None))
_AS_INDEXED = 2
_COSINE = "cosine between decoder directions"


class FeaturePage(QScrollArea):
    """One feature, read from the top down; shows whichever feature the session selects."""

    tokenHovered = Signal(object)
    """HoveredToken or None."""
    deskRequested = Signal()
    """The feature is to be read at the reading desk, and others after it."""
    splittingRequested = Signal()
    languagesRequested = Signal()
    """The panels that say more are wanted."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.page")
        self._session = session
        self._contexts: list[Context] = []
        self._slots: list[tuple[int, ...]] = []
        """The contexts in each block of the view, none in headings."""
        self._shown: tuple[FeatureIndex, int] | None = None
        self._waiting: int | None = None
        """The feature to be shown once the page is seen."""
        self.title = FeatureTitle(session)
        self.figures = label("", "muted", wrap=True)
        explain(self.figures, "Density", "Maximum", "Mean", "Std", "Skewness", "Kurtosis")
        self.concept = label("", "small", wrap=True, selectable=True)
        self.concept.setToolTip(plain_tip(TIP))
        self.legend = ActivationLegend()
        self.contexts = ContextView()
        self.contexts.setAccessibleName("Contexts the feature fires in")
        self.window_size = QComboBox()
        for text, around in _WINDOWS:
            self.window_size.addItem(text, around)
        self.window_size.setCurrentIndex(_AS_INDEXED)
        self.window_size.setAccessibleName("How much text to show around each token")
        self.window_size.setToolTip("How much text to show around the chosen token")
        self.pictures = PictureBar()
        self.more = push_button("", None)
        self.more.setCheckable(True)
        self.read = push_button(
            "Read one by one",
            self.deskRequested.emit,
            icon="book-open",
            flat=True,
            tip="Read and label features one by one, from this one on (Ctrl+R)",
        )
        self.histogram = ActivationHistogram()
        self.outputs = FeatureOutputs()
        self._logits = FeatureLogits()
        self.raised, self.lowered = self._logits.raised, self._logits.lowered
        self.centred = self._logits.centred
        self.neighbours = FeatureLinks(session, "Nearest features")
        self._near_by = label(_COSINE, "small")
        self.elsewhere = FeatureElsewhere(session)
        self.splitting = push_button(
            "Splitting",
            self.splittingRequested.emit,
            flat=True,
            tip="Show the feature and its parts in larger dictionaries as a tree",
        )
        self.company = FeatureCompany(session)
        self.company.sideBySideRequested.connect(self.languagesRequested)
        self._build()
        self.more.toggled.connect(self._on_more_toggled)
        self.window_size.currentIndexChanged.connect(self._on_window_chosen)
        self.centred.toggled.connect(self._on_centred)
        self.outputs.outputChosen.connect(self._on_output_chosen)
        self.contexts.textChosen.connect(session.textRequested)
        self.contexts.textKept.connect(lambda text: offer_growth(session, text, self))
        self.legend.scaleChanged.connect(self._on_scale_changed)
        self.contexts.tokenHovered.connect(self._on_token_hovered)
        enlarge_from(self.contexts, session)
        self.pictures.kindChosen.connect(self._on_more_toggled)
        self.pictures.lit.toggled.connect(self.contexts.set_lit)
        session.featureSelected.connect(self.show_feature)
        session.indexOpened.connect(self._on_index_opened)
        session.columnMade.connect(self._on_column_made)
        if session.feature is not None:
            self.show_feature(session.feature)
        shown = {
            "around": self.window_size,
            "more": self.more,
            "context_kind": self.pictures.kinds,
            "lit": self.pictures.lit,
            "logarithmic": self.legend.switch,
            "centred": self.centred,
        }
        keep_fields(session, self, shown)
        keep_scroll(session, self, lambda: session.feature)

    # ------------------------------------------------------------------ layout
    def _build(self) -> None:
        content = QWidget()
        content.setProperty("ground", "surface")
        content.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(8)
        column.addWidget(self.title)
        self._head = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._head.setSpacing(8)
        self._head.addWidget(self.figures, 1)
        self._head.addWidget(self.read, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(self._head)
        column.addWidget(self.concept)
        column.addWidget(self.outputs)
        self._body = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._body.setSpacing(24)
        self._body.addWidget(self._contexts_part(), 1000)
        self._body.addWidget(self._effects_part(), 700)
        self._body.addStretch(1)  # what is left once both have their widest
        column.addLayout(self._body)
        column.addStretch()
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)
        self.setProperty("ground", "surface")
        self.setAccessibleName("Feature")
        self.setMinimumWidth(_NARROWEST)

    def _contexts_part(self) -> QWidget:
        part = self._contexts_box = QWidget()
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        bar = QFlowLayout()  # two lines where there is no room for one
        bar.setHorizontalSpacing(8)
        bar.setVerticalSpacing(4)
        bar.addWidget(self.legend)
        bar.addWidget(self.window_size)
        bar.addWidget(self.pictures)
        bar.addWidget(self.more)
        column.addLayout(bar)
        column.addWidget(self.contexts)
        column.addStretch()
        return part

    def _effects_part(self) -> QWidget:
        part = self._effects = QWidget()
        self._plots = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._plots.setSpacing(24)
        self._plots.addWidget(_titled("Activations", self.histogram), 1)
        self._plots.addWidget(self._logits, 1)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(24)
        column.addLayout(self._plots)
        column.addWidget(_titled("Nearest features", self.neighbours, action=self._near_by))
        column.addWidget(_titled("In other dictionaries", self.elsewhere, action=self.splitting))
        column.addWidget(self.company)
        column.addStretch()
        return part

    def _on_range_changed(self, low: int, high: int) -> None:
        self.verticalScrollBar().setEnabled(high > low)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.viewport().width() >= WIDE
        direction = QBoxLayout.Direction
        abreast = not wide and self.viewport().width() >= _ABREAST
        self._plots.setDirection(direction.LeftToRight if abreast else direction.TopToBottom)
        roomy = wide or abreast
        self._head.setDirection(direction.LeftToRight if roomy else direction.TopToBottom)
        target = direction.LeftToRight if wide else direction.TopToBottom
        if self._body.direction() != target:
            self._body.setDirection(target)
            least, most = _SIDE_WIDTHS if wide else (0, _NO_BOUND)
            self._effects.setMinimumWidth(least)
            self._effects.setMaximumWidth(most)
            self._contexts_box.setMaximumWidth(_CONTEXTS_WIDEST if wide else _NO_BOUND)

    # ------------------------------------------------------------------ content
    def _on_index_opened(self, index: object) -> None:
        del index
        self._shown = self._waiting = None

    def _on_column_made(self, name: str) -> None:
        if name == COLUMN and self._shown is not None:
            self._show_concept(*self._shown)

    def show_feature(self, feature: int) -> None:
        """Show a feature of the open index, from the top of its page, once the page is seen."""
        index = self._session.index
        if index is None or self._shown == (index, feature):
            return
        if self.isHidden() and self.parentWidget() is not None:
            self._waiting = feature  # behind another place: whoever reads there does not wait
            return
        self._shown, self._waiting = (index, feature), None
        self.setUpdatesEnabled(False)
        try:
            self._fill(index, feature)
        finally:
            self.setUpdatesEnabled(True)
        self.verticalScrollBar().setValue(0)

    def showEvent(self, event: QShowEvent) -> None:
        if self._waiting is not None:
            self.show_feature(self._waiting)
        super().showEvent(event)

    def _fill(self, index: FeatureIndex, feature: int) -> None:
        maximum = float(index.columns["max_activation"][feature])
        self.title.set_feature(feature)
        self.figures.setText(unbroken(figures_text(index, feature)))
        self._show_concept(index, feature)
        self.legend.set_maximum(maximum)
        self.contexts.set_scale(self.legend.scale())
        self.pictures.setVisible(index.pictures is not None)
        self._read_contexts(index, feature)
        self.histogram.set_counts(*index.histogram(feature))
        self.outputs.show_feature(index, feature)
        self._show_logits(index, feature)
        self._show_neighbours(index, feature)
        self.elsewhere.show_feature(feature)
        self.company.show_feature(index, feature)

    def _show_concept(self, index: FeatureIndex, feature: int) -> None:
        told = same_concept_text(index.kinds, feature)
        self.concept.setText(told)
        self.concept.setVisible(bool(told))

    def _read_contexts(self, index: FeatureIndex, feature: int) -> None:
        around = self.window_size.currentData()
        self._contexts = index.contexts(feature, around, around)
        self._show_contexts()

    def _show_contexts(self) -> None:
        index = self._session.index
        assert index is not None
        contexts = of_kind(self._contexts, self.pictures.kind)
        short = not self.more.isChecked()
        blocks, self._slots = context_blocks(contexts, index.info, short=short)
        if self._contexts and not blocks:
            blocks = [Heading(f"None of its contexts is of {self.pictures.kind_words}.")]
        if not blocks:
            fires = self.legend.scale().maximum > 0.0
            blocks = [Heading("No contexts were kept." if fires else "It never fired on the text.")]
        self.contexts.set_blocks(blocks)
        self.more.setVisible(bool(self._contexts))
        self.more.setText(
            "Fewer contexts" if self.more.isChecked() else f"All {len(self._contexts)} contexts"
        )

    def show_context(self, slot: int) -> None:
        """Bring a context of the feature into sight and draw a line around it."""
        self.more.setChecked(True)
        # Once it is laid out as high as all contexts are.
        QTimer.singleShot(0, self, lambda: self._point_at(slot))

    def _point_at(self, slot: int) -> None:
        block = next((n for n, slots in enumerate(self._slots) if slot in slots), None)
        if block is None:  # told with another of the same words
            return
        place = self.contexts.point_at_context(block, slot)
        at = self.contexts.mapTo(self._content, place.center())
        self.ensureVisible(0, at.y(), 0, self.viewport().height() // 3)

    def _show_logits(self, index: FeatureIndex, feature: int) -> None:
        raised, lowered = self.outputs.logits(index, feature, centred=self.centred.isChecked())
        by = self.outputs.output_name
        self.centred.setVisible(not by and index.array("logits/median") is not None)
        self._logits.show_rows(raised, lowered, measured=index.has_logits, by=by)

    def _show_neighbours(self, index: FeatureIndex, feature: int) -> None:
        found = self.outputs.neighbours(index, feature)
        rows = [FeatureRow(i, f"{cosine:.3f}", cosine) for i, cosine in found if i != feature]
        self.neighbours.set_rows(rows)
        by = self.outputs.output_name
        self._near_by.setText(f"{_COSINE} at {by}" if by else _COSINE)

    # ------------------------------------------------------------------ hands
    def _on_more_toggled(self) -> None:
        if self._shown is not None:
            self._show_contexts()

    def _on_window_chosen(self) -> None:
        if self._shown is not None:
            self._read_contexts(*self._shown)

    def _on_centred(self) -> None:
        if self._shown is not None:
            self._show_logits(*self._shown)

    def _on_output_chosen(self) -> None:
        if self._shown is not None:
            self._show_logits(*self._shown)
            self._show_neighbours(*self._shown)

    def _on_scale_changed(self, _logarithmic: bool) -> None:
        self.contexts.set_scale(self.legend.scale())

    def _on_token_hovered(self, token: HoveredToken | None) -> None:
        self.mark(token)
        self.tokenHovered.emit(token)

    def mark(self, token: HoveredToken | None) -> None:
        """Mark a token's activation on the histogram and on the legend."""
        activation = None if token is None else token.activation
        self.histogram.set_marker(activation)
        self.legend.set_marker(activation)

    def scale(self) -> ColourScale:
        """Return the scale the contexts are coloured by."""
        return self.legend.scale()


def _titled(title: str, widget: QWidget, action: QWidget | None = None) -> QWidget:
    part = QWidget()
    column = QVBoxLayout(part)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    row = QHBoxLayout()
    row.addWidget(label(title, "heading"))
    row.addStretch()
    if action is not None:
        row.addWidget(action)
    column.addLayout(row)
    column.addWidget(widget)
    column.addStretch()
    return part
