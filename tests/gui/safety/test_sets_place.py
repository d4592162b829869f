"""The Concept sets place: read, copied, written, brought as a file, grown, deleted, undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from frame_client import Heard
from pytestqt.qtbot import QtBot

from sae_desktop.gui.forms.grow_set_form import GrowSetForm
from sae_desktop.gui.forms.set_editor import SetEditor
from sae_desktop.gui.safety.sets_place import SetsPlace
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.safety.concept_set import own_sets, read_set

SIDES = (
    "The bridge fell into the river\nA ladder slid off the wall\nHer cup dropped to the floor\n"
    "Stones rolled down the hill\nThe kite came down in a field\n+ The kite landed in the reeds\n"
    "Rain ran down the pane",
    "A bridge stood over the stream\nThe ladder leaned on a tree\nHis cup was on the shelf\n"
    "Trees grew along the road\nA kite hung in the sky\nThe window was clean today",
)


@pytest.fixture
def place(session: Session, scanned: Project, qtbot: QtBot) -> Iterator[SetsPlace]:
    session.open_project(scanned.path)
    place = SetsPlace(session)
    qtbot.addWidget(place)
    place.resize(1200, 560)
    place.show()
    qtbot.waitUntil(lambda: bool(place.listed), timeout=30_000)
    yield place
    place.hide()


def write(editor: SetEditor, name: str) -> None:
    editor.name.setText(name)
    editor.boxes["positive", False].setPlainText(SIDES[0])
    editor.boxes["negative", False].setPlainText(SIDES[1])


def wait_for(place: SetsPlace, qtbot: QtBot, name: str) -> None:
    qtbot.waitUntil(lambda: place.chosen is not None and place.chosen.name == name, timeout=30_000)


def test_set__is_written_changed_deleted_and_each_step_undone(
    place: SetsPlace, session: Session, scanned: Project, qtbot: QtBot
) -> None:
    editor = place.make()
    assert editor is not None
    write(editor, "falling")
    qtbot.waitUntil(lambda: editor.save_button.isEnabled(), timeout=30_000)
    assert "7 positives from 4 templates to learn from and 2 templates held out" in (
        editor.told.text()
    )
    editor.save()
    wait_for(place, qtbot, "falling")
    found = read_set(scanned, "falling")
    kept = [found.texts[n].text for n in found.part(positive=True, held_out=True)]
    assert kept == ["Her cup dropped to the floor", "Rain ran down the pane"]
    assert "held out" in place.page.counts.text()
    place.page.part.setCurrentIndex(2)
    assert place.page.positives.plain_text() == "\n".join(kept)

    editor = place.edit()
    assert editor is not None
    box = editor.boxes["positive", True]
    assert box.toPlainText() == "\n".join(kept)
    box.setPlainText(f"{kept[0]}\n{SIDES[1].splitlines()[0]}")
    qtbot.waitUntil(lambda: "is a positive and a negative" in editor.told.text(), timeout=30_000)
    assert not editor.save_button.isEnabled()
    editor.reject()

    place.delete()
    assert own_sets(scanned) == {}
    session.undo_stack.undo()
    assert list(own_sets(scanned)) == ["falling"]
    session.undo_stack.undo()
    assert own_sets(scanned) == {}
    session.undo_stack.redo()
    assert read_set(scanned, "falling").digest == found.digest


def test_shipped_set__is_copied_with_its_templates_and_fillers(
    place: SetsPlace, scanned: Project, qtbot: QtBot
) -> None:
    names = [one.name for one in place.listed]
    place.table.choose(names.index("scams"))
    assert not place.page.edit_button.isVisible()
    assert place.page.counts.text().endswith("Looked for in “first”.")
    editor = place.copy()
    assert editor is not None
    assert "{{" in editor.boxes["positive", False].toPlainText()
    qtbot.waitUntil(lambda: editor.save_button.isEnabled(), timeout=30_000)
    editor.save()
    shipped, own = read_set(None, "scams"), read_set(scanned, "scams-2")
    assert own.digest == shipped.digest
    assert (own.group, own.ships) == ("own", False)


def test_file__is_taken_in_or_refused_with_the_reason(
    place: SetsPlace, scanned: Project, heard: Heard, qtbot: QtBot, tmp_path: Path
) -> None:
    table = tmp_path / "mine.csv"
    rows = [f"{line},{side}" for side, text in zip(("positive", "negative"), SIDES, strict=True)
            for line in text.splitlines()]  # fmt: skip
    table.write_text("\n".join(["text,side", *rows]), encoding="utf-8")
    place.bring(table)
    wait_for(place, qtbot, "mine")
    assert own_sets(scanned)["mine"].name == "mine.csv"
    place.bring(table)
    assert "already" in heard.errors[-1].what
    table.write_text("text,side\nalone,positive\n", encoding="utf-8")
    place.bring(table.rename(tmp_path / "one.csv"))
    assert "1 different positive text" in heard.errors[-1].what
    assert "one" not in own_sets(scanned)
    place.delete()
    assert own_sets(scanned) == {}


def test_text_found_elsewhere__is_checked_at_once_and_added_to_a_copy(
    place: SetsPlace, session: Session, scanned: Project, qtbot: QtBot
) -> None:
    known = read_set(None, "deception")
    negative = known.texts[known.part(positive=False, other=False)[0]].text
    form = GrowSetForm(session, negative, chosen="deception")
    form.present(place)
    qtbot.waitUntil(lambda: "is a positive and a negative" in form.told.text(), timeout=30_000)
    assert not form.add_button.isEnabled()
    form.text.setPlainText("He told the crew that the ship was sound, and knew it was not.")
    qtbot.waitUntil(lambda: form.add_button.isEnabled(), timeout=30_000)
    form.add()
    grown = read_set(scanned, "deception")
    assert len(grown.texts) == len(known.texts) + 1
    added = [text for text in grown.texts if text.text.startswith("He told the crew")]
    assert [(text.positive, text.held_out) for text in added] == [(True, False)]
    session.undo_stack.undo()
    assert own_sets(scanned) == {}
