"""How a feature splits, as a tree; and the nearest features of other dictionaries on its page."""

from __future__ import annotations

import msgspec
import pytest
from other_dictionary import add_dictionaries, add_match, look_again
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTreeWidgetItem
from pytestqt.qtbot import QtBot

from sae_desktop.comparison.config import MatchConfig
from sae_desktop.gui.explore.context_delegate import CONTEXT_ROLE
from sae_desktop.gui.explore.map.splitting import SplittingPanel
from sae_desktop.gui.explore.other_dictionaries import OtherDictionaries
from sae_desktop.gui.explore.page.feature_page import FeaturePage
from sae_desktop.gui.state.session import Session
from sae_desktop.project_notes import FeatureNote


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> SplittingPanel:
    panel = SplittingPanel(session)
    qtbot.addWidget(panel)
    panel.resize(700, 300)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


@pytest.fixture
def matched(session: Session) -> Session:
    add_dictionaries(session.project)
    add_match(session.project)
    look_again(session)
    return session


def items(panel: SplittingPanel) -> list[QTreeWidgetItem]:
    found: list[QTreeWidgetItem] = []

    def walk(item: QTreeWidgetItem) -> None:
        for number in range(item.childCount()):
            found.append(item.child(number))
            walk(item.child(number))

    walk(panel.tree.invisibleRootItem())
    return found


def test_alone__says_that_another_dictionary_is_needed(
    panel: SplittingPanel, session: Session
) -> None:
    assert panel.state.text() == "Open a feature to see how it splits."
    session.select_feature(3)
    assert "no other dictionary" in panel.state.text()
    assert panel.match.isHidden()
    assert panel.tree.isHidden()


def test_unmatched__is_matched_by_the_button(
    panel: SplittingPanel, session: Session, client
) -> None:
    add_dictionaries(session.project)
    look_again(session)
    session.select_feature(3)
    assert panel.state.text() == "Not matched yet: this dictionary with “large”."
    panel.match.click()
    assert client.jobs[-1].config == MatchConfig(
        project=session.project_path, dictionaries=("dict", "large")
    )
    add_match(session.project)
    look_again(session)
    assert panel.match.isHidden()
    assert len(items(panel)) == 3


def test_tree__shows_parts_with_cosine_density_and_context(
    panel: SplittingPanel, matched: Session
) -> None:
    matched.notes.save("large", FeatureNote(feature=64, label="of other books"))
    matched.select_feature(0)
    root, first, second = items(panel)
    assert [i.text(0) for i in (root, first, second)] == [
        "dict  #0", "large  #0", "large  #64 of other books",
    ]  # fmt: skip
    assert [i.text(1) for i in (root, first, second)] == ["", "0.90", "0.58"]
    assert root.font(0).bold()
    assert not first.font(0).bold()
    context, scale = root.data(3, CONTEXT_ROLE)
    assert context.tokens[context.peak] == " Lord"
    assert scale.maximum == pytest.approx(float(matched.index.columns["max_activation"][0]))
    assert "1 in “dict” → 2 in “large”" in panel.state.text()
    panel.grab()  # is painted


def test_least_cosine__leaves_out_what_is_farther(panel: SplittingPanel, matched: Session) -> None:
    matched.select_feature(0)
    panel.least.setValue(0.6)
    assert [i.text(0) for i in items(panel)] == ["dict  #0", "large  #0"]
    panel.least.setValue(0.95)
    assert [i.text(0) for i in items(panel)] == ["dict  #0"]


def test_part__is_opened_in_its_own_index(
    qtbot: QtBot, panel: SplittingPanel, matched: Session
) -> None:
    matched.select_feature(0)
    panel.tree.setCurrentItem(items(panel)[2])
    panel.tree.setFocus()
    QTest.keyClick(panel.tree, Qt.Key.Key_Return)
    assert (matched.index_name, matched.feature) == ("large-index", 64)
    # Its family is the same tree, another feature of it in bold.
    assert [i.text(0) for i in items(panel)] == ["dict  #0", "large  #0", "large  #64"]
    assert [i.font(0).bold() for i in items(panel)] == [False, False, True]
    matched.go_back()
    assert (matched.index_name, matched.feature) == ("main", 0)


def test_part__without_an_index_says_so(panel: SplittingPanel, matched: Session, heard) -> None:
    matched.project.index_path("large-index").unlink()
    look_again(matched)
    matched.select_feature(0)
    assert items(panel)[1].text(3) == "This dictionary has no index"
    panel.tree.itemActivated.emit(items(panel)[1], 0)
    assert "“large” has no index" in heard.errors[-1].what
    assert matched.index_name == "main"


def test_dictionary_trained_again__is_said(panel: SplittingPanel, matched: Session) -> None:
    add_match(matched.project, "of before")
    info = msgspec.structs.replace(matched.index.info, dictionary_hash="of now")
    matched.index.info = info
    look_again(matched)
    matched.select_feature(0)
    assert "has been trained again since it was matched" in panel.state.text()
    assert not panel.match.isHidden()


def test_hidden_panel__does_nothing_until_it_is_seen(
    panel: SplittingPanel, matched: Session
) -> None:
    panel.hide()
    matched.select_feature(5)
    assert not items(panel)
    panel.show()
    assert items(panel)[0].text(0) == "dict  #5"


def test_page__lists_the_nearest_of_other_dictionaries(qtbot: QtBot, matched: Session) -> None:
    page = FeaturePage(matched)
    qtbot.addWidget(page)
    page.show()
    matched.select_feature(2)
    ((name, links),) = page.elsewhere._parts
    assert name.text() == "large"
    assert [(x.text(), x.row.figure) for x in links.links()] == [("#2", "0.890"), ("#66", "0.570")]
    links.links()[1].click()
    assert (matched.index_name, matched.feature) == ("large-index", 66)
    assert [x.text() for x in page.elsewhere._parts[0][1].links()] == ["#2"]
    with qtbot.waitSignal(page.splittingRequested):
        page.splitting.click()


def test_page__says_that_nothing_is_matched(qtbot: QtBot, session: Session) -> None:
    page = FeaturePage(session)
    qtbot.addWidget(page)
    session.select_feature(2)
    assert page.elsewhere.none.text() == "The project has no other dictionary for this site."
    add_dictionaries(session.project)
    look_again(session)
    assert page.elsewhere.none.text() == "Not matched with another dictionary for this site yet."
    assert OtherDictionaries.of(session).unmatched() == ["large"]
