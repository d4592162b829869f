"""Chooses the model that answers: a server found, an address, or one that the engine runs."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import ErrorInfo, KeyKept
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.engine_offer import EngineOffer
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.number_fields import DecimalField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.models.address import EXAMPLE, server_address
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.config import (
    CheckServerConfig,
    CheckServerResult,
    FindServersConfig,
    FindServersResult,
    FoundServer,
    ServedModel,
)
from sae_desktop.labels.models.keys import place_in_words
from sae_desktop.language_model.names import SMOLLM2
from sae_desktop.words.server_text import NONE_FOUND, checked_text, unencrypted_text

ADDRESS, ENGINE = "address", "engine"
_MOST_PRICE = 100_000.0
_LOCAL_TIP = (
    "A folder, a .gguf file or a name such as smollm2: a model of this machine that the engine "
    "runs. Nothing is sent anywhere."
)
_SERVED_TIP = "The model’s name on the server. The list fills once the connection is tested."


class ChatModelForm(QWidget):
    """A part of a form: `changed` says that `choice`, `prices` or `problem` may be others."""

    changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._looked = False
        self._found: list[FoundServer] = []
        self._tested: ModelChoice | None = None
        self._search = LatestJob(session, 0, self)
        self._search.answered.connect(self._on_found)
        self._search.failed.connect(self._on_search_failed)
        self._check = LatestJob(session, 0, self)
        self._check.answered.connect(self._on_checked)
        self._check.failed.connect(self._on_check_failed)
        self._check.busyChanged.connect(lambda _busy: self._adapt())
        session.client.keyKept.connect(self._on_key_kept)
        self._make_fields()
        self._lay_out()
        self._fill_places()
        self._adapt()

    # ------------------------------------------------------------------ parts
    def _make_fields(self) -> None:
        self.place = ElidedComboBox(24)
        self.place.currentIndexChanged.connect(self._on_place)
        self.look_button = push_button("Look again", self.look, icon="arrows-clockwise")
        self.address = QLineEdit()
        self.address.setPlaceholderText(EXAMPLE)
        self.address.textChanged.connect(self._on_address)
        self.key = QLineEdit()
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.key.setPlaceholderText("Only if the server asks for one")
        self.key.textChanged.connect(lambda _text: self._adapt())
        self.key.returnPressed.connect(self.keep_key)
        self.key_button = push_button("Keep the key", self.keep_key)
        self.model = QComboBox()
        self.model.setEditable(True)
        self.model.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.model.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.model.setMinimumContentsLength(20)
        self.model.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        completer = self.model.completer()
        if completer is not None:
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.model.editTextChanged.connect(lambda _text: self._on_changed())
        self.price_in = DecimalField(0.0, _MOST_PRICE, 4)
        self.price_out = DecimalField(0.0, _MOST_PRICE, 4)
        for price in (self.price_in, self.price_out):
            price.setSuffix(" per million tokens")
            price.valueChanged.connect(lambda _value: self._on_changed())
        self.test_button = push_button("Test the connection", self.test)
        self.said = label("", "small", wrap=True, selectable=True)
        self.key_said = label("", "small", wrap=True)
        self.key_said.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.warning = label("", "warning", wrap=True)

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.setSpacing(8)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._rows = {
            "place": self._row("Where", self.place, "Where the model that answers runs",
                               self.look_button),
            "address": self._row("Address", self.address,
                                 "Of a server that speaks as OpenAI’s does; most end in /v1"),
            "key": self._row("Key", self.key, "It is kept in the system’s keyring, never in a "
                             "project, a log or a record", self.key_button),
            "key_said": self._row("", self.key_said, ""),
            "model": self._row("Model", self.model, _SERVED_TIP),
            "price_in": self._row("Price of input", self.price_in,
                                  "Of a million tokens of prompts, in your currency; 0: free"),
            "price_out": self._row("Price of output", self.price_out,
                                   "Of a million tokens of answers, in your currency; 0: free"),
        }  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._form)
        column.addWidget(self.warning)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self.test_button, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.said, 1)
        column.addLayout(row)
        column.addWidget(
            EngineOffer(self._session, "The engine, which asks the model, is not running.")
        )

    def _row(self, text: str, field: QWidget, tip: str, beside: QWidget | None = None) -> QWidget:
        if not isinstance(field, QLabel):
            field.setAccessibleName(text)
        field.setToolTip(plain_tip(tip))
        whole = field
        if beside is not None:
            whole = QWidget()
            row = QHBoxLayout(whole)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(8)
            row.addWidget(field, 1)
            row.addWidget(beside)
        self._form.addRow(text, whole)
        name = self._form.labelForField(whole)
        if isinstance(name, QLabel):
            name.setToolTip(plain_tip(tip))
            name.setBuddy(field)
        return whole

    # ------------------------------------------------------------------ what is chosen
    def choice(self) -> ModelChoice | None:
        """Return the model chosen; None where `problem` says what is missing."""
        return None if self.problem() else self._choice()

    def _choice(self) -> ModelChoice:
        return ModelChoice(server=self._server(), model=self.model.currentText().strip())

    def prices(self) -> tuple[float, float]:
        """Return the price of a million tokens of input and of output; 0 where none applies."""
        if not self._has_prices():
            return 0.0, 0.0
        return self.price_in.value(), self.price_out.value()

    def problem(self) -> str:
        """Return what keeps the choice from being complete; empty: nothing."""
        if error := self._address_problem():
            return error
        if not self.model.currentText().strip():
            if self.model.count():
                return "Choose the model that answers."
            return "No model is chosen. “Test the connection” lists those of the server."
        if self._has_prices():
            return self.price_in.problem or self.price_out.problem
        return ""

    def set_choice(self, choice: ModelChoice, prices: tuple[float, float] = (0.0, 0.0)) -> None:
        """Show a choice, such as that of last time."""
        with QSignalBlocker(self.place), QSignalBlocker(self.model), QSignalBlocker(self.address):
            place = self.place.findData(choice.server) if choice.server else -1
            if not choice.server:
                place = self.place.findData(ENGINE)
            elif place < 0:
                self.address.setText(choice.server)
                place = self.place.findData(ADDRESS)
            self.place.setCurrentIndex(place)
            self._fill_models()
            self.model.setEditText(choice.model)
        self.price_in.setValue(prices[0])
        self.price_out.setValue(prices[1])
        self._on_changed()

    def _server(self) -> str:
        place = str(self.place.currentData())
        if place == ENGINE:
            return ""
        return self.address.text().strip() if place == ADDRESS else place

    def _address_problem(self) -> str:
        if self.place.currentData() != ADDRESS:
            return ""
        try:
            server_address(self.address.text())
        except UserError as error:
            return str(error)
        return ""

    def _has_prices(self) -> bool:
        return not self._address_problem() and not self._choice().here

    # ------------------------------------------------------------------ servers of this machine
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._looked:
            self.look()

    def look(self) -> None:
        """Look for servers on this machine; nothing leaves it."""
        self._looked = True
        self.said.setText("Looking for servers on this machine …")
        self._search.ask(FindServersConfig())

    def _on_found(self, result: FindServersResult) -> None:
        place = self.place.currentData()
        self._found = result.servers
        typed = bool(self.address.text().strip())  # elsewhere, or kept from last time
        self._say("" if result.servers or typed else NONE_FOUND)
        self._fill_places()
        if result.servers and not self._typed and not self.address.text():
            first = result.servers[0]
            self.set_choice(ModelChoice(server=first.url, model=first.models[0].name))
            return
        with QSignalBlocker(self.place):
            self.place.setCurrentIndex(max(self.place.findData(place), 0))
        self._fill_models()
        self._on_changed()

    def _on_search_failed(self, error: ErrorInfo) -> None:
        self._say(f"{error.what} {error.next_step}", "error")

    def _fill_places(self) -> None:
        with QSignalBlocker(self.place):
            self.place.clear()
            for server in self._found:
                where = server.url.removeprefix("http://").removesuffix("/v1")
                self.place.addItem(f"{server.title} on this machine ({where})", server.url)
            self.place.addItem("A server at an address", ADDRESS)
            self.place.addItem("A model that the engine runs", ENGINE)

    # ------------------------------------------------------------------ key
    def keep_key(self) -> None:
        """Hand the key to the engine, and forget it here."""
        if self._address_problem() or not self._server():
            return
        self._session.client.keep_key(self._server(), self.key.text())
        self.key.clear()

    def _on_key_kept(self, kept: KeyKept) -> None:
        if kept.server != self._server():
            return
        if kept.error is not None:
            self._say_key(f"{kept.error.what} {kept.error.next_step}", "error")
        else:
            self._say_key(place_in_words(kept.place))  # type: ignore[arg-type]

    def _say_key(self, text: str, role: str = "small") -> None:
        set_property(self.key_said, "role", role)
        self.key_said.setText(text)
        self._adapt()

    # ------------------------------------------------------------------ test
    def test(self) -> None:
        """List the server’s models, and have the chosen one answer one short question."""
        if self._address_problem():
            return
        if self.key.text():
            self.keep_key()
        self._tested = self._choice()
        self._say("Asking the model …" if self._tested.model else "Asking the server …")
        self._check.ask(CheckServerConfig(model=self._tested))

    def _on_checked(self, result: CheckServerResult) -> None:
        if self._tested != self._choice():
            return
        self._fill_models(result.models)
        self._say(checked_text(msgspec.structs.replace(result, key="")))
        self._say_key(place_in_words(result.key) if result.key else "")  # type: ignore[arg-type]
        self._on_changed()

    def _on_check_failed(self, error: ErrorInfo) -> None:
        self._say(" ".join(filter(None, (error.what, error.kept, error.next_step))), "error")

    def _say(self, text: str, role: str = "small") -> None:
        set_property(self.said, "role", role)
        self.said.setText(text)

    # ------------------------------------------------------------------ what follows
    def _fill_models(self, models: list[ServedModel] | None = None) -> None:
        """Offer the models of the server, or those known to be on this machine."""
        server = self._server()
        if models is None:
            models = next((s.models for s in self._found if s.url == server), [])
        names = [model.name for model in models] if server else [SMOLLM2]
        typed = self.model.currentText()
        with QSignalBlocker(self.model):
            self.model.clear()
            self.model.addItems(names)
            self.model.setEditText(typed)

    def _on_place(self, _index: int) -> None:
        with QSignalBlocker(self.model):
            self.model.setEditText("")
        self._fill_models()
        if self.model.count():
            self.model.setCurrentIndex(0)
        self.key_said.setText("")
        self._say("")
        self._on_changed()

    def _on_address(self, _text: str) -> None:
        self.key_said.setText("")
        self._say("")  # what was said is of another address
        self._on_changed()

    def _on_changed(self) -> None:
        self._adapt()
        self.changed.emit()

    def _adapt(self) -> None:
        """Show the fields of what is chosen."""
        served = self.place.currentData() != ENGINE
        problem = self._address_problem()
        shown = {
            "address": self.place.currentData() == ADDRESS,
            "key": served,
            "key_said": served and bool(self.key_said.text()),
            "price_in": self._has_prices(),
            "price_out": self._has_prices(),
        }
        for name, visible in shown.items():
            self._form.setRowVisible(self._rows[name], visible)
        self.key_button.setEnabled(bool(self.key.text()) and not problem)
        self.model.setToolTip(plain_tip(_SERVED_TIP if served else _LOCAL_TIP))
        self.test_button.setText("Test the connection" if served else "Test the model")
        self.test_button.setAccessibleName(self.test_button.text())
        busy = self._check.busy
        self.test_button.setEnabled(not problem and not busy and (served or self._typed))
        self.warning.setText(self._unencrypted() if served and not problem else "")
        self.warning.setVisible(bool(self.warning.text()))

    @property
    def _typed(self) -> bool:
        return bool(self.model.currentText().strip())

    def _unencrypted(self) -> str:
        address = server_address(self._server())
        return "" if address.encrypted else unencrypted_text(address.host)
