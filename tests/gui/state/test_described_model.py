"""What is known of the model of the open index, and what is offered where it reads pictures."""

from __future__ import annotations

from types import SimpleNamespace

from frame_client import FakeClient
from frame_harvest import model
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts.picture_strip import PictureStrip
from sae_desktop.gui.state.described_model import DescribedModel
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import DescribeModelConfig


def _open(session: Session, name: str, pictures: object = None) -> None:
    """Have an index of a model, with pictures or without."""
    index = SimpleNamespace(info=SimpleNamespace(model=name), pictures=pictures)
    session.index = index  # type: ignore[assignment]
    session.indexOpened.emit(index)


def _asked(client: FakeClient) -> list[str]:
    return [job.config.model for job in client.started(DescribeModelConfig)]


def test_model__is_asked_about_once_and_is_one_for_all(
    session: Session, client: FakeClient
) -> None:
    told = DescribedModel.of(session)
    assert DescribedModel.of(session) is told
    _open(session, "seeing")
    _open(session, "seeing")
    assert _asked(client) == ["seeing"]
    assert not told.reads_pictures, "it is not known"
    client.finish(client.last(DescribeModelConfig), model(reads="both"))
    assert told.reads_pictures
    _open(session, "builtin")
    assert _asked(client) == ["seeing"]
    assert (told.model, told.description, told.reads_pictures) == ("builtin", None, False)


def test_answer_about_the_model_before__is_let_go(session: Session, client: FakeClient) -> None:
    told = DescribedModel.of(session)
    _open(session, "seeing")
    late = client.last(DescribeModelConfig)
    _open(session, "reading")
    client.finish(late, model(reads="both"))
    assert not told.reads_pictures
    client.finish(client.last(DescribeModelConfig), model(reads="text"))
    assert told.description is not None
    assert not told.reads_pictures


def test_index_with_pictures__tells_before_the_engine_does(
    session: Session, client: FakeClient
) -> None:
    told = DescribedModel.of(session)
    _open(session, "seeing", pictures=[1])
    assert told.reads_pictures


def test_strip__is_there_where_pictures_are_read_or_held(
    session: Session, client: FakeClient, qtbot: QtBot
) -> None:
    strip = PictureStrip()
    qtbot.addWidget(strip)
    strip.follow(DescribedModel.of(session))
    assert strip.isHidden()
    _open(session, "seeing")
    client.finish(client.last(DescribeModelConfig), model(reads="both"))
    assert not strip.isHidden()
    strip.set_files(["a.png"])
    _open(session, "builtin")
    assert not strip.isHidden(), "what is held can be taken out"
    strip.removers[0].click()
    assert strip.isHidden()
    strip.add(["dropped.png"])
    assert not strip.isHidden()


def test_chip_that_is_looked_at__is_told_by_more_than_its_colour(qtbot: QtBot) -> None:
    strip = PictureStrip(looked_at=True)
    qtbot.addWidget(strip)
    strip.set_files(["a.png"])
    assert not strip.names[0].isCheckable(), "there is nothing to choose"
    strip.set_files(["a.png", "b.png", "c.png"])
    chosen: list[int] = []
    strip.shownChanged.connect(chosen.append)
    strip.names[1].click()
    assert chosen == [1]
    marks = [
        (name.isChecked(), name.property("chosen"), name.icon().isNull()) for name in strip.names
    ]
    assert marks == [(False, "false", True), (True, "true", False), (False, "false", True)]


def test_names__are_not_to_be_pressed_where_nothing_is_looked_at(qtbot: QtBot) -> None:
    strip = PictureStrip()
    qtbot.addWidget(strip)
    strip.set_files(["a.png", "b.png"])
    assert [name.isCheckable() for name in strip.names] == [False, False]
    assert [name.focusPolicy() for name in strip.names] == [Qt.FocusPolicy.NoFocus] * 2
    assert [name.toolTip() for name in strip.names] == ["a.png", "b.png"]
