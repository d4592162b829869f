"""How the open feature splits in larger dictionaries, and what it is a part of in smaller ones."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.comparison.config import MatchConfig
from sae_desktop.comparison.split_node import LEAST_COSINE, SplitNode
from sae_desktop.gui.explore.context_delegate import CONTEXT_ROLE, ContextDelegate, held_context
from sae_desktop.gui.explore.other_dictionaries import OtherDictionaries
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import NumberField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import set_heads
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count, percent_text

_FEATURE, _COSINE, _DENSITY, _CONTEXT = range(4)
_NODE_ROLE = Qt.ItemDataRole.UserRole
_ROW_PADDING = 8
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_NO_OTHER = (
    "The project has no other dictionary for this model and site. Train or import a larger or a "
    "smaller one to see how features split."
)


class SplittingTree(QTreeWidget):
    """Features under those they are parts of. Return opens one."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentItem():
            self.itemActivated.emit(self.currentItem(), 0)
        else:
            super().keyPressEvent(event)


class SplittingPanel(QWidget):
    """The tree of the open feature's family over the matched dictionaries."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.splitting")
        self._session = session
        self._others = OtherDictionaries.of(session)
        self._notes = FeatureNotes.of(session)
        self._stale = True
        self.state = label("", "small", wrap=True)
        self.least = NumberField()
        self.least.setRange(0.0, 0.95)
        self.least.setSingleStep(0.05)
        self.least.setValue(LEAST_COSINE)
        self.least.setAccessibleName("Minimum cosine")
        self.least.setToolTip("Minimum cosine between a part and the feature it is a part of")
        self.copy = copy_code_button(session, self.config)
        self.match = push_button(
            "Match dictionaries",
            self._on_match,
            tip="Compare every feature with those of the other dictionaries",
        )
        self.tree = SplittingTree()
        self.delegate = ContextDelegate(self.tree)
        self._build()
        self.least.valueChanged.connect(lambda _value: self.reload())
        self.tree.itemActivated.connect(self._on_activated)
        session.featureSelected.connect(lambda _feature: self.reload())
        self._others.changed.connect(self.reload)
        self._notes.noteChanged.connect(lambda _feature: self.reload())
        keep_fields(session, self, {"least": self.least})

    def _build(self) -> None:
        self.tree.setColumnCount(4)
        set_heads(self.tree, ["Feature", "Cosine", "Density", "Strongest context"])
        self.tree.setAccessibleName("Features and their parts in larger dictionaries")
        self.tree.setUniformRowHeights(True)
        self.tree.setAllColumnsShowFocus(True)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.tree.setItemDelegateForColumn(_CONTEXT, self.delegate)
        header = self.tree.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(_FEATURE, QHeaderView.ResizeMode.Interactive)
        header.resizeSection(_FEATURE, 300)
        for figure, width in ((_COSINE, 64), (_DENSITY, 88)):
            header.resizeSection(figure, width)
            self.tree.headerItem().setTextAlignment(figure, _RIGHT)
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.state, 1)
        bar.addWidget(label("Minimum cosine", "small"))
        bar.addWidget(self.least)
        bar.addWidget(self.match)
        bar.addWidget(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self.tree, 1)
        self.setMinimumHeight(140)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.reload()

    # ------------------------------------------------------------------ content
    def reload(self) -> None:
        """Show the open feature's family, once the panel is in sight."""
        self._stale = not self.isVisible()
        if self._stale:
            return
        self.tree.clear()
        self.delegate.forget()
        feature = self._session.feature
        unmatched = self._others.unmatched()
        matched = self._others.matched()
        self.match.setVisible(bool(unmatched))
        self.copy.setVisible(bool(unmatched or matched))
        self.match.setProperty("primary", "true" if unmatched and not matched else "")
        root = None if feature is None else self._others.family(feature, self.least.value())
        self.tree.setVisible(root is not None)
        self.least.setEnabled(root is not None)
        self.state.setText(self._state_text(root, matched, unmatched))
        if root is None or feature is None:
            return
        self._add(self.tree.invisibleRootItem(), root, feature)
        self.tree.expandAll()

    def _state_text(self, root: SplitNode | None, matched: list[str], unmatched: list[str]) -> str:
        if self._session.index is None or self._session.feature is None:
            return "Open a feature to see how it splits."
        if root is None:
            outdated = self._others.splitting.outdated if self._others.splitting else []
            if self._others.dictionary in outdated:
                return (
                    f"“{self._others.dictionary}” has been trained again since it was matched. "
                    f"Match the dictionaries again."
                )
            if not unmatched:
                return _NO_OTHER
            names = ", ".join(f"“{name}”" for name in unmatched[:3])
            return f"Not matched yet: this dictionary with {names}."
        counts: dict[str, int] = {}
        _count(root, counts)
        told = " → ".join(f"{counts[name]} in “{name}”" for name in matched if counts.get(name))
        more = f" Not matched: {', '.join(unmatched[:3])}." if unmatched else ""
        return f"{told}. By cosine between decoder directions.{more}"

    def _add(self, parent: QTreeWidgetItem, node: SplitNode, open_feature: int) -> None:
        others = self._others
        item = QTreeWidgetItem(parent)
        item.setSizeHint(_FEATURE, QSize(0, self.fontMetrics().height() + _ROW_PADDING))
        item.setData(_FEATURE, _NODE_ROLE, node)
        item.setText(_FEATURE, f"{node.dictionary}  {others.title(node.dictionary, node.feature)}")
        item.setToolTip(_FEATURE, plain_tip(item.text(_FEATURE)))
        if parent is not self.tree.invisibleRootItem():
            item.setText(_COSINE, f"{node.cosine:.2f}")
        if node.shared:
            item.setText(_COSINE, f"({node.cosine:.2f})")
            item.setToolTip(_COSINE, "The nearest feature, but it is even nearer to another one")
        index = others.index(node.dictionary)
        if index is None:
            item.setText(_CONTEXT, "This dictionary has no index")
        elif node.feature < index.features:
            item.setText(_DENSITY, percent_text(float(index.columns["density"][node.feature])))
            maximum = float(index.columns["max_activation"][node.feature])
            context = others.strongest_context(node.dictionary, node.feature)
            item.setData(_CONTEXT, CONTEXT_ROLE, held_context(context, maximum))
            if context is None:
                item.setText(_CONTEXT, "It never fired on the text.")
            else:
                said = "".join(context.tokens)
                item.setData(_CONTEXT, Qt.ItemDataRole.AccessibleTextRole, said)
        for column in (_COSINE, _DENSITY):
            item.setTextAlignment(column, _RIGHT)
        if (node.dictionary, node.feature) == (others.dictionary, open_feature):
            font = item.font(_FEATURE)
            font.setBold(True)
            item.setFont(_FEATURE, font)
            self.tree.setCurrentItem(item)
        for part in node.parts:
            self._add(item, part, open_feature)
        if node.left_out:
            more = QTreeWidgetItem(item, [f"… and {exact_count(node.left_out)} more"])
            more.setFlags(Qt.ItemFlag.ItemIsEnabled)

    # ------------------------------------------------------------------ hands
    def _on_activated(self, item: QTreeWidgetItem, _column: int) -> None:
        node = item.data(_FEATURE, _NODE_ROLE)
        if isinstance(node, SplitNode):
            self._others.open(node.dictionary, node.feature)

    def _on_match(self) -> None:
        self._session.run(self.config())

    def config(self) -> MatchConfig:
        """Return the job that matches this dictionary with all others of its site."""
        names = {self._others.dictionary, *self._others.matched(), *self._others.unmatched()}
        return MatchConfig(project=self._session.project_path, dictionaries=tuple(sorted(names)))


def _count(node: SplitNode, counts: dict[str, int]) -> None:
    """Count the features of each dictionary in a tree; those of another's tree are not."""
    if not node.shared:
        counts[node.dictionary] = counts.get(node.dictionary, 0) + 1
    if node.left_out:
        larger = node.parts[0].dictionary
        counts[larger] = counts.get(larger, 0) + node.left_out
    for part in node.parts:
        _count(part, counts)
