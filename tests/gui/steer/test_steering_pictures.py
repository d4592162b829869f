"""Pictures before the prompt of the Steer workspace."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QUrl
from pytestqt.qtbot import QtBot

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.steering.config import SteerConfig


def test_a_picture_alone__is_a_prompt_and_its_tokens_can_be_steered(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client, tmp_path: Path
) -> None:
    session.steerRequested.emit(3)
    panel.form.prompt.setPlainText("")
    assert not panel.can_generate()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "horse.png"))])
    panel.form.prompt.insertFromMimeData(data)
    assert panel.can_generate()
    assert panel.form.examples.isHidden()
    where = panel.rack.form.where
    where.setCurrentIndex(where.findData("pictures"))
    panel.generate()
    config = client.jobs[-1].config
    assert isinstance(config, SteerConfig)
    assert (config.prompt, config.pictures) == ("", [str(tmp_path / "horse.png")])
    assert [act.where for act in config.variants[1].interventions] == ["pictures"]
    # Other pictures make another text.
    made = panel.made_with(config.variants[1])
    panel.form.strip.removers[0].click()
    assert panel.made_with(config.variants[1]) != made
    assert not panel.form.ready
