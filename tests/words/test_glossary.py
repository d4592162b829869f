"""The glossary tells every term once, in plain sentences, and knows what stands on screen."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from cli_process import sae_desktop

from sae_desktop.features.reading.columns import COLUMNS
from sae_desktop.words import glossary
from sae_desktop.words.curve_info import CURVES
from sae_desktop.words.evaluation_figures import _FIGURES
from sae_desktop.words.glossary import entries, entry_text, find, hover, search, terms_in
from sae_desktop.words.run_figures import COLUMNS as RUN_COLUMNS
from sae_desktop.words.terms.entry import Entry
from sae_desktop.words.training_catalogue import TARGETS

TECHNICAL = """
activation; architecture; attention; AUROC; auxiliary loss; batch; BatchTopK; BOS; bucket; clamp;
checkpoint; classifier; cluster; completeness; context; corpus; cosine; cross-layer transcoder;
crosscoder; dead; density; dictionary; explained variance; feature; firing; FVU; F1; Gated;
harvest; held out; histogram; index; JumpReLU; k; KL; kurtosis; L0; label; layer; learning rate;
logits; loss; loss recovered; map; massive activation; match; Matryoshka BatchTopK; maximum; MLP;
neighbours; next token; norm; outlier dimension; output effect; Pareto front; perplexity;
precision; promoted tokens; prompt; random direction; reconstruction; repetition; residual stream;
row; SAE; scaling law; seed; shrinkage; site; skewness; sparsity; splitting; steering; store;
strength; suppressed tokens; sweep; temperature; text set; threshold; token; top-k; TopK; top-p;
transcoder; typical norm; width; window of text; λ; add; multiply; ablate; star; list; preset;
share of maximum; attribution; difference of means; chat template; vocabulary; run; waited
"""
"""Words that the window uses without explaining them where they stand."""


@pytest.mark.parametrize("word", [" ".join(w.split()) for w in TECHNICAL.split(";")])
def test_technical_word__has_an_entry(word: str) -> None:
    assert find(word) is not None


def test_figures_of_indexes_runs_and_evaluations__have_an_entry() -> None:
    titles = [column.title for column in COLUMNS]
    titles += [curve.title for curve in CURVES]
    titles += [f"{curve.title} ({curve.unit})" for curve in CURVES]
    titles += [title for _, title, *_ in _FIGURES]
    titles += [title for _, title, _ in TARGETS]
    titles += [column.title for column in RUN_COLUMNS if column.title not in ("State", "Time")]
    assert [title for title in titles if find(title) is None] == []


def test_name__belongs_to_one_entry() -> None:
    names = Counter(name.casefold() for entry in entries() for name in (entry.term, *entry.names))
    assert [name for name, count in names.items() if count > 1] == []


def test_entry__points_to_others_and_not_to_itself() -> None:
    terms = {entry.term for entry in entries()}
    for entry in entries():
        assert set(entry.see) <= terms - {entry.term}, entry.term


def _sentences(text: str) -> int:
    return len(re.findall(r"[.?](?=\s+[A-Z“0-9]|$)", text))


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.term)
def test_entry__hovers_with_one_sentence_and_tells_more_in_a_few(entry: Entry) -> None:
    assert entry.hover.endswith(".")
    assert _sentences(entry.hover) == 1
    assert len(entry.hover) <= 190
    assert entry.more.endswith(".")
    assert 1 <= _sentences(entry.more) <= 5
    assert entry.hover.rstrip(".") not in entry.more


def test_names_that_mean_something_else_in_sentences__are_names() -> None:
    assert not [name for name in glossary._ONLY_WHOLE if find(name) is None]


def test_find__reads_past_units_and_dots() -> None:
    assert find("L0 (features per row)") == find("l0") == find("L0:")
    assert find("Loss recovered (mean)") != find("Loss recovered (share)")
    assert find("no such thing") is None
    assert find("") is None


def test_terms__are_found_in_sentences() -> None:
    said = terms_in("Effect on the logit per unit of activation")
    assert [entry.term for entry in said] == ["Logits", "Activation"]
    assert [entry.term for entry in terms_in("All 40 contexts")] == ["Context"]
    assert terms_in("Add a list of names for the text") == []


def test_search__puts_names_before_what_is_told() -> None:
    assert search("fvu")[0].term == "FVU"
    assert search("loss rec")[0].term == "Loss recovered"
    assert "Clamp" in [entry.term for entry in search("holds a feature")]
    assert search("xyzzy") == []
    assert search("") == list(entries())


def test_command__tells_a_term_and_what_lies_near_it() -> None:
    done = sae_desktop("glossary", "fvu")
    assert done.status == 0
    assert hover("FVU") in " ".join(done.stdout.split())
    assert "See also: L0" in done.stdout
    unknown = sae_desktop("glossary", "xyzzy")
    assert unknown.status == 1
    assert "no entry with “xyzzy”" in unknown.stderr


def test_text__names_place_and_neighbours() -> None:
    found = find("KL")
    assert found is not None
    assert "Where: Steer" in entry_text(found)
    assert "See also: Perplexity" in entry_text(found)
