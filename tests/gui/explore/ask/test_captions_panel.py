"""The panel of captions with concepts clamped: what is asked, who won, tables, and files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sae_desktop.benchmark.captions.config import (
    CAPTION_WAYS,
    CaptionChangesConfig,
    CaptionChangesResult,
    CaptionCounts,
    CaptionPair,
    CaptionRow,
    ChosenConcept,
    ConceptFeature,
    SettingTried,
    Share,
)
from sae_desktop.gui.explore.ask.captions import CaptionChangesPanel
from sae_desktop.gui.state.session import Session
from sae_desktop.words.captions_text import captions_csv, captions_markdown, verdict_text


def _share(count: int, of: int, low: float = 0.0, high: float = 1.0) -> Share:
    return Share(count=count, of=of, low=low, high=high)


def _counts(named: int, low: float, high: float) -> CaptionCounts:
    return CaptionCounts(
        changed=_share(15, 20), named=_share(named, 20, low, high), broken=_share(2, 20),
        log_probability=-1.25,
    )  # fmt: skip


NAMED = {"feature": (12, 0.39, 0.78), "random direction": (0, 0.0, 0.16),
         "other feature": (1, 0.01, 0.24), "difference of means": (5, 0.11, 0.47),
         "asked": (3, 0.05, 0.36)}  # fmt: skip
_WHERE = {way: None if way == "asked" else "pictures" for way in CAPTION_WAYS}
RESULT = CaptionChangesResult(
    index="i", prompt="English:", language="en", unit="maximum",
    concepts=[ChosenConcept(concept="horse", feature=7, words=0.95, drawings=0.9, other=9,
                            spoken=["horse", "pony"])],
    rows=[
        CaptionRow(concept="horse", way=way, where=_WHERE[way], strength=4.0,
                   counts=_counts(*NAMED[way]),
                   pairs=[CaptionPair(picture="1f408", plain="a | cat", changed=f"horse {way}")])
        for way in CAPTION_WAYS
    ],
    settings=[SettingTried(way=way, where=_WHERE[way], strength=4.0, counts=_counts(*NAMED[way]))
              for way in CAPTION_WAYS],
    ways=[SettingTried(way=way, where=_WHERE[way], strength=4.0, counts=_counts(*NAMED[way]))
          for way in CAPTION_WAYS],
    plain_broken=_share(1, 40), plain_log_probability=-0.5, seed=3,
    notes=["3 of 60 drawings are missing: 1f40e."],
)  # fmt: skip


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> CaptionChangesPanel:
    panel = CaptionChangesPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1000, 500)
    panel.show()
    return panel


def _told(panel: CaptionChangesPanel) -> list[list[str]]:
    model = panel.model
    return [[model.index(row, column).data() for column in range(model.columnCount())]
            for row in range(model.rowCount())]  # fmt: skip


def test_what_is_asked__is_what_the_fields_say(
    panel: CaptionChangesPanel, client, tmp_path: Path
) -> None:
    assert panel.intro.isVisible()
    assert not panel.table.isVisible()
    panel.drawings.setText(str(tmp_path))
    panel.prompt.setText("German:")
    panel.language.setCurrentIndex(1)
    panel.strengths.setText("1, 2.5")
    panel.concepts.setText("horse, red = 12,")
    panel.measure.click()
    config = client.jobs[-1].config
    assert isinstance(config, CaptionChangesConfig)
    assert config.drawings == (str(tmp_path),)
    assert (config.prompt, config.language) == ("German:", "de")
    assert (config.strengths, config.pictures) == ((1.0, 2.5), 20)
    assert config.concepts == ("horse",)
    assert config.features == (ConceptFeature(concept="red", feature=12),)
    assert not panel.measure.isEnabled()
    assert panel.stop.isVisible()
    client.fail(client.jobs[-1], "None of the 60 drawings is there.")
    assert "None of the 60 drawings" in panel.state.text()
    assert panel.measure.isEnabled()
    assert not panel.stop.isVisible()


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [("strengths", "2, x", "“x”"), ("concepts", "red=x", "red=x")],
)
def test_what_cannot_be_asked__is_said(
    panel: CaptionChangesPanel, session: Session, client, field: str, text: str, said: str
) -> None:
    panel.drawings.setText("drawings")
    getattr(panel, field).setText(text)
    errors: list[str] = []
    session.errorRaised.connect(lambda error: errors.append(str(error)))
    panel.measure.click()
    assert said in errors[-1]
    assert not [job for job in client.jobs if isinstance(job.config, CaptionChangesConfig)]


def test_who_won__is_said_above_the_tables(
    panel: CaptionChangesPanel, session: Session, client, tmp_path: Path
) -> None:
    panel.drawings.setText(str(tmp_path))
    panel.measure.click()
    result = msgspec.structs.replace(RESULT, index=session.index_name)
    client.answer(client.jobs[-1], result)

    assert not panel.intro.isVisible()
    assert "12 of 20 pictures (60%, 95% interval 39–78%)" in panel.verdict.text()
    assert "the difference of means, on 5 of 20" in panel.verdict.text()
    assert panel.verdict.text().endswith("so neither is clearly ahead.")
    assert "3 of 60 drawings are missing" in panel.state.text()
    told = _told(panel)
    assert told[0] == ["Feature", "the picture", "4", "60%", "75%", "10%", "−1.25"]
    assert told[-1][:4] == ["Prompt that asks for it", "–", "–", "15%"]
    index = panel.model.index(0, 3)
    assert "95% interval 39–78%" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert index.data(Qt.ItemDataRole.BackgroundRole) is not None
    assert panel.model.index(1, 3).data(Qt.ItemDataRole.BackgroundRole) is None
    panel.view.setCurrentIndex(1)
    assert _told(panel) == [["horse", "7", "0.95", "0.90", "60%", "0%", "5%", "25%", "15%"]]
    panel.table.open_row(0)
    assert session.feature == 7
    panel.view.setCurrentIndex(3)
    assert _told(panel)[0] == ["horse", "feature", "1f408", "a | cat", "horse feature"]


def test_the_verdict__follows_the_intervals() -> None:
    def with_ways(**named: tuple[int, float, float]) -> CaptionChangesResult:
        told = {**NAMED, **{way.replace("_", " "): share for way, share in named.items()}}
        ways = [SettingTried(way=way, where="all", strength=1.0, counts=_counts(*told[way]))
                for way in CAPTION_WAYS]  # fmt: skip
        return msgspec.structs.replace(RESULT, ways=ways)

    ahead = with_ways(feature=(18, 0.7, 0.97))
    assert verdict_text(ahead).endswith("the feature is ahead.")
    behind = with_ways(feature=(1, 0.01, 0.24), asked=(19, 0.76, 0.99))
    assert verdict_text(behind).endswith("the prompt that asks for it is ahead.")
    same = with_ways(feature=(5, 0.11, 0.47))
    assert verdict_text(same).endswith("neither is ahead.")
    assert "No picture was left" in verdict_text(msgspec.structs.replace(RESULT, ways=[]))


def test_files__hold_every_setting_and_every_table(
    panel: CaptionChangesPanel, session: Session, tmp_path: Path
) -> None:
    rows = list(csv.DictReader(io.StringIO(captions_csv(RESULT))))
    assert [row["way"] for row in rows] == list(CAPTION_WAYS)
    first = rows[0]
    assert (first["concept"], first["feature"], first["tokens"]) == ("horse", "7", "pictures")
    assert (first["named"], first["named_of"], first["named_low"]) == ("12", "20", "0.3900")
    assert first["log_probability"] == "-1.2500"
    assert rows[-1]["strength"] == ""
    told = captions_markdown(RESULT)
    assert "| horse | feature | 1f408 | a \\| cat | horse feature |" in told
    assert verdict_text(RESULT) in told
    panel._give({"result": msgspec.to_builtins(RESULT), "view": 2})
    assert panel.view.currentIndex() == 2
    panel.save(tmp_path / "c.md")
    assert (tmp_path / "c.md").read_text(encoding="utf-8") == told
    errors: list[str] = []
    session.errorRaised.connect(lambda error: errors.append(str(error)))
    panel.save(tmp_path / "c.txt")
    assert "ends neither in .csv nor in .md" in errors[-1]


def test_what_was_found__is_there_again(panel: CaptionChangesPanel, session: Session) -> None:
    panel._give({"result": msgspec.to_builtins(RESULT), "view": 1})
    kept = panel._kept()
    other = CaptionChangesPanel(session)
    other._give(kept)
    assert other.view.currentIndex() == 1
    assert other.verdict.text() == panel.verdict.text()
    other.deleteLater()
