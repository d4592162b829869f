"""New texts made from labels, read by a toy model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.probe import own_ids
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.examples import examples
from sae_desktop.labels.scoring.log_probability import log_probability
from sae_desktop.labels.scoring.new_texts import _Maker, phrases_of, sensitivities
from sae_desktop.labels.scoring.shown_labels import ShownLabel


@pytest.fixture
def opened(small_project: Path) -> OpenedIndex:
    return open_index(str(small_project), "idx", "cpu")


def test_phrases__are_the_pieces_of_a_label_or_else_its_words() -> None:
    assert phrases_of("“who”, after “a person” · dictionary entries") == ["a person who"]
    assert phrases_of("kings and queens") == ["kings", "queens"]
    assert phrases_of("articles (o, um)") == ["o", "um"]
    assert phrases_of("French") == []
    assert phrases_of("") == []


def test_a_new_text__is_a_sentence_with_the_phrase_put_in(opened: OpenedIndex) -> None:
    label = ShownLabel(3, "“heaven”", "")
    texts = _Maker(opened, 0).texts(label, 5)
    phrase = own_ids(opened, " heaven")
    assert len(texts) == 5
    assert len(set(texts)) > 1
    for text in texts:
        assert list(text.ids[text.first : text.first + len(phrase)]) == phrase
    assert _Maker(opened, 0).texts(label, 5) == texts
    assert _Maker(opened, 1).texts(label, 5) != texts


def test_sensitivity__is_the_share_of_texts_in_which_the_feature_fires(opened: OpenedIndex) -> None:
    count = opened.index.features
    labels = [ShownLabel(0, "“heaven”", ""), ShownLabel(1, "“heaven”", ""), ShownLabel(2, "", "")]
    low = np.full(count, -1.0)
    low[1] = np.inf
    found = sensitivities(opened, labels, [], 4, low, 0, SilentContext())
    assert set(found) == {0, 1}  # of an empty label no text can be made
    assert (found[0].own.value, found[0].others) == (1.0, 1.0)
    assert (found[1].own.value, found[1].others) == (0.0, 0.0)
    assert 0.3 < found[0].own.low < 1.0
    few = sensitivities(
        opened, labels[:1], [ShownLabel(9, "“earth”", "")], 4, low, 0, SilentContext()
    )
    assert set(few) == {0}
    assert few[0].others == 1.0


def test_log_probability__is_0_where_both_sides_are_the_same_texts(opened: OpenedIndex) -> None:
    busiest = int(np.argmax(opened.index.columns["density"]))
    own = [e for e in examples(opened.index, busiest).test if e.fires]
    same = log_probability(opened, "the earth", own[:3], own[:3], 0)
    assert same is not None
    assert same.value == pytest.approx(0.0, abs=0.3)  # the order of the texts differs
    assert log_probability(opened, "the earth", own[:2], own, 0) is None
    assert log_probability(opened, "", own, own, 0) is None
    again = log_probability(opened, "the earth", own[:5], own[5:10], 1)
    assert again == log_probability(opened, "the earth", own[:5], own[5:10], 1)
    assert again is not None
    assert again.low < again.value < again.high
