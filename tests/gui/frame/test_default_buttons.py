"""Return in a dialog: it starts what the dialog is for, and never destroys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from frame_client import FakeClient
from frame_project import add_run, add_store
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.exchange.merging import Comparison
from sae_desktop.features.config import IndexConfig
from sae_desktop.gui.explore.page.label_history import LabelHistory
from sae_desktop.gui.explore.picture_dialog import PictureDialog
from sae_desktop.gui.forms.grow_set_form import GrowSetForm
from sae_desktop.gui.forms.job_forms import EvaluateForm, ImportForm, IndexForm, JobForm
from sae_desktop.gui.forms.merge_notes import MergeDialog
from sae_desktop.gui.forms.set_editor import SetEditor
from sae_desktop.gui.forms.sizing_dialog import SizingDialog
from sae_desktop.gui.frame.crash_reports import CrashReportsDialog
from sae_desktop.gui.frame.leaving import LeavingDialog
from sae_desktop.gui.frame.log_dialog import LogDialog
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.manual.made_pages import MadePages
from sae_desktop.gui.frame.manual.manual_window import ManualWindow
from sae_desktop.gui.frame.plugins_dialog import PluginsDialog
from sae_desktop.gui.frame.preferences import Preferences
from sae_desktop.gui.frame.settings_dialog import SettingsDialog
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.glossary_dialog import GlossaryDialog
from sae_desktop.gui.parts.lit_drawing import LitPicture
from sae_desktop.gui.parts.picture_gallery import ShownPicture
from sae_desktop.gui.parts.said import Messages, MessagesDialog
from sae_desktop.gui.parts.toasts import DetailsDialog
from sae_desktop.gui.project.notes_copies import NotesCopiesDialog
from sae_desktop.gui.project.project import ProjectPanel
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.gui.steer.condition_dialog import ConditionDialog
from sae_desktop.gui.steer.direction_menu import DecoderRowDialog, IndexFeatureDialog, TextsDialog
from sae_desktop.gui.steer.preset_name import PresetNameDialog
from sae_desktop.pictures.places import PictureLayout, Tile
from sae_desktop.project import Project
from sae_desktop.sizing.config import SizeConfig

Make = Callable[[Session, QWidget], QDialog]


def _history(session: Session, parent: QWidget) -> LabelHistory:
    FeatureNotes.of(session)
    return LabelHistory(session, 1, parent)


def _picture(session: Session, parent: QWidget) -> PictureDialog:
    layout = PictureLayout(2, 2, [Tile(1, 1, 0, 0, 2, 2)])
    shown = ShownPicture(LitPicture(QImage(), layout, np.ones(1, np.float32)), "a.png")
    return PictureDialog(session, [shown], 0, ColourScale(1.0), parent)


DIALOGS: dict[type[QDialog], tuple[Make, str]] = {
    IndexForm: (lambda session, _: IndexForm(session, "done"), "Build the index"),
    EvaluateForm: (lambda session, _: EvaluateForm(session, "done"), "Evaluate"),
    ImportForm: (lambda session, _: ImportForm(session, Path("a.npy")), "Import"),
    TextsDialog: (lambda _, parent: TextsDialog(parent), "Add"),
    DecoderRowDialog: (lambda _, parent: DecoderRowDialog(["d"], parent), "Add"),
    IndexFeatureDialog: (lambda _, parent: IndexFeatureDialog(["i"], parent), "Add"),
    PresetNameDialog: (
        lambda _, parent: PresetNameDialog(parent, "Save", "Save", [], print, name="a"),
        "Save",
    ),
    DetailsDialog: (lambda _, parent: DetailsDialog(ErrorInfo(what="x"), parent), "Close"),
    MessagesDialog: (lambda session, parent: MessagesDialog(Messages(session), parent), "Close"),
    GlossaryDialog: (lambda _, parent: GlossaryDialog(parent), "Close"),
    NotesCopiesDialog: (lambda session, parent: NotesCopiesDialog(session, parent), "Close"),
    PluginsDialog: (lambda session, parent: PluginsDialog(parent, session), "Close"),
    CrashReportsDialog: (
        lambda session, parent: CrashReportsDialog(
            parent, session, Preferences(session, Settings(), lambda _settings: None)
        ),
        "Close",
    ),
    LogDialog: (lambda _, parent: LogDialog(parent), "Close"),
    SettingsDialog: (
        lambda session, parent: SettingsDialog(
            parent, session, Preferences(session, Settings(), lambda _settings: None)
        ),
        "Close",
    ),
    LabelHistory: (_history, "Close"),
    PictureDialog: (_picture, "Close"),
    MergeDialog: (
        lambda session, parent: MergeDialog(
            session, Path("a.sqlite"), Comparison(new=[], same=0, conflicts=[]), parent
        ),
        "Merge the notes",
    ),
    LeavingDialog: (
        lambda _, parent: LeavingDialog([], parent, keep=lambda: None, stop=lambda: None),
        "Stay",
    ),
    SetEditor: (lambda session, _: SetEditor(session), "Save the set"),
    GrowSetForm: (lambda session, _: GrowSetForm(session, "a text"), "Add the text"),
    ManualWindow: (lambda _, parent: ManualWindow(MadePages(parent)), ""),
    SizingDialog: (lambda session, _: SizingDialog(session, SizeConfig(), None), ""),
    ConditionDialog: (
        lambda session, parent: ConditionDialog(parent, session, None, print), "Use it",
    ),
}  # fmt: skip
"""What Return does in each dialog."""


@pytest.fixture
def filled(session: Session, project: Project) -> Session:
    add_store(project, "acts", rows=4_000, wanted=4_000)
    add_run(project, "done")
    session.open_project(project.path)
    return session


def default_of(dialog: QDialog) -> str:
    return " ".join(
        button.text().replace("&", "")
        for button in dialog.findChildren(QPushButton)
        if button.isDefault()
    )


@pytest.mark.parametrize("kind", DIALOGS, ids=lambda kind: kind.__name__)
def test_return__does_what_is_meant(kind: type[QDialog], filled: Session, qtbot: QtBot) -> None:
    make, wanted = DIALOGS[kind]
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = make(filled, parent)
    qtbot.addWidget(dialog)
    dialog.show()
    for field in dialog.findChildren(QLineEdit):
        field.setFocus()
        assert default_of(dialog) == wanted
    assert default_of(dialog) == wanted


def test_every_dialog_of_the_window__is_looked_at() -> None:
    def below(kind: type) -> set[type]:
        return {kind}.union(*(below(sub) for sub in kind.__subclasses__()))

    import sae_desktop.gui.forms.exchange_forms  # noqa: F401

    own = {
        kind
        for kind in below(QDialog)
        if kind.__module__.startswith("sae_desktop.gui") and not kind.__name__.startswith("_")
    }
    # What its forms have in common is set where JobForm is made.
    assert {k for k in own if not issubclass(k, JobForm)} == set(DIALOGS) - JOB_FORMS


JOB_FORMS: set[type[QDialog]] = {IndexForm, EvaluateForm, ImportForm}


def test_return__in_a_form_starts_the_job(
    filled: Session, client: FakeClient, qtbot: QtBot
) -> None:
    form = IndexForm(filled, "done")
    qtbot.addWidget(form)
    form.show()
    form.name.setFocus()
    QTest.keyClick(form.name, Qt.Key.Key_Return)
    assert client.last(IndexConfig).config.name == "done"
    assert not form.isVisible()


def test_form__cannot_start_without_the_engine_and_offers_it(
    filled: Session, client: FakeClient, qtbot: QtBot
) -> None:
    client.crash("The engine was killed.")
    form = IndexForm(filled, "done")
    qtbot.addWidget(form)
    form.show()
    start = next(b for b in form.findChildren(QPushButton) if b.text() == "Build the index")
    offer = next(b for b in form.findChildren(QPushButton) if b.text() == "Start the engine")
    assert not start.isEnabled()
    assert offer.isVisible()
    offer.click()
    assert start.isEnabled()
    assert not offer.isVisible()


def test_return__does_not_delete(
    window: MainWindow, filled: Session, project: Project, qtbot: QtBot
) -> None:
    window.workspace("project")
    panel = window.findChild(ProjectPanel)
    assert panel is not None
    panel.card_actions.do("dictionary", "done", "delete")
    box = window.findChild(QMessageBox)
    assert box is not None
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert not box.isVisible()
    assert project.dictionary_path("done").is_dir()
