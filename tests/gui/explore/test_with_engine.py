"""Explore and Steer with the real engine on a toy model: what the panels ask is answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot
from shown_panel import shown
from toy_index import make_toy_index

from sae_desktop.client.engine_client import EngineClient
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.parts.feature_menu import steer_with
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering import SteeringPanel

PATIENCE_MS = 240_000


@pytest.fixture
def real_session(qtbot: QtBot, tmp_path: Path, toy_model_folder: Path) -> Iterator[Session]:
    project = make_toy_index(tmp_path, toy_model_folder)
    client = EngineClient()
    session = Session(client)
    client.start()
    assert session.open_project(project.path)
    yield session
    session.close_project()
    client.shutdown()


def test_probe_and_steer__through_the_engine(qtbot: QtBot, real_session: Session) -> None:
    session = real_session
    assert session.index is not None
    loudest = int(session.index.columns["density"].argmax())
    explore, steering = ExplorePanel(session), SteeringPanel(session)
    for name, panel in (("explore", explore), ("steer", steering)):
        shown(qtbot, name, panel)
    session.select_feature(loudest)

    explore.places.show_place("text")
    explore.probe.text.setPlainText("In the beginning: 人")
    qtbot.waitUntil(lambda: bool(explore.probe.matrix.features()), timeout=PATIENCE_MS)
    assert explore.probe.tokens.plain_text() == "In the beginning: 人"

    steer_with(session, loudest)
    steering.form.prompt.setPlainText("In the")
    steering.rack.slider(loudest).slider.setValue(5.0)
    qtbot.waitUntil(
        lambda: any(row.plain != row.steered for row in steering.next_token.bars.rows()),
        timeout=PATIENCE_MS,
    )
    steering.form.tokens.setValue(6)
    steering.generate()
    qtbot.waitUntil(lambda: not steering.running, timeout=PATIENCE_MS)
    assert steering.outputs.plain.continuation
    assert steering.outputs.steered.continuation != steering.outputs.plain.continuation
    assert steering.outputs.plain.view.toPlainText().startswith("In the")
