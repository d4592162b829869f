"""What a store holds, shown while a harvest fills it and after; verifying and extending it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from frame_client import FakeClient, Heard
from frame_harvest import harvest_result, model, site_figures, store_description
from frame_project import SITE, add_run, add_store
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import (
    DescribeStoreConfig,
    HarvestConfig,
    VerifyResult,
    VerifyStoreConfig,
)
from sae_desktop.engine.protocol import JobMetrics
from sae_desktop.gui.harvest import store_watch
from sae_desktop.gui.harvest.harvest import SET_UP, STORE, HarvestPanel
from sae_desktop.gui.harvest.store_view import StoreView
from sae_desktop.gui.project.card_grid import CardWidget
from sae_desktop.gui.project.project import ProjectPanel
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.project import Project

OTHER = "blocks.1.hook_mlp_out"


@pytest.fixture
def view(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> Iterator[StoreView]:
    """The view of the stores “acts” and “more”; “more” is the newer one."""
    add_store(project, "acts", rows=4_000, wanted=4_000)
    add_store(project, "more", rows=400, wanted=4_000, more_sites=(OTHER,))
    session.open_project(project.path)
    view = StoreView(session)
    qtbot.addWidget(view)
    view.resize(1100, 520)
    view.show()
    first = client.last(DescribeStoreConfig)
    client.finish(first, store_description(first.config.name, [SITE]))  # type: ignore[union-attr]
    yield view
    view.hide()


def answer(client: FakeClient, name: str, *sites: str) -> None:
    client.finish(client.last(DescribeStoreConfig), store_description(name, list(sites)))


def open_questions(client: FakeClient) -> list[str]:
    jobs = client.started(DescribeStoreConfig)
    return [job.config.name for job in jobs if not job.ended]  # type: ignore[union-attr]


def begin(client: FakeClient, session: Session, name: str) -> HarvestConfig:
    config = HarvestConfig(project=session.project_path, name=name, site=SITE, tokens=4_000)
    session.run(config)
    client.run(client.last(HarvestConfig))
    return config


# ---------------------------------------------------------------------- a store of the project
def test_view__shows_the_store_that_is_chosen(view: StoreView, client: FakeClient) -> None:
    view.show_store("acts")
    answer(client, "acts", SITE)
    assert view.name == "acts"
    assert view._summary.text().startswith("1,012 of 4,000 rows")
    assert "10 are (mean norm 3,000)" in view.norms.text.text()
    assert view.norms.massive_bars() == 1
    assert view.outliers.text() == "dimension 7\t25.0% · mean −3.5"
    assert view.tokens.text().splitlines()[0] == "·the\t506 · 50.0%"
    assert view.lengths.text().splitlines() == ["1–8\t100 · 9.9%", "9–128\t912 · 90.1%"]
    assert view.languages.text() == "English\t1.01k · 100.0%"


def test_view__shows_each_site_by_itself(view: StoreView, client: FakeClient) -> None:
    view.show_store("more")
    quiet = site_figures(OTHER, massive_rows=0, massive_first_rows=0, outliers=[])
    described = store_description("more", [SITE], sites=[site_figures(SITE), quiet])
    client.finish(client.last(DescribeStoreConfig), described)
    assert [view.site.itemText(n) for n in range(2)] == [
        "Layer 1: residual stream after",
        "Layer 1: MLP output",
    ]
    view.site.setCurrentIndex(1)
    assert view.norms.text.text() == "Median norm 20. No row is over 10× that."
    assert view.outliers.text() == ""


def test_view__copes_with_a_store_that_says_little(view: StoreView, client: FakeClient) -> None:
    view.show_store("acts")
    bare = store_description(
        "acts",
        [],
        rows=0,
        rows_wanted=0,
        windows=0,
        documents=0,
        dtype="",
        sites=[site_figures(SITE, norm_edges=[], norm_counts=[], outliers=[], scalar=None)],
        tokens=[],
        window_lengths=[],
        languages=[],
    )
    client.finish(client.last(DescribeStoreConfig), bare)
    assert view._summary.text() == "0 rows · 0 windows · 0 documents · 64 kB"
    assert view.norms.text.text() == ""
    assert view._storage.text() == "Rounding costs under 0.001% of the variance."
    assert view.outliers._empty == "Appears with the first rows."
    assert not view.grab().isNull()


def test_view__an_answer_about_another_store_is_dropped(
    view: StoreView, client: FakeClient
) -> None:
    view.show_store("acts")
    late = client.last(DescribeStoreConfig)
    view.show_store("more")
    client.finish(late, store_description("acts", [SITE]))
    assert view.description is None
    assert open_questions(client) == ["more"]
    answer(client, "more", SITE)
    assert view.description is not None
    assert view.description.name == "more"


def test_view__says_why_a_store_cannot_be_described(view: StoreView, client: FakeClient) -> None:
    view.show_store("acts")
    client.fail(client.last(DescribeStoreConfig), "The store is damaged.")
    assert view._summary.text() == "The store is damaged."
    assert view._summary.property("role") == "error"


def test_view__asks_nothing_while_nobody_looks(
    view: StoreView, client: FakeClient, session: Session
) -> None:
    view.hide()
    before = len(client.started(DescribeStoreConfig))
    view.watch.ask()
    session.look_again()
    assert len(client.started(DescribeStoreConfig)) == before


def test_view__without_a_store_has_one_sentence_and_one_button(
    session: Session, project: Project, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    view = StoreView(session)
    qtbot.addWidget(view)
    assert view.currentIndex() == 0
    with qtbot.waitSignal(view.setUpWanted):
        view._empty.button.click()


# ---------------------------------------------------------------------- while a harvest runs
def test_view__follows_a_running_harvest_and_never_asks_twice_at_once(
    view: StoreView,
    client: FakeClient,
    session: Session,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view.watch._timer.setInterval(20)
    begin(client, session, "live")
    assert view.name == "live"
    assert open_questions(client) == ["live"]
    qtbot.wait(100)
    assert open_questions(client) == ["live"]
    # There is no store yet: nothing is said, and it is asked again.
    client.fail(client.last(DescribeStoreConfig), "There is no store “live”.")
    assert view._summary.text() == ""
    qtbot.waitUntil(lambda: open_questions(client) == ["live"], timeout=2_000)
    answer(client, "live", SITE)
    assert view._summary.text().startswith("1,012 of 4,000 rows")


def test_view__asks_once_more_when_the_harvest_has_ended(
    view: StoreView, client: FakeClient, session: Session
) -> None:
    begin(client, session, "more")
    assert view.name == "more"
    asked = client.last(DescribeStoreConfig)
    client.finish(client.last(HarvestConfig), harvest_result("more", rows=4_000))
    assert not view.watch._timer.isActive()
    client.finish(asked, store_description("more", [SITE]))
    # The answer may be from before the last rows.
    assert open_questions(client) == ["more"]
    client.finish(client.last(DescribeStoreConfig), store_description("more", [SITE], rows=4_000))
    assert view._summary.text().startswith("4,000 rows")
    assert open_questions(client) == []


def test_view__draws_the_throughput_of_the_running_harvest(
    view: StoreView, client: FakeClient, session: Session
) -> None:
    begin(client, session, "live")
    assert not view.throughput.isVisible()
    points = [{"tokens_per_second": 2_000.0 + n, "waited_share": 0.05} for n in range(5)]
    job = client.last(HarvestConfig)
    steps = [n * 100 for n in range(1, 6)]
    job.receive(JobMetrics(job_id=job.id, steps=steps, values=points))
    assert view.throughput.isVisible()
    x, y = view.throughput._run.items["rows_per_second"].getData()
    assert list(x) == steps
    assert list(y) == [2_000.0, 2_001.0, 2_002.0, 2_003.0, 2_004.0]
    assert view.throughput.curve.readout.text() == "2k · waited 5%"
    # It belongs to that store alone.
    view.show_store("acts")
    assert not view.throughput.isVisible()
    view.show_store("live")
    assert view.throughput.isVisible()


def test_view__what_grows_is_read_anew_only_when_no_harvest_fills_it(
    view: StoreView, client: FakeClient, session: Session, project: Project
) -> None:
    view.show_store("acts")
    answer(client, "acts", SITE)
    session.look_again()
    assert open_questions(client) == []
    shutil.rmtree(project.store_path("acts"))
    add_store(project, "acts", rows=4_001, wanted=4_001)
    session.look_again()
    assert open_questions(client) == ["acts"]
    answer(client, "acts", SITE)
    begin(client, session, "acts")
    answer(client, "acts", SITE)
    shutil.rmtree(project.store_path("acts"))
    add_store(project, "acts", rows=4_002, wanted=4_002)
    session.look_again()
    assert open_questions(client) == []


def test_watch__is_slow_enough_not_to_disturb_the_harvest() -> None:
    assert store_watch.ASK_MS >= 2_000


# ---------------------------------------------------------------------- verify and extend
def test_verify__says_that_all_is_as_written(
    view: StoreView, client: FakeClient, heard: Heard
) -> None:
    view.show_store("acts")
    view.verify_button.click()
    job = client.last(VerifyStoreConfig)
    client.finish(job, VerifyResult(name="acts", blocks=512, bytes=614_000_000, damaged=[]))
    assert heard.notices == ["“acts”, 512 blocks, 614 MB: all intact."]


def test_verify__names_the_blocks_that_are_damaged(
    view: StoreView, client: FakeClient, heard: Heard
) -> None:
    view.show_store("acts")
    view.verify_button.click()
    damaged = VerifyResult(name="acts", blocks=512, bytes=1, damaged=["rows 0–4,095 of “x”"])
    client.finish(client.last(VerifyStoreConfig), damaged)
    assert "1 of 512 blocks of “acts” is damaged: rows 0–4,095" in heard.errors[0].what
    assert not heard.notices


def test_view__a_store_being_filled_is_neither_verified_nor_extended(
    view: StoreView, client: FakeClient, session: Session
) -> None:
    view.show_store("more")
    assert view.verify_button.isEnabled()
    assert view.extend_button.isEnabled()
    begin(client, session, "more")
    assert not view.verify_button.isEnabled()
    assert not view.extend_button.isEnabled()


def test_view__a_read_only_project_is_not_extended(view: StoreView, client: FakeClient) -> None:
    view.show_store("acts")
    client.refuse_project("Open elsewhere.")
    assert not view.extend_button.isEnabled()
    assert view.verify_button.isEnabled()


def test_extend__fills_the_panel_with_the_stores_own_harvest(
    session: Session, client: FakeClient, project: Project, heard: Heard, qtbot: QtBot
) -> None:
    add_store(project, "acts", rows=4_000, wanted=4_000, more_sites=(OTHER,))
    session.open_project(project.path)
    panel = HarvestPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    client.finish(client.last(DescribeModelConfig), model())
    panel.tabs.setCurrentIndex(STORE)
    panel.store.extend_button.click()
    assert heard.workspaces == ["harvest"]
    assert panel.tabs.currentIndex() == SET_UP
    config = panel.config()
    assert (config.name, config.site, config.sites) == ("acts", SITE, (OTHER,))
    assert config.tokens == 8_000
    assert panel.start_button.text() == "Add to the store"
    panel.hide()


def test_cards__offer_more_rows_verification_and_deletion(
    session: Session, client: FakeClient, project: Project, heard: Heard, qtbot: QtBot
) -> None:
    add_store(project, "acts", rows=20, wanted=20)
    add_run(project, "done")
    session.open_project(project.path)
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    card = next(w for w in panel.findChildren(CardWidget) if w.card.name == "acts")
    menu = card.menu()
    actions = {action.text(): action for action in menu.actions() if action.text()}
    assert list(actions) == [
        "Train on this store",
        "Show its contents",
        "Harvest more…",
        "Verify",
        "Set its model…",
        "Show in the file manager",
        "Delete…",
    ]
    filled: list[dict[str, object]] = []
    session.harvestRequested.connect(filled.append)
    actions["Harvest more…"].trigger()
    assert heard.workspaces == ["harvest"]
    assert (filled[0]["name"], filled[0]["tokens"]) == ("acts", 40)
    actions["Verify"].trigger()
    job = client.last(VerifyStoreConfig)
    assert job.config == VerifyStoreConfig(project=str(project.path), name="acts")
    client.finish(job, VerifyResult(name="acts", blocks=1, bytes=1_000, damaged=[]))
    assert heard.notices == ["“acts”, 1 block, 1 kB: all intact."]
    actions["Verify"].trigger()
    assert len(client.started(VerifyStoreConfig)) == 2
    actions["Verify"].trigger()
    assert len(client.started(VerifyStoreConfig)) == 2
    assert heard.notices[-1] == "“acts” is being verified."
    asked: list[str] = []
    session.storeRequested.connect(asked.append)
    actions["Show its contents"].trigger()
    assert asked == ["acts"]
    menu.close()
    panel.hide()


def test_panel__shows_the_store_a_card_asks_for(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> None:
    for name in ("acts", "more"):
        add_store(project, name, rows=400, wanted=400)
    session.open_project(project.path)
    panel = HarvestPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    for name in ("acts", "more"):
        session.storeRequested.emit(name)
        assert panel.pages.currentIndex() == STORE
        assert panel.store.name == name
    panel.hide()


def test_panel__made_while_a_harvest_runs_follows_it(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    begin(client, session, "live")
    panel = HarvestPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.store.name == "live"
    assert panel.pages.currentIndex() == STORE
    assert not panel.start_button.isEnabled()
    assert open_questions(client) == ["live"]
    panel.hide()


def test_view__asks_again_when_the_engine_is_back(
    view: StoreView, client: FakeClient, session: Session
) -> None:
    view.show_store("acts")
    client.crash("The engine was killed.")
    assert open_questions(client) == []
    client.restart()
    assert open_questions(client) == ["acts"]
