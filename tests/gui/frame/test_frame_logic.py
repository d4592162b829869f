"""What the frame knows without Qt: amounts, settings, history, search, next step, cards."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import msgspec
import pytest
from frame_project import add_run, add_store
from hypothesis import given
from hypothesis import strategies as st

from sae_desktop.client.engine_exit import EngineExit
from sae_desktop.corpus import formats
from sae_desktop.corpus.names import TABLE_NAMES, TEXT_NAMES
from sae_desktop.deletion import delete_item, deletion_question
from sae_desktop.exchange.recognise import what_is
from sae_desktop.file_kinds import ONLY_DICTIONARIES
from sae_desktop.gui.parts.search import Entry, feature_number, rank
from sae_desktop.gui.project.next_step import next_step
from sae_desktop.gui.project.project_cards import cards
from sae_desktop.gui.state import settings as settings_file
from sae_desktop.gui.state.history import History, Place
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project
from sae_desktop.storage.faults import format_bytes
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.sweeps.sweep_config import SweepConfig, SweepRecord, SweepRow
from sae_desktop.words import amounts
from sae_desktop.words.inventory import IndexItem, Inventory, take_inventory
from sae_desktop.words.job_text import crash_text

NOW = datetime.datetime(2026, 11, 23, 14, 0)


# ---------------------------------------------------------------------- amounts
@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (256_000_000, "256 MB"), (12.3e9, "12.3 GB")],
)
def test_bytes__read_in_decimal_units(count: int, text: str) -> None:
    assert format_bytes(count) == text


@given(st.floats(min_value=0, max_value=1e15))
def test_counts__stay_short(count: float) -> None:
    assert len(amounts.short_count(count)) <= 7


def test_durations__are_words_in_sentences_and_figures_in_tables() -> None:
    assert amounts.duration_words(3) == "a few seconds"
    assert amounts.duration_words(185) == "about 3 min"
    assert amounts.duration_text(725) == "12:05"
    assert amounts.duration_text(None) == "–"


def test_dates__are_said_as_one_says_them() -> None:
    assert amounts.when_text(NOW - datetime.timedelta(seconds=5), NOW) == "just now"
    assert amounts.when_text(NOW.replace(hour=9, minute=5), NOW) == "today 09:05"
    assert amounts.when_text(datetime.datetime(2026, 11, 3, 1), NOW) == "3 Nov 2026"


def test_long_names__lose_their_middle() -> None:
    assert amounts.elide_middle("a-very-long-name", 9) == "a-ve…name"


# ---------------------------------------------------------------------- settings
def test_settings__survive_a_round_trip(tmp_path: Path) -> None:
    settings = Settings(theme="dark", workspace_states={"train": "AAAA"})
    settings.remember_project("/a")
    settings_file.save(settings, tmp_path / "deep" / "settings.json")
    assert settings_file.load(tmp_path / "deep" / "settings.json") == settings


def test_settings__drop_broken_values_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    broken = {"theme": "dark", "recent_projects": 7, "geometry": None, "of_the_future": [1]}
    path.write_bytes(msgspec.json.encode(broken))
    loaded = settings_file.load(path)
    assert loaded.theme == "dark"
    assert loaded.recent_projects == []
    assert loaded.geometry == ""


def test_settings__that_are_no_json_give_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(b"{ not json")
    assert settings_file.load(path) == Settings()


def test_settings__put_the_last_project_first_and_once() -> None:
    settings = Settings()
    for name in ("/a", "/b", "/a"):
        settings.remember_project(name)
    assert settings.recent_projects == ["/a", "/b"]


# ---------------------------------------------------------------------- history
def test_history__goes_back_and_forward_and_forgets_what_lay_ahead() -> None:
    history = History()
    places = [Place("explore", "i", n) for n in range(3)]
    for place in places:
        history.visit(place)
    assert history.back() == places[1]
    assert history.back() == places[0]
    assert not history.can_go_back
    assert history.forward() == places[1]
    history.visit(Place("steer"))
    assert not history.can_go_forward
    with pytest.raises(IndexError):
        history.forward()


# ---------------------------------------------------------------------- search
def test_search__ranks_prefixes_before_words_before_letters() -> None:
    entries = [
        Entry("Action", title, title)
        for title in ("Restart the engine", "Start the training", "Show the stars")
    ]
    titles = [entry.title for entry in rank("start", entries)]
    assert titles[0] == "Start the training"
    assert "Restart the engine" in titles


def test_search__takes_words_in_any_order_and_puts_disabled_entries_last() -> None:
    entries = [Entry("Action", "Undo", "undo", enabled=False), Entry("Action", "Undock", "dock")]
    assert [entry.key for entry in rank("und", entries)] == ["dock", "undo"]
    training = Entry("Action", "Start the training", "t")
    assert rank("training start", [training]) == [training]
    assert rank("zebra", [training]) == []


def test_search__finds_by_menu_and_kind_and_not_by_letters_of_chance() -> None:
    splits = Entry("Action", "Find features that split into finer things", "s")
    dark = Entry("Setting", "Theme: dark", "d", words="View theme dark settings")
    keys = Entry("Action", "Keyboard shortcuts", "k", words="Help help shortcuts")
    assert rank("settings", [splits, dark, keys]) == [dark]
    assert rank("help", [splits, dark, keys]) == [keys]
    assert rank("thm", [dark]) == [dark]  # letters in order, of a short query


@pytest.mark.parametrize(
    ("query", "number"),
    [("12", 12), ("#12", 12), ("f12", 12), ("feature 12", 12), ("twelve", None), ("", None)],
)
def test_search__knows_a_feature_by_its_number(query: str, number: int | None) -> None:
    assert feature_number(query) == number


# ---------------------------------------------------------------------- the project
def test_next_step__walks_from_harvest_to_explore(project: Project) -> None:
    assert next_step(Inventory()).kind == "harvest"
    add_store(project, "acts", rows=20, wanted=40)
    step = next_step(take_inventory(project))
    assert (step.kind, step.target) == ("resume_harvest", "acts")
    assert "20 of 40" in step.sentence


def test_next_step__follows_training_with_an_index(project: Project) -> None:
    add_store(project, "acts", rows=20, wanted=20)
    assert next_step(take_inventory(project)).kind == "train"
    add_run(project, "unfinished", finished=False)
    step = next_step(take_inventory(project))
    assert (step.kind, step.target) == ("resume_train", "unfinished")
    assert next_step(take_inventory(project), frozenset({"train"})).kind == "watch"
    delete_item(project, "dictionary", "unfinished")
    add_run(project, "done")
    assert next_step(take_inventory(project)).kind == "index"


def test_next_step__is_an_index_for_what_was_trained_since(project: Project) -> None:
    add_run(project, "new")
    inventory = take_inventory(project)
    (item,) = inventory.dictionaries
    read = IndexItem(
        name="i", dictionary="old", dictionary_hash="", model="", features=8, rows=1, bytes=1,
        modified=item.modified,
    )  # fmt: skip
    before = dataclasses.replace(read, modified=item.modified - datetime.timedelta(hours=1))
    assert next_step(dataclasses.replace(inventory, indexes=[before])).kind == "index"
    assert next_step(dataclasses.replace(inventory, indexes=[before])).target == "new"
    assert next_step(dataclasses.replace(inventory, indexes=[read])).kind == "explore"
    later = read.modified + datetime.timedelta(minutes=1)
    add_run(project, "half", finished=False)
    half = next(d for d in take_inventory(project).dictionaries if d.name == "half")
    stopped = dataclasses.replace(half, modified=later)
    halted = dataclasses.replace(
        inventory, indexes=[read], dictionaries=[*inventory.dictionaries, stopped]
    )
    step = next_step(halted)  # what one was at when one left
    assert (step.kind, step.target) == ("resume_train", "half")
    fresh = dataclasses.replace(halted, indexes=[before])  # “new” is not indexed yet
    assert next_step(fresh).target == "half"
    assert next_step(halted, frozenset({"train"})).kind == "explore"
    assert next_step(halted, written=frozenset({("dictionary", "half")})).kind == "explore"


def test_cards__show_the_runs_of_a_sweep_as_one(project: Project) -> None:
    for name in ("s-k1", "s-k2", "alone"):
        add_run(project, name)
    base = TrainConfig(project="", name="s")
    rows = [
        SweepRow(
            dictionary=name, architecture="topk", features=8, k=1, sparsity=None, lr=0.0,
            tokens=10, batch=1, seed=0, state="done", fvu=fvu,
        )
        for name, fvu in (("s-k1", 0.5), ("s-k2", 0.25))
    ]  # fmt: skip
    record = SweepRecord(config=SweepConfig(project="", name="s", base=base), rows=rows)
    inventory = dataclasses.replace(take_inventory(project), sweeps=[record])
    now = datetime.datetime.now()
    folded = cards(inventory, now)["Dictionaries"]
    assert [(card.kind, card.name) for card in folded] == [("dictionary", "alone"), ("sweep", "s")]
    assert ("Runs", "2 of 2 done") in folded[1].figures
    assert folded[1].actions[:2] == ("unfold", "runs")
    names = [card.name for card in cards(inventory, now, {"s"})["Dictionaries"]]
    assert names == ["alone", "s", "s-k1", "s-k2"]


def test_cards__say_the_key_figures(project: Project) -> None:
    add_store(project, "acts", rows=20, wanted=40)
    add_run(project, "done")
    sections = cards(take_inventory(project), NOW)
    assert list(sections) == ["Models", "Activation stores", "Dictionaries"]
    store = sections["Activation stores"][0]
    assert ("Rows × width", "20 × 8") in store.figures
    assert store.actions[0] == "resume_harvest"
    assert "20 of 40" in store.warning
    dictionary = dict(sections["Dictionaries"][0].figures)
    assert dictionary["L0"] == "7.5"
    assert dictionary["FVU"] == "0.125"
    assert dictionary["Dead in training"] == "25.0%"
    assert dictionary["Trained on"] == "the store acts"


def test_inventory__lists_what_is_damaged_instead_of_failing(project: Project) -> None:
    add_store(project, "acts", rows=20, wanted=20)
    segment = project.store_path("acts") / "000.h5"
    segment.write_bytes(segment.read_bytes()[:100])
    inventory = take_inventory(project)
    assert not inventory.stores
    assert inventory.broken[0].name == "acts"
    card = cards(inventory, NOW)["Activation stores"][0]
    assert card.warning
    assert card.actions == ("reveal", "delete")


def test_deletion__says_how_many_bytes_of_what_and_removes_all_of_it(project: Project) -> None:
    add_run(project, "done")
    assert "kB" in deletion_question(project, "dictionary", "done")
    delete_item(project, "dictionary", "done")
    assert project.runs() == []
    assert list((project.path / "dictionaries").iterdir()) == []


def test_drops__are_told_apart(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("a")
    project = Project.open_or_create(tmp_path / "p.saeproj")
    kinds = [what_is(path).kind for path in (model, texts, project.path)]
    assert kinds == ["model", "corpus", "project"]
    for name, kind in (("x.gguf", "model"), ("x.npy", "activations"), ("x.jsonl", "corpus")):
        assert what_is(tmp_path / name).kind == kind
    assert what_is(tmp_path / "x.exe").reason


@pytest.mark.parametrize(
    "name", sorted({*TEXT_NAMES, *TABLE_NAMES, ".json", ".kt", ".ipynb", ".txt.gz", ".csv.bz2"})
)
def test_drops__take_every_file_that_a_corpus_may_be(tmp_path: Path, name: str) -> None:
    assert what_is(tmp_path / f"x{name}").kind == "corpus"
    assert what_is(tmp_path / f"X{name.upper()}").kind == "corpus"


def test_drops__take_a_text_whatever_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("A text.")
    (tmp_path / "x.dat").write_bytes(bytes(range(256)))
    assert what_is(tmp_path / "README").kind == "corpus"
    assert what_is(tmp_path / "x.dat").kind is None


def test_drops__know_the_names_that_the_reader_does() -> None:
    assert set(formats._BY_SUFFIX) == TABLE_NAMES
    for end in ONLY_DICTIONARIES:
        assert what_is(Path(f"nowhere{end}")).kind == "dictionary"


def test_crash__says_what_happened_and_what_was_kept() -> None:
    text = crash_text(EngineExit("Killed.", "SIGKILL", 9, "", ["Harvest “a”"]), ["Rows kept."])
    assert text == "Killed. Running at the time: Harvest “a”. Rows kept."
