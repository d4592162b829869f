"""Whatever an index lacks or its text holds, every alive feature is named and nothing breaks."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from named_text import VOCABULARY, Rule, make_named_index
from sample_index import write_sample_index

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.exchange.record_index import Origin, RecordIndex
from sae_desktop.exchange.records import ContextRecord, FeatureRecord
from sae_desktop.features.building.names import name_features, write_names_of
from sae_desktop.features.config import NameFeaturesConfig
from sae_desktop.features.naming.quoting import plain, quoted
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

HOSTILE = ["\u202eevil", "<b>bold</b>", "a\x00b\x1b[31m", "שלום", "\u200f", "'; DROP TABLE", "𝔘"]


def names_of(index: FeatureIndex) -> FeatureIndex:
    write_names_of(index, None, None, names_path(index.path), SilentContext())
    index.read_names()
    alive = np.flatnonzero(index.columns["density"] > 0)
    assert all(index.short_names()[int(feature)] for feature in alive)
    return index


def fires_on(word: str) -> Rule:
    return lambda words: words.strong(words.is_word(word))


def without(path: Path, *names: str) -> FeatureIndex:
    import h5py

    with h5py.File(path, "r+") as file:
        for name in names:
            del file[name]
    return FeatureIndex(path)


def test_index_without_logits_neighbours_and_windows__is_named(tmp_path: Path) -> None:
    path = write_sample_index(tmp_path / "i.h5")
    lacking = [f"logits/{name}" for name in (
        "top_ids", "top_values", "bottom_ids", "bottom_values", "median", "token_offsets",
        "token_features",
    )]  # fmt: skip
    index = names_of(without(path, *lacking, "neighbours/ids", "neighbours/cosines"))
    assert index.short_names()[0].startswith("“Lord”")
    name = index.name(0)
    assert name is not None
    assert "raises" not in {piece.kind for piece in name.pieces}


def test_text_of_no_language_or_source__is_named_without_one(tmp_path: Path) -> None:
    rules = [lambda w: w.strong(w.in_language("fr")), lambda w: w.strong(w.is_word(" who"))]
    index = make_named_index(tmp_path / "i.h5", rules)
    path = index.path
    del index
    import h5py

    with h5py.File(path, "r+") as file:
        documents = file["documents"][...]
        documents["language"] = b""
        documents["source"] = b""
        file["documents"][...] = documents
    index = names_of(FeatureIndex(path))
    assert index.short_names()[1] == "“who”"
    assert "French" not in index.short_names()[0]


def test_vocabulary_of_one_token__has_no_fact_to_tell(tmp_path: Path) -> None:
    rules = [lambda w: w.strong(w.rng.random(len(w.ids)) < 0.1)]
    index = names_of(make_named_index(tmp_path / "i.h5", rules, vocabulary=["x"]))
    assert index.short_names()[0].startswith("many kinds of tokens")


def test_index_without_a_vocabulary__names_tokens_by_number(tmp_path: Path) -> None:
    path = make_named_index(
        tmp_path / "i.h5", [lambda w: w.strong(w.is_word(" who"))], vocabulary=VOCABULARY
    ).path
    import h5py

    with h5py.File(path, "r+") as file:
        for name, data in (("bytes", np.empty(0, np.uint8)), ("offsets", np.zeros(1, np.int64))):
            del file[f"vocabulary/{name}"]
            file[f"vocabulary/{name}"] = data
    index = names_of(FeatureIndex(path))
    assert index.short_names()[0] == f"“⟨{VOCABULARY.index(' who')}⟩”"


def test_imported_records__are_named_from_their_contexts(tmp_path: Path) -> None:
    made = RecordIndex()
    rng = np.random.default_rng(0)
    words = [" cat", " sat", " on", " the", " mat", " who", "\u202e"]
    for feature in range(3):
        contexts = []
        for number in range(30):
            tokens = [words[int(i)] for i in rng.integers(0, len(words), 20)]
            tokens[int(rng.integers(0, 20))] = words[feature]
            values = [float(token == words[feature]) * (1 + number) for token in tokens]
            contexts.append(ContextRecord(tokens, values, -1, title=f"{feature}-{number}"))
        made.add(FeatureRecord(feature=feature, density=0.1, contexts=contexts))
    made.add(FeatureRecord(feature=3, density=0.2, max_activation=1.0, raises=[(" cat", 2.0)]))
    path = tmp_path / "i.h5"
    made.write(path, Origin(dictionary="d", model="m", site="s", corpus="c", config="{}"))
    index = names_of(FeatureIndex(path))
    assert [index.short_names()[f] for f in range(3)] == ["“cat”", "“sat”", "“on”"]
    assert index.short_names()[3] == "raises “cat”"


def test_hostile_tokens__stand_in_names_as_plain_text(tmp_path: Path) -> None:
    rules = [fires_on(word) for word in HOSTILE]
    index = names_of(make_named_index(tmp_path / "i.h5", rules, vocabulary=[*HOSTILE, *VOCABULARY]))
    isolates = "\u2068\u2069"
    for feature, word in enumerate(HOSTILE):
        name = index.name(feature)
        assert name is not None
        for text in (name.short, name.long):
            steering = [c for c in text if unicodedata.category(c) in ("Cc", "Cf")]
            assert set(steering) <= set(isolates), (word, text)
            assert text.count("\u2068") == text.count("\u2069")
        assert plain(word.strip()) in name.short


def test_quotation__is_short_and_in_its_own_direction() -> None:
    assert quoted("a\u202eb") == "“a⟨U+202E⟩b”"
    assert quoted("שלום") == "“\u2068שלום\u2069”"
    assert quoted("x" * 500).count("x") < 30
    assert quoted("line\nbreak\ttab") == "“line↵break→tab”"
    assert quoted("\u0301") == "“◌\u0301”"


def test_job__of_an_index_that_is_not_there_is_refused(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    with pytest.raises(UserError, match="no index"):
        name_features(NameFeaturesConfig(project=str(project.path), index="i"), SilentContext())


def test_job__that_is_cancelled_leaves_the_names_there_were(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    project.index_path("i").parent.mkdir()
    write_sample_index(project.index_path("i"))
    config = NameFeaturesConfig(project=str(project.path), index="i")
    result = name_features(config, SilentContext())
    assert result.named == result.alive
    before = names_path(project.index_path("i")).read_bytes()

    class Cancelling(SilentContext):
        def check_cancelled(self) -> None:
            raise JobCancelledError

    with pytest.raises(JobCancelledError):
        name_features(config, Cancelling())
    assert names_path(project.index_path("i")).read_bytes() == before
