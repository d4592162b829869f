"""Features are found by what their labels and contexts mean, among those that are in question."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from job_contexts import RecordingContext, cancelled_at
from word_encoder import WordEncoder, use

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.reading.beside import meaning_path
from sae_desktop.features.reading.filter import FeatureFilter, Range
from sae_desktop.features.reading.meaning_file import CONTEXTS, LABEL, read_meanings
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.search import embed
from sae_desktop.labels.search.ask import search_meaning
from sae_desktop.labels.search.config import (
    EmbedLabelsConfig,
    FoundMeaning,
    SearchMeaningConfig,
)
from sae_desktop.labels.search.embed import embed_labels
from sae_desktop.labels.search.plain_words import fused
from sae_desktop.labels.search.texts import context_text, strongest_slots
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes

LABELS = {1: "the king of a country", 2: "sarcasm in a review", 3: "numbers", 9: "kings, queens"}


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> WordEncoder:
    return use(monkeypatch, WordEncoder())


@pytest.fixture
def project(small_project: Path, encoder: WordEncoder) -> Path:
    _label(small_project, LABELS)
    embed_labels(EmbedLabelsConfig(project=str(small_project), index="idx"), RecordingContext())
    encoder.read.clear()
    return small_project


def _label(project: Path, labels: dict[int, str]) -> None:
    with closing(Notes(project / "notes.sqlite")) as notes:
        notes.set_labels("dict", labels.items())


def _ask(project: Path, text: str, **more: object) -> list[FoundMeaning]:
    config = SearchMeaningConfig(project=str(project), index="idx", text=text, **more)  # type: ignore[arg-type]
    return search_meaning(config, RecordingContext()).found


def _index(project: Path) -> FeatureIndex:
    return FeatureIndex(Project.open(project).index_path("idx"))


def test_label__is_found_by_a_word_it_does_not_have(project: Path) -> None:
    first = _ask(project, "monarch")[0]
    assert (first.feature, first.found_by, first.text) == (1, "label", LABELS[1])
    assert _ask(project, "irony")[0].feature == 2
    assert _ask(project, "irony", by="words") == []


def test_context__is_found_by_its_text_and_told(project: Path) -> None:
    index = _index(project)
    slots = strongest_slots(index, 20, 5)
    text = context_text(index, 20, int(slots[3]))
    (own,) = [hit for hit in _ask(project, text, limit=64) if hit.feature == 20]
    assert (own.found_by, own.slot, own.text) == ("contexts", slots[3], "")


def test_features__come_once_each_the_nearest_first(project: Path) -> None:
    found = _ask(project, "the king", limit=64)
    assert len({hit.feature for hit in found}) == len(found) > 40
    cosines = [hit.cosine or 0.0 for hit in found]
    assert cosines == sorted(cosines, reverse=True)
    assert _ask(project, "the king", limit=7) == found[:7]


def test_conditions__hold_beside_the_meaning(project: Path) -> None:
    index = _index(project)
    least = float(np.median(index.columns["density"]))
    dense = FeatureFilter(ranges=(Range("density", least, None),))
    found = _ask(project, "the king", limit=64, conditions=dense)
    assert {hit.feature for hit in found} == set(
        np.flatnonzero(index.columns["density"] >= least).tolist()
    ) & {hit.feature for hit in _ask(project, "the king", limit=64)}
    labelled = _ask(project, "the king", conditions=FeatureFilter(labelled_only=True))
    assert {hit.feature for hit in labelled} == {*LABELS, 5}
    among = _ask(project, "monarch", among=[2, 3, 1_000_000])
    assert {hit.feature for hit in among} == {2, 3}


def test_words_and_meaning_together__put_what_has_both_first(project: Path) -> None:
    both = _ask(project, "kings", by="both")
    assert both[0].feature == 9
    places = [FoundMeaning(feature=f, found_by="label") for f in (4, 5, 6)]
    words = [FoundMeaning(feature=f, found_by="words") for f in (6, 7)]
    assert [hit.feature for hit in fused(places, words)] == [6, 4, 5, 7]
    assert fused(places, words)[0].found_by == "label"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "\x00\x1b[2J\u202e",
        "\ud800",
        "日本語で書かれた日付",
        "'; DROP TABLE notes; --",
        "king " * 60_000,
    ],
)
@pytest.mark.parametrize("by", ["meaning", "words", "both"])
def test_any_text__has_an_answer(project: Path, text: str, by: str) -> None:
    found = _ask(project, text, by=by)
    assert bool(found) or by == "words" or not text.strip()


def test_empty_text__only_gets_the_encoder_ready(small_project: Path, encoder: WordEncoder) -> None:
    assert _ask(small_project, "") == []
    assert encoder.read == []


def test_only_what_changed__is_read_again(project: Path, encoder: WordEncoder) -> None:
    _label(project, {1: "a queen", 3: ""})
    config = EmbedLabelsConfig(project=str(project), index="idx")
    result = embed_labels(config, RecordingContext())
    name = _index(project).short_names()[3]
    assert encoder.read == ["a queen", name]  # without a label, a feature has its name again
    assert (result.read, result.labels) == (2, 64)
    assert embed_labels(config, RecordingContext()).read == 0
    assert all(hit.feature != 3 or hit.found_by != "label" for hit in _ask(project, "numbers"))
    encoder.read.clear()
    more = msgspec.structs.replace(config, contexts=2)
    assert (
        embed_labels(more, RecordingContext()).read
        == embed_labels(msgspec.structs.replace(config, contexts=3), RecordingContext()).contexts
    )


def test_new_label__is_found_before_it_is_read_by_the_job(
    project: Path, encoder: WordEncoder
) -> None:
    _label(project, {1: "something else", 30: "tax law"})
    config = SearchMeaningConfig(project=str(project), index="idx", text="tax")
    answer = search_meaning(config, RecordingContext())
    assert (answer.found[0].feature, answer.found[0].text) == (30, "tax law")
    assert answer.newer == 2
    king = _ask(project, "monarch", limit=64)
    assert all(hit.feature != 1 or hit.found_by != "label" or hit.text != LABELS[1] for hit in king)
    read = len(encoder.read)
    _ask(project, "tax")
    assert len(encoder.read) == read + 1  # the question alone


def test_many_new_labels__are_told_and_not_read(
    project: Path, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sae_desktop.labels.search.ask._READ_AT_ONCE", 1)
    _label(project, {30: "tax law", 31: "labour law"})
    config = SearchMeaningConfig(project=str(project), index="idx", text="tax law")
    answer = search_meaning(config, RecordingContext())
    assert answer.newer == 2
    assert all(hit.text != "tax law" for hit in answer.found)
    assert encoder.read == ["tax law"]


def test_cancelled_job__keeps_what_it_has_read(
    small_project: Path, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed, "_AT_ONCE", 8)
    monkeypatch.setattr(embed, "_COMMIT_SECONDS", 0.0)
    config = EmbedLabelsConfig(project=str(small_project), index="idx")
    with pytest.raises(JobCancelledError):
        embed_labels(config, cancelled_at(17, "texts"))
    index = _index(small_project)
    kept = read_meanings(index.path, index.info)
    assert kept is not None
    assert 16 <= len(kept.entries) < 64
    rest = embed_labels(config, RecordingContext())
    assert rest.read == rest.labels + rest.contexts - len(kept.entries)


def test_file__tells_each_entry_and_a_damaged_or_foreign_one_counts_as_none(
    project: Path, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = _index(project)
    path = meaning_path(index.path)
    kept = read_meanings(index.path, index.info)
    assert kept is not None
    assert (kept.entries.kinds == LABEL).sum() == len(LABELS) + 1
    place = int(np.flatnonzero(kept.entries.kinds == CONTEXTS)[3])
    assert len(kept.entries.singles_of(place)) == (kept.entries.slots[place] >= 0).sum()
    assert len(kept.entries.singles_of(0)) == 0
    other = msgspec.structs.replace(index.info, dictionary_hash="0" * 16)
    assert read_meanings(index.path, other) is None
    use(monkeypatch, WordEncoder("another"))
    with pytest.raises(UserError, match="another sentence encoder"):
        _ask(project, "king")
    use(monkeypatch, encoder)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match="have not been read") as caught:
        _ask(project, "king")
    assert "sae-desktop embed" in caught.value.next_step
