"""Where something is saved, and what the name ends in."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.state.save_file import ask_file

_KINDS = "Table (*.csv);;All of it (*.json);;A folder of batches (*)"


@pytest.mark.parametrize(
    ("typed", "kind", "saved"),
    [
        ("a", "All of it (*.json)", "a.json"),
        ("a", "", "a.csv"),  # some systems do not tell which kind was chosen
        ("a.json", "Table (*.csv)", "a.json"),
        ("a.CSV", "Table (*.csv)", "a.CSV"),
        ("layer 1.5", "Table (*.csv)", "layer 1.5.csv"),
        ("v1.2 of all", "All of it (*.json)", "v1.2 of all.json"),
        ("a", "A folder of batches (*)", "a"),
    ],
)
def test_name__ends_as_the_chosen_kind_does(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, kind: str, saved: str
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / typed), kind))
    chosen = ask_file(parent, "Save", tmp_path, _KINDS)
    assert chosen is not None
    assert chosen.path == tmp_path / saved
    assert chosen.kind == (kind or "Table (*.csv)")


def test_nothing_chosen__is_none(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    assert ask_file(parent, "Save", "a.csv", _KINDS) is None


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_file_under_the_name_with_its_ending__is_replaced_only_where_that_is_wanted(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    parent, asked = QWidget(), []
    qtbot.addWidget(parent)
    (tmp_path / "a.csv").write_text("old")

    def question(*given: object) -> QMessageBox.StandardButton:
        asked.append(given[2])
        return QMessageBox.StandardButton[answer]

    monkeypatch.setattr(QMessageBox, "question", question)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "a"), ""))
    chosen = ask_file(parent, "Save", tmp_path, _KINDS)
    assert asked == ["“a.csv” is there already. Replace it?"]
    assert (None if chosen is None else chosen.path) == (
        tmp_path / "a.csv" if answer == "Yes" else None
    )
