"""What is read of a label, and how far its words fit a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sample_index
from sample_index import write_sample_index

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.examples import Example, examples
from sae_desktop.labels.scoring.detection import areas, trial_of
from sae_desktop.labels.scoring.terms import Term, terms_of
from sae_desktop.labels.scoring.words import MarkedText, Texts, WordsDetector, stem, text_bytes

LORD, DEF = 0, 2


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FeatureIndex:
    return FeatureIndex(write_sample_index(tmp_path_factory.mktemp("words") / "m.h5", repeats=40))


def example(text: list[str], peak: int, document: int = 0) -> Example:
    return Example("random", 0, document, tuple(text), np.zeros(len(text)), peak, 0.0, 0)


def score(index: FeatureIndex, label: str, feature: int) -> float:
    texts = Texts(index)
    held_out = examples(index, feature).test
    scores = WordsDetector(label, texts).scores([MarkedText(e) for e in held_out])
    return areas(trial_of(held_out), scores).whole.value


def test_terms__are_pieces_words_languages_and_kinds() -> None:
    assert terms_of("“who”, after “a person” · dictionary entries") == (
        Term("piece", "who", "at"), Term("piece", "a person", "before"),
        Term("word", "dictionary", "near"), Term("word", "entries", "near"),
    )  # fmt: skip
    assert Term("language", "fr", "near") in terms_of("dates in French")
    assert Term("kind", "numbers", "at") in terms_of("digits")
    assert Term("kind", "Cyrillic letters", "at") in terms_of("Cyrillic text")
    assert terms_of("A question ends (?)")[0] == Term("piece", "?", "at")
    assert [term.text for term in terms_of("articles (o, um)")] == ["o", "um", "articles"]
    assert Term("piece", "of", "after") in terms_of("a noun before ‘of’")
    assert terms_of("don't say isn't") == (Term("word", "don", "near"), Term("word", "say", "near"),
                                           Term("word", "isn", "near"))  # fmt: skip


@pytest.mark.parametrize("label", ["", "   ", "“”", "⟨0xE2⟩", "\u202e<b>&amp;", "a" * 10_000_000])
def test_labels_from_strangers__are_read_without_harm(index: FeatureIndex, label: str) -> None:
    terms = terms_of(label)
    assert len(terms) <= 24
    found = WordsDetector(label, Texts(index)).scores([MarkedText(example([" a", "b"], 1))])
    assert np.isfinite(found).all()


def test_a_word__is_found_in_its_other_forms_at_the_mark_first(index: FeatureIndex) -> None:
    assert [stem(w) for w in ("entries", "running", "kings", "is")] == [
        "entr",
        "runn",
        "king",
        "is",
    ]
    detector = WordsDetector("kings", Texts(index))
    at, before, long_before, after, nowhere = detector.scores(
        [
            MarkedText(example(text, peak))
            for text, peak in (
                (["the", " k", "ing", " said"], 2), (["the", " king", " said"], 2),
                ([" king", *[" a"] * 20], 20), ([" said", " king"], 0), ([" the", " joking"], 1),
            )
        ]
    )  # fmt: skip
    assert at > before > long_before > after > nowhere == 0.0


def test_what_stands_before__is_not_looked_for_after(index: FeatureIndex) -> None:
    detector = WordsDetector("after “of”", Texts(index))
    before, after = detector.scores(
        [MarkedText(example([" of", " gold"], 1)), MarkedText(example([" gold", " of"], 0))]
    )
    assert before > 0.0 == after


def test_characters_cut_into_bytes__are_joined(index: FeatureIndex) -> None:
    assert text_bytes("⟨0xE4⟩") + text_bytes("⟨0xBA⟩⟨0xBA⟩") == "人".encode()
    marked = MarkedText(example(["⟨0xE4⟩", "⟨0xBA⟩⟨0xBA⟩"], 1))
    assert WordsDetector("“人”", Texts(index)).scores([marked])[0] > 0


@pytest.mark.parametrize(
    ("feature", "label"),
    [(LORD, "“Lord”"), (LORD, "the Lord of the Bible"), (DEF, "“def” or “class”")],
)
def test_a_label_that_says_what_a_feature_does__scores_1(
    index: FeatureIndex, feature: int, label: str
) -> None:
    assert score(index, label, feature) > 0.9


@pytest.mark.parametrize("feature", [LORD, DEF])
def test_labels_that_say_nothing_of_a_feature__are_at_chance(
    index: FeatureIndex, feature: int
) -> None:
    assert score(index, "sarcasm", feature) == pytest.approx(0.5)
    assert score(index, "", feature) == pytest.approx(0.5)


def test_all_english_text__does_not_score_high_for_a_rare_feature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = [line for line in sample_index.LINES if line[1] == "en"]
    monkeypatch.setattr(sample_index, "LINES", english)
    made = FeatureIndex(write_sample_index(tmp_path / "english.h5", repeats=100))
    assert made.columns["density"][LORD] < 0.1
    assert score(made, "all English text", LORD) == pytest.approx(0.5, abs=0.05)


def test_a_rare_word__says_more_than_a_frequent_one(index: FeatureIndex) -> None:
    texts = Texts(index)
    assert texts.bits(Term("word", "shepherd", "near")) > texts.bits(Term("piece", "a", "at"))
    assert 0.5 <= texts.bits(Term("language", "en", "near")) <= 10.0
