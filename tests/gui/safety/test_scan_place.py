"""The Scan place: what is asked for, how far it is, and what a scan shows and leads to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from frame_client import FakeClient, Heard
from made_scan import save_scan, three_sets
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import JobCancelled
from sae_desktop.gui.forms.grow_set_form import GrowSetForm
from sae_desktop.gui.safety.area_delegate import AREA_ROLE
from sae_desktop.gui.safety.cell_table import CellTable
from sae_desktop.gui.safety.scan_place import ScanPlace
from sae_desktop.gui.state.monitor_draft import MonitorDraft
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.safety.scan.config import ScanConfig
from sae_desktop.words.inventory import IndexItem


@pytest.fixture
def place(session: Session, scanned: Project, qtbot: QtBot) -> Iterator[ScanPlace]:
    session.open_project(scanned.path)
    place = ScanPlace(session)
    qtbot.addWidget(place)
    place.resize(1200, 560)
    place.show()
    yield place
    place.hide()


def add_index(session: Session, digest: str = "") -> None:
    """Have the session hold that there is an index."""
    item = IndexItem("i", "d", digest, "builtin", 16, 100, 4096, datetime(2026, 1, 1))
    session.inventory = replace(session.inventory, indexes=[item])
    session.contentsChanged.emit()


def column(table: CellTable, number: int) -> list[str]:
    model = table.cells
    return [model.data(model.index(row, number)) for row in range(model.rowCount())]


def test_scan__shows_every_set_with_all_ways_and_who_is_ahead(place: ScanPlace) -> None:
    result = place.result
    assert result.headline.text().startswith("The cheap rival wins in the mean over 3 sets")
    assert "2 of 6 features separate their set" in result.correction.text()
    assert column(result.sets, 0) == ["Deception", "Scams", "Bias"]
    assert column(result.sets, 5) == [".95", ".71", ".80"]
    assert column(result.sets, 7) == ["the rival", "the dictionary", "not clear"]
    area = result.sets.cells.data(result.sets.cells.index(0, 5), AREA_ROLE)
    assert (area.area, area.low) == (0.95, pytest.approx(0.80))
    assert result.set is not None
    assert result.set.set == "scams"  # of which the dictionary tells most
    result.sets.choose(0)
    assert "the cheap rival is ahead" in result.about_set.text()
    assert "have changed since" in result.about_set.text()  # the scan is of no such texts
    result.sets.sortByColumn(5, Qt.SortOrder.AscendingOrder)
    assert column(result.sets, 5) == [".71", ".80", ".95"]
    assert result.set.set == "deception"  # sorting chooses no other


def test_features__say_whether_they_act_and_lead_to_a_monitor(
    place: ScanPlace, session: Session, scanned: Project, heard: Heard
) -> None:
    result = place.result
    assert column(result.features, 6) == ["acts", "only reads"]
    assert not result.feature.open_button.isEnabled()
    assert "no longer in the project" in result.feature.acts.text()
    drafts: list[MonitorDraft] = []
    session.monitorRequested.connect(drafts.append)
    result.ask_monitor()
    assert not drafts
    add_index(session)
    assert result.feature.open_button.isEnabled()
    result.features.choose(1)
    assert "It reads but does not act" in result.feature.acts.text()
    assert "a river bank in spring" in result.feature.texts.plain_text()
    result.feature.monitor_button.click()
    assert drafts == [MonitorDraft("i", (7,), "scams")]
    assert heard.workspaces[-1] == "safety.monitors"


def test_index_of_another_dictionary__is_not_opened(
    place: ScanPlace, session: Session, scanned: Project
) -> None:
    save_scan(scanned, "first", three_sets(), dictionary="one")
    place.open("first")
    add_index(session, digest="two")
    assert not place.result.feature.steer_button.isEnabled()
    assert "another dictionary by now" in place.result.feature.acts.text()


def test_form__asks_for_what_is_checked_and_the_scan_is_followed(
    place: ScanPlace, session: Session, scanned: Project, client: FakeClient, heard: Heard
) -> None:
    assert not place.new_button.isEnabled()
    add_index(session)
    form = place.start(("scams",))
    assert form is not None
    assert form.sets.checked() == ["scams"]
    assert "At the pace of the last scan" in form.estimate.text()
    form.indexes.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    assert not form._start.isEnabled()
    form.indexes.topLevelItem(0).setCheckState(0, Qt.CheckState.Checked)
    form.rare["tested"].setValue(0)
    form.accept()
    job = client.last(ScanConfig)
    config = job.config
    assert (config.name, config.sets, config.indexes, config.tested) == (
        "scan",
        ("scams",),
        ("i",),
        0,
    )
    client.run(job)
    client.progress(job, 1, 4)
    assert place.running.isVisible()
    assert place.bar.value() == 250
    assert place.told.text().startswith("“scan”: 1 of 4 sets")
    place.cancel()
    kept = scanned.path / "scans" / ".scan.kept"
    kept.mkdir()
    (kept / "0.npz").write_bytes(b"")
    assert place.told.text() == "Cancelling…"
    job.receive(JobCancelled(job_id=job.id))
    assert "1 finished set is kept" in place.told.text()
    assert not place.cancel_button.isVisible()
    add_index(session)  # the folder was read again, and has none
    again = place.start()
    assert again is not None
    assert "has kept 1 finished set" in again.estimate.text()
    assert again.config() == config  # what was asked for need not be chosen once more
    again.reject()
    place.resume_button.click()
    resumed = client.last(ScanConfig)
    assert resumed is not job
    assert resumed.config == config
    assert place.stop_button.isVisible()
    assert not place.resume_button.isVisible()


def test_form__fits_a_small_screen_with_all_its_settings(
    place: ScanPlace, session: Session, qtbot: QtBot
) -> None:
    add_index(session)
    form = place.start()
    assert form is not None
    form.more.click()
    qtbot.waitUntil(lambda: form.rare["seed"].isVisible())
    assert form.layout().totalHeightForWidth(form.width()) <= 680
    form.reject()


def test_text_of_a_feature__is_offered_to_a_concept_set(place: ScanPlace) -> None:
    place.result.feature.texts.textKept.emit("a river bank in spring")
    (form,) = place.findChildren(GrowSetForm)
    assert form.text.toPlainText() == "a river bank in spring"
    form.reject()


def test_page__is_saved_and_shown_and_the_scan_deleted_and_restored(
    place: ScanPlace, session: Session, scanned: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scanned.path / "page.html"
    shown: list[QUrl] = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), ""))
    monkeypatch.setattr(QDesktopServices, "openUrl", shown.append)
    place.page_button.click()
    assert "#3 banks" in path.read_text(encoding="utf-8")
    assert shown == [QUrl.fromLocalFile(str(path))]
    place.delete()
    session.look_again()
    assert scanned.scans() == []
    assert place.chooser.count() == 0
    assert place.lacking.isVisible()
    session.undo_stack.undo()
    session.look_again()
    assert scanned.scans() == ["first"]
    assert place.result.isVisible()
