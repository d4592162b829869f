"""Fields for models: one of several, in an order, picked as folders or dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import dialog_filter, what_is
from sae_desktop.file_kinds import FileKind
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.text_box import PathField, local_files
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.names import BUILTIN
from sae_desktop.safety.change.checkpoint_order import checkpoint_titles, checkpoints_in

_ROWS = 3
"""Of checkpoints in sight: the whole form has room on a small screen."""
_HINT = "Drop model folders here, or a folder of checkpoints"


def models_inside(folder: Path) -> list[str]:
    """Return the complete checkpoints in a folder, in the order of training; or it, if it is one.

    Raises UserError for a folder without any.
    """
    if what_is(folder).kind == "model":
        return [str(folder)]
    found = [str(path) for path in checkpoints_in(folder) if what_is(path).kind == "model"]
    if not found:
        raise UserError(
            f"“{folder.name}” is not a model, and no complete checkpoint lies in it.",
            next_step="Choose a folder with a config.json and weights, or one that holds such.",
        )
    return found


class PathChoice(QWidget):
    """A path: typed, picked or dropped."""

    textChanged = Signal(str)

    def __init__(self, title: str, hint: str = "", kind: FileKind | None = None) -> None:
        """`kind` of file that is picked; None: a folder."""
        super().__init__()
        self._title, self._kind = title, kind
        self.field = PathField()
        self.field.setPlaceholderText(hint)
        self.field.setAccessibleName(title)
        self.browse = push_button("Choose…", self._pick, tip=f"Choose: {title}")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.field, 1)
        row.addWidget(self.browse)
        self.field.textChanged.connect(self.textChanged)
        self.setFocusProxy(self.field)

    def text(self) -> str:
        return self.field.text().strip()

    def _pick(self) -> None:
        start = self.text() or str(Path.home())
        if self._kind is None:
            chosen = QFileDialog.getExistingDirectory(self, self._title, start)
        else:
            kinds = dialog_filter(self._kind)
            chosen, _ = QFileDialog.getOpenFileName(self, self._title, start, kinds)
        if chosen:
            self.field.setText(chosen)


class ModelField(QWidget):
    """A model of the project, the built-in one, or a folder."""

    textChanged = Signal(str)

    def __init__(self, session: Session, *, optional: str = "") -> None:
        """`optional` says what happens without one."""
        super().__init__()
        self.box = QComboBox()
        self.box.setEditable(True)
        self.box.setAccessibleName("Model that training started from")
        names = [item.name for item in session.inventory.models]
        self.box.addItems(list(dict.fromkeys([*names, BUILTIN])))
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(16)
        if optional:
            self.box.setCurrentText("")
            line = self.box.lineEdit()
            assert line is not None  # it is editable
            line.setPlaceholderText(optional)
        self.browse = push_button("Choose…", self._pick, tip="Choose the folder of a model")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.box, 1)
        row.addWidget(self.browse)
        self.box.editTextChanged.connect(self.textChanged)
        self.setFocusProxy(self.box)

    def text(self) -> str:
        return self.box.currentText().strip()

    def _pick(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose a model", str(Path.home()))
        if chosen:
            self.box.setCurrentText(chosen)


class _Paths(QListWidget):
    """Rows are dragged into another order; folders are dropped; Delete takes a row out."""

    dropped = Signal(list)
    removed = Signal()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._take(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._take(event)

    def _take(self, event: QDragMoveEvent) -> None:
        if local_files(event.mimeData()):
            event.acceptProposedAction()
        elif isinstance(event, QDragEnterEvent):
            super().dragEnterEvent(event)
        else:
            super().dragMoveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        files = local_files(event.mimeData())
        if files:
            event.acceptProposedAction()
            self.dropped.emit(files)
        else:
            super().dropEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.count():
            painter = QPainter(self.viewport())
            painter.setPen(theme.palette().muted_text)
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.viewport().rect().adjusted(8, 0, -8, 0), flags, _HINT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.removed.emit()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(320, (self.fontMetrics().height() + 8) * _ROWS)


class CheckpointsField(QWidget):
    """Checkpoints in the order of training."""

    changed = Signal()
    refused = Signal(str)
    """Why what was dropped or picked was not taken; empty: it was."""

    def __init__(self) -> None:
        super().__init__()
        self._begin = str(Path.home())
        """Where one looks for the next: beside the last."""
        self.list = _Paths()
        self.list.setAccessibleName("Checkpoints, in the order of training")
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.list.setAcceptDrops(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setToolTip(
            "Drop model folders, or a folder of checkpoints. Drag rows into the order of training"
        )
        self.list.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.add_button = push_button(
            "Add…", self._pick, icon="plus",
            tip="Add a model folder, or all complete checkpoints of a folder",
        )  # fmt: skip
        self.up = push_button("", lambda: self._move(-1), icon="arrow-up", tip="Earlier")
        self.down = push_button("", lambda: self._move(1), icon="arrow-down", tip="Later")
        self.remove = push_button("", self._remove, icon="x", tip="Take out of the list (Delete)")
        side = QVBoxLayout()
        side.setSpacing(4)
        side.addWidget(self.add_button)
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in (self.up, self.down, self.remove):
            row.addWidget(button)
        side.addLayout(row)
        side.addStretch()
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(8)
        whole.addWidget(self.list, 1)
        whole.addLayout(side)
        self.list.dropped.connect(self.add)
        self.list.removed.connect(self._remove)
        self.list.model().rowsMoved.connect(lambda *_moved: self.changed.emit())
        self.list.currentRowChanged.connect(lambda _row: self._show_buttons())
        self.setFocusProxy(self.list)
        self._show_buttons()

    @property
    def paths(self) -> tuple[str, ...]:
        """What is listed, from the first of training on."""
        items = (self.list.item(row) for row in range(self.list.count()))
        return tuple(item.data(Qt.ItemDataRole.UserRole) for item in items)

    def show_paths(self, paths: Sequence[str]) -> None:
        """List other checkpoints."""
        self.list.clear()
        for path, title in zip(paths, checkpoint_titles(paths), strict=True):
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, path)
            item.setToolTip(plain_tip(path))
            self.list.addItem(item)
        self._show_buttons()
        self.changed.emit()

    def add(self, folders: Sequence[Path]) -> None:
        """Add the models in folders, each once; what is none is told."""
        told = ""
        found = list(self.paths)
        for folder in folders:
            try:
                found += models_inside(folder)
            except UserError as error:
                told = str(error)
        self.show_paths(list(dict.fromkeys(found)))
        self.refused.emit(told)

    def _pick(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, "Add a model, or all checkpoints of a folder", self._begin
        )
        if chosen:
            self._begin = str(Path(chosen).parent)
            self.add([Path(chosen)])

    def _move(self, by: int) -> None:
        row = self.list.currentRow()
        if row >= 0 and 0 <= row + by < self.list.count():
            item = self.list.takeItem(row)
            self.list.insertItem(row + by, item)
            self.list.setCurrentRow(row + by)
            self.changed.emit()

    def _remove(self) -> None:
        for item in self.list.selectedItems():
            self.list.takeItem(self.list.row(item))
        self._show_buttons()
        self.changed.emit()

    def _show_buttons(self) -> None:
        row, count = self.list.currentRow(), self.list.count()
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < count - 1)
        self.remove.setEnabled(row >= 0)


class _TickMenu(QMenu):
    """Stays open while entries are ticked; Escape or a click elsewhere closes it."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._tick(self.actionAt(event.position().toPoint())):
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ticks = event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if not (ticks and self._tick(self.activeAction())):
            super().keyPressEvent(event)

    def _tick(self, action: QAction | None) -> bool:
        if action is None or not action.isEnabled():
            return False
        action.trigger()
        return True


class NamesField(QWidget):
    """Some of a list of names, ticked in a menu."""

    changed = Signal()

    def __init__(self, nothing: str, names: Mapping[str, str]) -> None:
        """`nothing` is what is said of none; `names`: each with what it is called."""
        super().__init__()
        self._nothing = nothing
        self.button = push_button("")
        self._menu = _TickMenu(self.button)
        self._menu.setToolTipsVisible(True)
        self._actions: dict[str, QAction] = {}
        if len(names) > 1:
            self._menu.addAction("All", lambda: self.tick(tuple(names)))
            self._menu.addAction("None", lambda: self.tick(()))
            self._menu.addSeparator()
        for name, title in names.items():
            action = self._menu.addAction(title)
            action.setCheckable(True)
            action.toggled.connect(lambda _on: self._say())
            self._actions[name] = action
        self.button.setMenu(self._menu)
        self.any = bool(names)
        """Whether there is something to tick."""
        self.button.setEnabled(self.any)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button)
        self.setFocusProxy(self.button)
        self._say()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, action in self._actions.items() if action.isChecked())

    def tick(self, names: Sequence[str]) -> None:
        """Tick these, and no others."""
        for name, action in self._actions.items():
            action.setChecked(name in names)

    def _say(self) -> None:
        chosen = [action.text() for action in self._actions.values() if action.isChecked()]
        text = ", ".join(chosen[:2]) + (f" and {len(chosen) - 2} more" if len(chosen) > 2 else "")
        self.button.setText(text or self._nothing)
        self.changed.emit()
