"""Forms with numbers that speak of an open index: what is typed is held, in every locale."""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot
from typed_numbers import LOCALES, forms_without_a_session, hold_every_field

from sae_desktop.gui.circuits.node.trial_panel import TrialPanel
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.explore.ask.captions import CaptionChangesPanel
from sae_desktop.gui.explore.ask.text_sets import TextSetsPanel
from sae_desktop.gui.explore.labels.ask_model import AskModel
from sae_desktop.gui.explore.map.splitting import SplittingPanel
from sae_desktop.gui.forms.exchange_forms import ImportDictionaryForm
from sae_desktop.gui.forms.job_forms import EvaluateForm, IndexForm
from sae_desktop.gui.forms.queue_view import QueueView
from sae_desktop.gui.forms.set_forms import IndexSetForm
from sae_desktop.gui.forms.sizing_dialog import SizingDialog
from sae_desktop.gui.frame.preferences import Preferences
from sae_desktop.gui.frame.settings_dialog import SettingsDialog
from sae_desktop.gui.parts import number_fields
from sae_desktop.gui.safety.changes.change_forms import CompareForm
from sae_desktop.gui.safety.changes.watch_forms import CalibrateForm, WatchForm
from sae_desktop.gui.safety.mitigation_form import MitigationForm
from sae_desktop.gui.safety.monitor_form import MonitorForm
from sae_desktop.gui.safety.monitor_shelf import MonitorShelf
from sae_desktop.gui.safety.run_view import RunView
from sae_desktop.gui.safety.scan_form import ScanForm
from sae_desktop.gui.safety.serve_panel import ServePanel
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.gui.steer.condition_dialog import ConditionDialog
from sae_desktop.gui.steer.monitor_choice import MonitorChoice
from sae_desktop.gui.steer.rack_panel import SteeringRack
from sae_desktop.gui.steer.steering_prompt import SteeringPrompt
from sae_desktop.gui.train.benchmark_forms import BenchmarkForm, SyntheticForm
from sae_desktop.sizing.config import SizeConfig
from sae_desktop.words.inventory import SetItem

GUI = Path(number_fields.__file__).parents[1]
FEATURE = 3


def rack(session: Session) -> SteeringRack:
    """With a slider."""
    made = SteeringRack(session)
    made.add_feature(FEATURE)
    return made


def ask_model(session: Session) -> AskModel:
    """With the number of features and what they may cost."""
    return AskModel(session, lambda: np.array([FEATURE]))


def trial(session: Session) -> TrialPanel:
    """With what a node is set to or multiplied by."""
    return TrialPanel(session, OpenGraph(session))


def index_of_set(session: Session) -> IndexSetForm:
    now = datetime.datetime.now(datetime.UTC)
    return IndexSetForm(session, SetItem("set", None, members=(), bytes=0, modified=now))


def sampling(session: Session) -> SteeringPrompt:
    return SteeringPrompt(QPushButton(), QPushButton(), QPushButton(), MonitorChoice(session))


def condition(session: Session) -> QWidget:
    """With the feature, and the numbers it or a random direction must be above."""
    parent = QWidget()
    ConditionDialog(parent, session, None, print)
    return parent


def server(session: Session) -> QWidget:
    """With the port, in what owns the monitors that it lists."""
    parent = QWidget()
    panel = ServePanel(session, MonitorShelf(session, parent))
    panel.setParent(parent)
    return parent


def settings_dialog(session: Session) -> QWidget:
    preferences = Preferences(session, Settings(), lambda _settings: None)
    return SettingsDialog(None, session, preferences)  # type: ignore[arg-type]


FORMS: dict[str, Callable[[Session], QWidget]] = {
    "sampling": sampling,
    "sliders": rack,
    "text sets": TextSetsPanel,
    "captions": CaptionChangesPanel,
    "splitting": SplittingPanel,
    "asking a model": ask_model,
    "index": lambda session: IndexForm(session, "dict"),
    "evaluate": lambda session: EvaluateForm(session, "dict"),
    "import a dictionary": ImportDictionaryForm,
    "requests": QueueView,
    "sizing": lambda session: SizingDialog(session, SizeConfig(), None),
    "changing a graph": trial,
    "indexing a set": index_of_set,
    "settings": settings_dialog,
    "condition": condition,
    "scan": ScanForm,
    "monitor": MonitorForm,
    "mitigation": MitigationForm,
    "server": server,
    "monitors run": RunView,
    "comparison": CompareForm,
    "watch": WatchForm,
    "calibration of alerts": CalibrateForm,
    "benchmark": BenchmarkForm,
    "made data": lambda session: SyntheticForm(session, ()),
}


@pytest.fixture(params=LOCALES)
def locale(request: pytest.FixtureRequest, qapp: object) -> Iterator[QLocale]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield QLocale(request.param)
    QLocale.setDefault(before)


@pytest.mark.parametrize("name", FORMS)
def test_form__holds_what_is_typed(
    name: str, locale: QLocale, with_dictionaries: Session, qtbot: QtBot
) -> None:
    form = FORMS[name](with_dictionaries)
    qtbot.addWidget(form)
    hold_every_field(form, locale)


def test_every_file_with_a_field_for_numbers__is_walked(
    with_dictionaries: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_in: set[str] = set()
    whole = number_fields.NumberField.__init__

    def noting(self: Any, *args: Any, **named: Any) -> None:
        outside = (f.filename for f in inspect.stack() if f.filename != number_fields.__file__)
        made_in.update(Path(name).name for name in outside if Path(name).is_relative_to(GUI))
        whole(self, *args, **named)

    monkeypatch.setattr(number_fields.NumberField, "__init__", noting)
    for form in [*forms_without_a_session(), *(make(with_dictionaries) for make in FORMS.values())]:
        qtbot.addWidget(form)
    constructor = re.compile(r"\b(?:Count|Whole|Decimal|OptionalDecimal|Number)Field\(")
    having = {
        path.name
        for path in GUI.rglob("*.py")
        if constructor.search(path.read_text("utf-8")) and path.name != "number_fields.py"
    }
    assert having
    assert having - made_in == set()
