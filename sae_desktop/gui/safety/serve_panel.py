"""A model served to other programs: started and stopped, its address, its requests and hits."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.client.served_process import ServedProcess, ServedState
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.check_rows import row_size
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import WholeField, problems_of
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import set_heads
from sae_desktop.gui.safety.hits_view import HitsView
from sae_desktop.gui.safety.monitor_shelf import MonitorShelf
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.names import BUILTIN
from sae_desktop.safety.monitors.config import Hit
from sae_desktop.safety.monitors.hits_file import read_hits
from sae_desktop.safety.serving.config import PORT, ServeConfig, ServedRequest
from sae_desktop.steering.presets import read_preset
from sae_desktop.words.serving_text import (
    EXPLAINED,
    HIDDEN,
    PORT_ADVICE,
    REQUEST_HEADS,
    client_lines,
    failure_text,
    request_cells,
    state_text,
)
from sae_desktop.words.source_titles import model_title

_MOST_PORT = 65535
_MOST_REQUESTS = 500
_MOST_HITS = 50
_LOOK_MS = 400
_LIST_LINES = 5


class ServePanel(QWidget):
    """At the left what is served and how to reach it; at the right what comes."""

    def __init__(self, session: Session, shelf: MonitorShelf) -> None:
        super().__init__()
        self.setObjectName("safety.serve")
        self._session, self._shelf = session, shelf
        self.process = ServedProcess(self)
        self._reading = Background(self)
        self._looking = QTimer(self, singleShot=True, interval=_LOOK_MS)
        self._looking.timeout.connect(self._read_hits)
        self.monitors = QListWidget()
        self._ticked: set[str] = set()
        """Those that are to watch, listed or not yet."""
        self.preset = ElidedComboBox(10)
        self.index = ElidedComboBox(10)
        self.model = ElidedLabel()
        self.port = _PortField(PORT, 0, _MOST_PORT)
        self.start_button = push_button("Start serving", self.start, icon="play", primary=True)
        self.stop_button = push_button("Stop", self.process.stop, icon="stop")
        self.state = label("", wrap=True)
        self.problem = label("", "error", wrap=True, selectable=True)
        self.free_button = push_button(
            "Serve at a free port", self._on_free, icon="arrows-clockwise"
        )
        self.address, self.token = _code(""), _code("")
        self.show_token = push_button("Show", flat=True)
        self.lines = _code("")
        self.requests = QTreeWidget()
        self.hits = HitsView("Hits of what was served, the last first", session)
        self.no_requests = label(
            "No request has come yet. Once the server runs, send one from a program: each appears "
            "here with what fired.", "muted", wrap=True,
        )  # fmt: skip
        self.no_hits = label("No monitor has fired yet.", "muted", wrap=True)
        self._build()
        self.process.stateChanged.connect(lambda _state: self._show())
        self.process.requested.connect(self._on_requested)
        self.process.failed.connect(self._on_failed)
        self._reading.answered.connect(self._on_hits)
        self.show_token.toggled.connect(lambda _on: self._show_reach())
        self.monitors.itemChanged.connect(self._on_ticked)
        self.preset.currentIndexChanged.connect(lambda _index: self._show_model())
        session.indexOpened.connect(lambda _index: self._show_model())
        shelf.changed.connect(self._list)
        session.contentsChanged.connect(self._list)
        session.projectChanged.connect(self.process.end)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.process.end)
        self._list()
        self._show()

    def _build(self) -> None:
        self.monitors.setAccessibleName("Monitors that watch")
        self.monitors.setFixedHeight(_LIST_LINES * row_size(self.monitors).height())
        self.monitors.setToolTip(plain_tip("Those that are ticked run on all that passes"))
        self.preset.setAccessibleName("Steering")
        self.preset.setToolTip("A preset of this project, its conditions included")
        self.index.setAccessibleName("Index of the steering")
        self.port.setAccessibleName("Port")
        self.port.setSpecialValueText("a free one")
        self.port.setToolTip("Port on this machine; 0: one that is free")
        self.show_token.setCheckable(True)
        self.show_token.setToolTip("Show the token; whoever has it can use the server")
        self.fields = QWidget()
        form = QFormLayout(self.fields)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Model", self.model)
        form.addRow("Watched by", self.monitors)
        form.addRow("Steering", self.preset)
        form.addRow("Index", self.index)
        form.addRow("Port", self.port)
        buttons = QHBoxLayout()
        for button in (self.start_button, self.stop_button, self.free_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.reach = QWidget()
        reach = QFormLayout(self.reach)
        reach.setContentsMargins(0, 8, 0, 0)
        reach.setSpacing(8)
        reach.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        reach.addRow("Address", _row(self.address, self._copier("address")))
        reach.addRow("Token", _row(self.token, self.show_token, self._copier("token")))
        reach.addRow(label("In Python, with the openai package:", "small"))
        reach.addRow(_row(self.lines, self._copier("lines")))
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(label("Serve", "title"))
        column.addWidget(label(EXPLAINED, "muted", wrap=True))
        column.addWidget(self.fields)
        column.addLayout(buttons)
        for widget in (self.state, self.problem, self.reach):
            column.addWidget(widget)
        column.addStretch(1)
        left = QScrollArea()
        left.setWidget(inner)
        left.setWidgetResizable(True)
        left.setFrameShape(QScrollArea.Shape.NoFrame)
        left.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        left.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        left.setMinimumWidth(360)
        set_heads(self.requests, REQUEST_HEADS)
        self.requests.setRootIsDecorated(False)
        self.requests.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.requests.setAccessibleName("Requests, the last first")
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(12, 12, 16, 8)
        column.setSpacing(8)
        column.addWidget(label("Requests", "heading"))
        column.addWidget(self.no_requests)
        column.addWidget(self.requests, 1)
        column.addWidget(label("Hits", "heading"))
        column.addWidget(self.no_hits)
        column.addWidget(self.hits, 1)
        self._rest = QWidget()
        column.addWidget(self._rest, 1)
        split = QSplitter()
        split.addWidget(left)
        split.addWidget(right)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(split)

    def _copier(self, what: str) -> QWidget:
        button = push_button(
            "", lambda: self._copy(what), icon="copy", flat=True, tip=f"Copy the {what}"
        )
        button.setAccessibleName(f"Copy the {what}")
        return button

    # ------------------------------------------------------------------ what is chosen
    def choose(self, monitor: str) -> None:
        """Tick a monitor, and no other."""
        for number in range(self.monitors.count()):
            item = self.monitors.item(number)
            ticked = item.text() == monitor
            item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    def serves(self, monitor: str) -> bool:
        """Return whether a server that runs watches with a monitor."""
        return self.process.state is not ServedState.STOPPED and monitor in self.chosen()

    def rename(self, monitor: str, new: str) -> None:
        """Keep a monitor ticked under its new name."""
        if monitor in self._ticked:
            self._ticked.add(new)
        self._list()

    def _on_ticked(self, item: QListWidgetItem) -> None:
        if item.checkState() is Qt.CheckState.Checked:
            self._ticked.add(item.text())
        else:
            self._ticked.discard(item.text())
        self._show_model()

    def chosen(self) -> list[str]:
        """Return the monitors that are ticked."""
        items = [self.monitors.item(number) for number in range(self.monitors.count())]
        return [item.text() for item in items if item.checkState() is Qt.CheckState.Checked]

    def _list(self) -> None:
        names = [item.name for item in self._shelf.items if item.monitor is not None]
        with QSignalBlocker(self.monitors):
            self.monitors.clear()
            for name in names:
                item = QListWidgetItem(name)
                item.setSizeHint(row_size(self.monitors))
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                on = name in self._ticked
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
                self.monitors.addItem(item)
        project = self._session.project
        presets = [] if project is None else project.presets()
        _offer(self.preset, [("None: the model as it is", ""), *((one, one) for one in presets)])
        indexes = [(item.name, item.name) for item in self._session.inventory.indexes]
        _offer(self.index, [("the first that fits", ""), *indexes])

        self._show_model()

    def _served_model(self) -> str:
        """Return which model answers: the preset’s, the first monitor’s, or that of the index."""
        project, preset = self._session.project, str(self.preset.currentData() or "")
        if project is not None and preset:
            with suppress(UserError):
                return read_preset(project, preset).model
        ticked = [self._shelf.item(name) for name in self.chosen()]
        watched = [item.monitor.model for item in ticked if item and item.monitor]
        if watched:
            return watched[0]
        index = self._session.index
        return index.info.model if index is not None else BUILTIN

    def _show_model(self) -> None:
        self.model.setText(model_title(self._served_model()))

    # ------------------------------------------------------------------ start and stop
    def config(self) -> ServeConfig:
        """Return what is to be served."""
        project = self._session.project
        preset, monitors = str(self.preset.currentData() or ""), self.chosen()
        return ServeConfig(
            project="" if project is None else str(project.path), monitors=monitors,
            model="" if preset or monitors else self._served_model(),
            preset=preset, index=str(self.index.currentData() or "") if preset else "",
            port=self.port.value(), device=self._session.device,
        )  # fmt: skip

    def start(self) -> None:
        """Start the server, unless it runs."""
        if unread := problems_of(self):
            self._on_failed(ErrorInfo(what=unread[0]))
            return
        self.problem.setText("")
        self.requests.clear()
        self.hits.show_hits([])
        self.process.start(self.config())

    def _on_free(self) -> None:
        self.port.setValue(0)
        self.start()

    def _on_failed(self, error: ErrorInfo) -> None:
        self.problem.setText(failure_text(error))
        self._session.show_error(error)
        self._show()

    def _show(self) -> None:
        state = self.process.state
        stopped = state is ServedState.STOPPED
        pressed = self.start_button.hasFocus() or self.stop_button.hasFocus()
        self.start_button.setVisible(stopped)
        self.stop_button.setVisible(not stopped)
        self.stop_button.setEnabled(state is not ServedState.STOPPING)
        if pressed:  # the button that was pressed is no longer there
            (self.start_button if stopped else self.stop_button).setFocus()
        self.fields.setVisible(stopped)
        self.problem.setVisible(bool(self.problem.text()) and stopped)
        self.free_button.setVisible(
            self.problem.isVisibleTo(self) and self.problem.text().endswith(PORT_ADVICE)
        )
        self.state.setText(state_text(state, self.process.served))
        self.state.setVisible(bool(self.state.text()))
        self._show_reach()
        self._show_lists()

    def _show_reach(self) -> None:
        served = self.process.served
        running = self.process.state is ServedState.RUNNING
        self.reach.setVisible(running)
        if served is None or not running:
            return
        shown = self.show_token.isChecked()
        self.show_token.setText("Hide" if shown else "Show")
        self.address.setText(served.url)
        self.token.setText(served.token if shown else HIDDEN)
        self.lines.setText(client_lines(served, served.token if shown else HIDDEN))

    def _copy(self, what: str) -> None:
        served = self.process.served
        if served is None:
            return
        texts = {
            "address": served.url, "token": served.token,
            "lines": client_lines(served, served.token),
        }  # fmt: skip
        QGuiApplication.clipboard().setText(texts[what])
        self._session.notify(f"Copied the {what}.")

    # ------------------------------------------------------------------ what comes
    def _on_requested(self, request: ServedRequest) -> None:
        item = QTreeWidgetItem(request_cells(request))
        self.requests.insertTopLevelItem(0, item)
        while self.requests.topLevelItemCount() > _MOST_REQUESTS:
            self.requests.takeTopLevelItem(_MOST_REQUESTS)
        if request.hits:
            self._looking.start()
        self._show_lists()

    def _read_hits(self) -> None:
        served = self.process.served
        if served is not None and served.hits:
            path = Path(served.hits)
            self._reading.run(served.hits, lambda: read_hits(path)[: -_MOST_HITS - 1 : -1])

    def _on_hits(self, answer: tuple[object, list[Hit]]) -> None:
        self.hits.show_hits(answer[1], named=True)
        self._show_lists(hits=bool(answer[1]))

    def _show_lists(self, *, hits: bool | None = None) -> None:
        requests = self.requests.topLevelItemCount() > 0
        self.no_requests.setVisible(not requests)
        self.requests.setVisible(requests)
        if hits is not None or not requests:
            self.hits.setVisible(bool(hits))
            self.no_hits.setVisible(not hits)
        self._rest.setVisible(not requests and not hits)


class _PortField(WholeField):
    """A port is a name made of digits: nothing parts its thousands."""

    def textFromValue(self, value: float) -> str:
        return str(int(value))


def _offer(box: ElidedComboBox, entries: list[tuple[str, str]]) -> None:
    """Offer entries, what is chosen stays where it is among them."""
    if [(box.itemText(n), box.itemData(n)) for n in range(box.count())] == entries:
        return
    chosen = box.currentData()
    box.clear()
    for text, data in entries:
        box.addItem(text, data)
    box.setCurrentIndex(max(box.findData(chosen), 0))


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(4)
    for number, widget in enumerate(widgets):
        line.addWidget(widget, 0 if number else 1, Qt.AlignmentFlag.AlignVCenter)
    return row


def _code(text: str) -> QLabel:
    found = label(text, selectable=True, wrap=True)
    found.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    return found
