"""An index made from a text of known words and features of known rules, with all their firings.

Words are drawn at random; a feature fires where its rule says, with a strength drawn at random. So
what a name must say is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sae_desktop.features.building.assemble import figures_of
from sae_desktop.features.building.contexts import Slots
from sae_desktop.features.reading.firing_files import (
    Entries,
    GroupInfo,
    StoredFirings,
    group_path,
    write_group,
)
from sae_desktop.features.reading.firing_paths import firings_folder
from sae_desktop.features.reading.index_text import joined_text
from sae_desktop.features.reading.layout import (
    DOCUMENT_DTYPE,
    PASSAGE_DTYPE,
    IndexInfo,
    TextSource,
    write_index,
)
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext

Rule = Callable[["Words"], np.ndarray]
"""Returns (rows,) float: the activation at every word."""
VOCABULARY = [
    " the", " a", " person", " who", " that", " which", " king", " of", " said", ",", ".", "\n",
    " walk", "ing", " talk", "ed", " house", " Paris", " London", " in", " on", " and", " he",
    " she", " they", " 7", " 19", "(", ")", " river", " stone", " tree", " bird", " cloud",
    " le", " chat", " maison", " der", " Hund", " schnell", " X", " green", " old", " runs",
    " sees",
]  # fmt: skip


class Words:
    """The words of the text, in documents of one language each."""

    def __init__(self, vocabulary: Sequence[str], documents: int, length: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.vocabulary = list(vocabulary)
        self.ids = rng.integers(0, len(vocabulary), documents * length).astype(np.int32)
        # A phrase that is there more often than chance would have it.
        at = rng.choice(len(self.ids) - 1, len(self.ids) // 100, replace=False)
        for place, word in ((at, " person"), (at + 1, " who")):
            if word in self.vocabulary:
                self.ids[place] = self.vocabulary.index(word)
        self.document = np.repeat(np.arange(documents), length)
        self.language = np.array(["fr" if d % 5 == 0 else "en" for d in range(documents)])
        self.rng = rng

    def is_word(self, *words: str) -> np.ndarray:
        return np.isin(self.ids, [self.vocabulary.index(word) for word in words])

    def after(self, *words: str) -> np.ndarray:
        hit = np.zeros(len(self.ids), bool)
        hit[1:] = self.is_word(*words)[:-1] & (self.document[1:] == self.document[:-1])
        return hit

    def seldom(self) -> np.ndarray:
        return np.asarray(self.rng.random(len(self.ids)) < 0.02)

    def in_language(self, language: str) -> np.ndarray:
        return np.asarray(self.language[self.document] == language)

    def strong(self, where: np.ndarray) -> np.ndarray:
        return np.where(where, self.rng.uniform(1, 10, len(self.ids)), 0.0)


def make_named_index(
    path: Path,
    rules: Sequence[Rule],
    *,
    documents: int = 60,
    length: int = 200,
    vocabulary: Sequence[str] = VOCABULARY,
    keep: bool = True,
    **changed: Any,
) -> FeatureIndex:
    """Write an index and its firings, and return it; feature i follows rule i."""
    words = Words(vocabulary, documents, length, 0)
    rows = len(words.ids)
    acts = np.stack([rule(words) for rule in rules]).astype(np.float32)
    where = np.nonzero(acts.T > 0)
    text = TextSource(activations="acts", corpus="c", first_row=0, rows=rows)
    passages = np.zeros(documents, PASSAGE_DTYPE)
    passages["first_row"] = np.arange(documents) * length
    passages["length"] = length
    passages["document"] = np.arange(documents)
    table = np.zeros(documents, DOCUMENT_DTYPE)
    table["ordinal"] = np.arange(documents)
    table["language"] = words.language.astype("S16")
    table["source"] = b"book"
    group = group_path(firings_folder(path), 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    group.parent.mkdir()
    write_group(
        group,
        GroupInfo(dictionary_hash="h", features=len(rules), text=text, massive_rows=0),
        Entries(where[0].astype(np.int32), where[1].astype(np.int32), acts.T[where]),
        {
            "tokens": words.ids, "passages": passages, "documents": table,
            "windows": np.arange(0, rows, 50), "read_before": np.zeros(rows // 50, np.int32),
        },
    )  # fmt: skip
    firings = StoredFirings.open([group])
    joined = joined_text(firings.groups)
    arrays = figures_of(
        firings, joined, Slots(20, 5, 4, "linear", 0, 64), path.parent, SilentContext()
    )
    raw = [word.encode() for word in vocabulary]
    arrays |= {
        "vocabulary/bytes": np.frombuffer(b"".join(raw), np.uint8),
        "vocabulary/offsets": np.cumsum([0, *map(len, raw)]).astype(np.int64),
        "neighbours/ids": np.roll(np.arange(len(rules)), 1)[:, None].astype(np.int32),
        "neighbours/cosines": np.full((len(rules), 1), 0.3, np.float32),
    }
    fields: dict[str, Any] = {
        "dictionary": "d", "dictionary_hash": "h", "model": "m", "site": "s", "activations": "acts",
        "corpus": "c", "texts": [text], "rows": rows, "features": len(rules), "buckets": 5,
        "context_reach": 64, "languages": joined.languages.names, "sources": joined.sources.names,
        "bos_prepended": False, "config": "{}",
    }  # fmt: skip
    write_index(path, IndexInfo(**(fields | changed)), arrays)
    if not keep:
        group.unlink()
    return FeatureIndex(path)
