"""An index that is not finished, in the window: read early, said to be so, finished by a click."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import msgspec
import pytest
from index_session import FakeClient
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import JobOutput
from sae_desktop.features.config import FirstFeatures, IndexConfig
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.unfinished_bar import UnfinishedBar
from sae_desktop.gui.project.project_cards import cards
from sae_desktop.gui.state.session import Session
from sae_desktop.words.inventory import take_inventory
from sae_desktop.words.unfinished_text import FINISH, MAP_TO_COME

WHOLE = 1_000_000
_LATE = ("neighbours", "coactive", "neurons", "columns/nearest_cosine", "columns/map_x",
         "columns/map_y", "columns/cluster", "columns/neuron_correlation")  # fmt: skip


def unfinish(path: Path) -> IndexInfo:
    """Make of an index what it is after its first features."""
    info = read_info(path)
    config = IndexConfig(project="elsewhere", dictionary="old", name="old", first_rows=7)
    info = msgspec.structs.replace(
        info, whole_rows=WHOLE, config=msgspec.json.encode(config).decode()
    )
    with h5py.File(path, "r+") as file:
        file.attrs["info"] = msgspec.json.encode(info).decode()
        for name in _LATE:
            if name in file:
                del file[name]
    return info


@pytest.fixture
def first(session: Session) -> IndexInfo:
    assert session.project is not None
    session.close_index()
    info = unfinish(session.project.index_path("main"))
    session.inventory = take_inventory(session.project)
    return info


@pytest.fixture
def bar(qtbot: QtBot, session: Session, first: IndexInfo) -> Iterator[UnfinishedBar]:
    panel = ExplorePanel(session)
    shown(qtbot, "explore", panel)
    yield panel.unfinished
    assert session.index is None or session.index.path.stem == "main"


def test_bar__says_what_an_index_lacks_and_finishes_it(
    bar: UnfinishedBar, session: Session, client: FakeClient, first: IndexInfo
) -> None:
    assert bar.isHidden()
    assert session.open_index("main")
    assert bar.isVisible()
    assert f"{first.rows:,} of {WHOLE:,} rows" in bar.text
    bar.finish.click()
    config = client.jobs[-1].config
    assert isinstance(config, IndexConfig)
    assert config.project == session.project_path
    assert (config.name, config.dictionary) == ("main", first.dictionary)
    assert (config.activations, config.first_rows) == (first.activations, 7)
    assert bar.finish.isHidden()
    assert "being read now" in bar.text
    client.end_cancelled(client.jobs[-1])
    assert bar.finish.isVisible()
    assert "is not finished" in bar.text


def test_explore__reads_a_feature_without_what_is_to_come(
    qtbot: QtBot, session: Session, first: IndexInfo
) -> None:
    panel = ExplorePanel(session)
    shown(qtbot, "explore", panel)
    session.open_index("main")
    session.select_feature(0)
    assert " Lord" in panel.page.contexts.plain_text()
    assert panel.page.neighbours.links() == []
    assert panel.map.empty.text() == MAP_TO_COME
    assert session.index is not None
    assert session.index.firings() is None


def _streamed(client: FakeClient, session: Session) -> Job:
    config = IndexConfig(project=session.project_path, dictionary="d", name="main")
    job = client.start_job(config)
    told = FirstFeatures(name="main", features=8, rows=1_000, whole_rows=WHOLE)
    job.receive(JobOutput(job_id=job.id, data=told))
    return job


def test_first_features__are_opened_while_the_job_runs_and_the_whole_at_its_end(
    qtbot: QtBot, session: Session, client: FakeClient, first: IndexInfo, index_file: Path
) -> None:
    panel = ExplorePanel(session)
    shown(qtbot, "explore", panel)
    told: list[str] = []
    session.noticeRaised.connect(told.append)
    job = _streamed(client, session)
    assert session.index_name == "main"
    assert panel.unfinished.isVisible()
    assert told == [f"The first features of “main” can be read, from 1,000 of {WHOLE:,} rows."]
    session.select_feature(3)
    assert session.project is not None
    session.project.index_path("main").write_bytes(index_file.read_bytes())
    client.end_cancelled(job)  # any end has the files looked at
    assert panel.unfinished.isHidden()
    assert session.feature == 3
    assert panel.page.neighbours.links()


def test_card__offers_to_finish_unless_a_job_does(session: Session, first: IndexInfo) -> None:
    from datetime import datetime

    for written, offered in (frozenset(), True), (frozenset({("index", "main")}), False):
        (card,) = cards(session.inventory, datetime.now(), written=written)["Indexes"]
        assert ("finish_index" in card.actions) == offered
        assert bool(card.warning) == offered
    assert FINISH == "Finish the index"
