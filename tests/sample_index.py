"""A small index in today's layout, made of real sentences and rules that fire on them.

Feature 0 fires on "Lord", 1 on Chinese, 2 on Python's "def", 3 on Arabic, 4 on newlines, 5 is
dead; the others fire at seeded places. All its figures are computed densely from the
activations, which `activations.npy` beside it holds as (features, rows). Documents of the
Universal Declaration form aligned groups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.config import REACH
from sae_desktop.features.reading.layout import (
    BINS,
    DOCUMENT_DTYPE,
    PASSAGE_DTYPE,
    TOP_BUCKET,
    IndexInfo,
    TextSource,
    write_index,
)

Array = npt.NDArray[Any]

LINES = [
    ("bible-kjv", "en", "And the Lord said unto Moses, Go in unto Pharaoh, and speak unto him.\n"),
    ("bible-kjv", "en", "In the beginning the Lord God created the heaven and the earth.\n"),
    ("bible-kjv", "en", "The Lord is my shepherd; I shall not want, and he leadeth me beside.\n"),
    ("udhr", "zh", "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。\n"),
    ("udhr", "ar", "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.\n"),
    ("udhr", "he", "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.\n"),
    ("udhr", "fr", "Tous les êtres humains naissent libres et égaux en dignité.\n"),
    ("python-stdlib", "python", "def read(self, size=-1):\n    return self.buffer.read(size)\n"),
    ("python-stdlib", "python", "class Counter(dict):\n    def most_common(self, n=None):\n"),
    ("wordnet", "en", "a measurable quantity of light emitted by a source per unit area.\n"),
]
CONTEXT_TOKENS = 24
TOP, BUCKETS, PER_BUCKET, KEPT = 20, 5, 4, 10


@dataclass
class _Corpus:
    tokens: list[int] = field(default_factory=list)
    language: list[str] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    passages: list[tuple[int, int, int, int]] = field(default_factory=list)
    documents: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    vocabulary: dict[bytes, int] = field(default_factory=dict)


def _pieces(text: str) -> list[bytes]:
    """Cut like a byte-level tokenizer: words with their space; other scripts in raw bytes."""
    found: list[bytes] = []
    for word in re.findall(r"\n|    | ?[A-Za-zêéà]+| ?[^\sA-Za-z]| ", text):
        data, first = word.encode(), ord(word.strip()[:1] or " ")
        if len(data) == len(word) or first < 0x700:
            found.append(data)
        else:
            found += [data[:1], data[1:]]
    return found


def _corpus(repeats: int) -> _Corpus:
    corpus = _Corpus()
    for number in range(repeats * len(LINES)):
        source, language, text = LINES[number % len(LINES)]
        first = len(corpus.tokens)
        for piece in _pieces(text):
            corpus.tokens.append(corpus.vocabulary.setdefault(piece, len(corpus.vocabulary)))
            corpus.language.append(language)
            corpus.source.append(source)
        corpus.passages.append((first, len(corpus.tokens) - first, number, 0))
        group = f"udhr-{number // len(LINES)}" if source == "udhr" else ""
        corpus.documents.append((number, source, language, f"Passage {number}", group))
    return corpus


def _activations(corpus: _Corpus, features: int, rng: np.random.Generator) -> np.ndarray:
    """Return (features, rows) float32."""
    words = [w.decode("utf-8", "replace").strip(" ") for w in corpus.vocabulary]
    texts = [words[token] for token in corpus.tokens]
    rows = len(texts)
    acts = np.zeros((features, rows), dtype=np.float32)
    for feature in range(6, features):
        rate = 10 ** rng.uniform(-2.2, -0.6)
        fired = rng.random(rows) < rate
        acts[feature, fired] = rng.gamma(2.0, 2.0, int(fired.sum()))
    strength = 2.0 + 10.0 * rng.random(rows).astype(np.float32)
    rules = {
        0: [text == "Lord" for text in texts],
        1: [language == "zh" for language in corpus.language],
        2: [text in ("def", "class") for text in texts],
        3: [language == "ar" for language in corpus.language],
        4: [text in ("\n", "") for text in texts],
    }
    for feature, fires in rules.items():
        if feature < features:
            acts[feature] = np.where(fires, strength, 0.0)
    return acts.astype(np.float16).astype(np.float32)


def write_sample_index(
    path: Path,
    *,
    features: int = 64,
    repeats: int = 12,
    dictionary: str = "dict",
    dictionary_hash: str = "",
    seed: int = 0,
    model: str = "builtin",
) -> Path:
    """Write an index of `features` features and return its path."""
    rng = np.random.default_rng(seed)
    corpus = _corpus(repeats)
    rows = len(corpus.tokens)
    acts = _activations(corpus, features, rng)
    languages = list(dict.fromkeys(corpus.language))
    sources = list(dict.fromkeys(corpus.source))
    info = IndexInfo(
        dictionary=dictionary,
        dictionary_hash=dictionary_hash,
        model=model,
        site="blocks.3.hook_resid_post",
        activations="acts",
        corpus="builtin",
        texts=[TextSource(activations="acts", corpus="builtin", first_row=0, rows=rows)],
        rows=rows,
        features=features,
        buckets=BUCKETS,
        context_tokens=CONTEXT_TOKENS,
        languages=languages,
        sources=sources,
        neuron_rows=rows,
        bos_prepended=True,
        config="{}",
    )
    arrays = _text(corpus) | _contexts(acts, corpus, rng) | _company(acts, rng)
    arrays |= _shares("languages", languages, corpus.language, acts)
    arrays |= _shares("sources", sources, corpus.source, acts)
    arrays |= _directions(features, len(corpus.vocabulary), rng)
    arrays |= _firing_tokens(acts, corpus) | _aligned(acts, corpus)
    arrays |= _columns(acts, arrays, rng)
    write_index(path, info, arrays)
    np.save(path.with_name("activations.npy"), acts)
    return path


def _text(corpus: _Corpus) -> dict[str, Array]:
    rows = [tuple(p.encode() if isinstance(p, str) else p for p in d) for d in corpus.documents]
    return {
        "tokens": np.asarray(corpus.tokens, np.int32),
        "passages": np.array(corpus.passages, dtype=PASSAGE_DTYPE),
        "documents": np.array(rows, dtype=DOCUMENT_DTYPE),
        "vocabulary/bytes": np.frombuffer(b"".join(corpus.vocabulary), np.uint8),
        "vocabulary/offsets": np.cumsum([0, *(len(w) for w in corpus.vocabulary)]),
    }


def _contexts(acts: Array, corpus: _Corpus, rng: np.random.Generator) -> dict[str, Array]:
    features = len(acts)
    passage_of = np.repeat(np.arange(len(corpus.passages)), [p[1] for p in corpus.passages])
    top = acts.max(axis=1, keepdims=True)
    counts = np.stack([np.histogram(a[a > 0], BINS, (0, max(a.max(), 1e-9)))[0] for a in acts])
    slots = [TOP_BUCKET] * TOP + [b for b in range(BUCKETS, 0, -1) for _ in range(PER_BUCKET)]
    row = np.full((features, len(slots)), -1, np.int64)
    for feature, values in enumerate(acts):
        fired = np.flatnonzero(values)
        best = fired[np.argsort(-values[fired], kind="stable")][:TOP]
        row[feature, : len(best)] = best
        for bucket in range(BUCKETS, 0, -1):
            low, high = (bucket - 1) / BUCKETS * top[feature], bucket / BUCKETS * top[feature]
            inside = fired[(values[fired] > low) & (values[fired] <= high)]
            picked = rng.permutation(inside)[:PER_BUCKET]
            first = TOP + (BUCKETS - bucket) * PER_BUCKET
            row[feature, first : first + len(picked)] = picked
    offsets, positions, around = [0], [], []
    for feature, slot in np.ndindex(row.shape):
        if row[feature, slot] >= 0:
            first, length, _, _ = corpus.passages[passage_of[row[feature, slot]]]
            near = first + np.flatnonzero(acts[feature, first : first + length])
            near = near[abs(near - row[feature, slot]) <= REACH]
            positions += (near - row[feature, slot]).tolist()
            around += acts[feature, near].tolist()
        offsets.append(len(positions))
    return {
        "histogram/counts": counts.astype(np.uint32),
        "contexts/row": row,
        "contexts/activation": np.where(row >= 0, np.take_along_axis(acts, row, axis=1), 0.0),
        "contexts/bucket": np.asarray(slots, np.int8),
        "contexts/edges": (top * np.linspace(0, 1, BUCKETS + 1)).astype(np.float32),
        "contexts/offsets": np.asarray(offsets, np.int64),
        "contexts/positions": np.asarray(positions, np.int16),
        "contexts/values": np.asarray(around, np.float16),
    }


def _company(acts: Array, rng: np.random.Generator) -> dict[str, Array]:
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.nan_to_num(np.corrcoef(acts), nan=-2.0)
    np.fill_diagonal(r, -2.0)
    ids = np.argsort(-r, axis=1, kind="stable")[:, :KEPT]
    on = acts > 0
    share = (on[:, None] & on[ids]).sum(axis=2) / np.maximum(on.sum(axis=1), 1)[:, None]
    pearson = np.take_along_axis(r, ids, axis=1)
    neurons = (len(acts), 3)
    return {
        "coactive/ids": np.where(pearson > -2.0, ids, -1).astype(np.int32),
        "coactive/pearson": pearson.astype(np.float32),
        "coactive/share": share.astype(np.float32),
        "neurons/layers": rng.integers(0, 4, neurons).astype(np.int32),
        "neurons/ids": rng.integers(0, 1024, neurons).astype(np.int32),
        "neurons/pearson": -np.sort(-rng.uniform(0.05, 0.6, neurons), axis=1).astype(np.float32),
    }


def _shares(kind: str, names: list[str], of_row: list[str], acts: Array) -> dict[str, Array]:
    member = np.stack([np.asarray([name == other for other in of_row]) for name in names])
    return {
        f"{kind}/counts": ((acts > 0).astype(np.int64) @ member.T.astype(np.int64)),
        f"{kind}/sums": acts @ member.T.astype(np.float32),
        f"{kind}/tokens": member.sum(axis=1),
    }


def _directions(features: int, vocabulary: int, rng: np.random.Generator) -> dict[str, Array]:
    effects = rng.normal(0.1, 0.4, (features, vocabulary)).astype(np.float32)
    order = np.argsort(-effects, axis=1)
    top, bottom = order[:, :KEPT], order[:, ::-1][:, :KEPT]
    token = np.argsort(top.ravel(), kind="stable")
    count = np.bincount(top.ravel(), minlength=vocabulary)
    cosines = -np.sort(-rng.uniform(0.05, 0.9, (features, 8)), axis=1)
    return {
        "logits/top_ids": top.astype(np.int32),
        "logits/top_values": np.take_along_axis(effects, top, axis=1),
        "logits/bottom_ids": bottom.astype(np.int32),
        "logits/bottom_values": np.take_along_axis(effects, bottom, axis=1),
        "logits/median": np.median(effects, axis=1).astype(np.float32),
        "logits/token_offsets": np.concatenate([[0], np.cumsum(count)]),
        "logits/token_features": (token // KEPT).astype(np.int32),
        "neighbours/ids": ((np.arange(features)[:, None] + np.arange(1, 9)) % features).astype(
            np.int32
        ),
        "neighbours/cosines": cosines.astype(np.float32),
    }


def _firing_tokens(acts: Array, corpus: _Corpus) -> dict[str, Array]:
    tokens = np.asarray(corpus.tokens)
    ids = np.full((len(acts), KEPT), -1, np.int32)
    counts = np.zeros((len(acts), KEPT), np.int32)
    sums = np.zeros((len(acts), KEPT), np.float32)
    for feature, values in enumerate(acts):
        found = np.bincount(tokens[values > 0], minlength=len(corpus.vocabulary))
        order = np.argsort(-found, kind="stable")[:KEPT]
        order = order[found[order] > 0]
        ids[feature, : len(order)], counts[feature, : len(order)] = order, found[order]
        summed = np.bincount(tokens, weights=values, minlength=len(corpus.vocabulary))
        sums[feature, : len(order)] = summed[order]
    return {"firing_tokens/ids": ids, "firing_tokens/counts": counts, "firing_tokens/sums": sums}


def _aligned(acts: Array, corpus: _Corpus) -> dict[str, Array]:
    offsets, documents, rows, maxima = [0], [], [], []
    for values in acts:
        for first, length, document, _ in corpus.passages:
            best = first + int(values[first : first + length].argmax())
            if corpus.documents[document][4] and values[best] > 0:
                documents.append(document)
                rows.append(best)
                maxima.append(values[best])
        offsets.append(len(rows))
    return {
        "aligned/offsets": np.asarray(offsets, np.int64),
        "aligned/documents": np.asarray(documents, np.int32),
        "aligned/rows": np.asarray(rows, np.int64),
        "aligned/maxima": np.asarray(maxima, np.float32),
    }


def _columns(acts: Array, arrays: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    on = acts > 0
    n = np.maximum(on.sum(axis=1), 1)
    mean = acts.sum(axis=1) / n
    away = np.where(on, acts - mean[:, None], 0.0)
    variance = (away**2).sum(axis=1) / n
    std = np.sqrt(variance)
    safe = np.maximum(std, 1e-9)
    columns = {
        "density": on.mean(axis=1),
        "max_activation": acts.max(axis=1),
        "mean_activation": mean,
        "std_activation": std,
        "skewness": (away**3).sum(axis=1) / n / safe**3,
        "kurtosis": np.where(std > 0, (away**4).sum(axis=1) / n / safe**4 - 3, 0.0),
        "language_independence": rng.random(len(acts)),
        "neuron_correlation": arrays["neurons/pearson"][:, 0],
        "nearest_cosine": arrays["neighbours/cosines"][:, 0],
        "map_x": rng.normal(size=len(acts)),
        "map_y": rng.normal(size=len(acts)),
    }
    numbers = {
        "firings": on.sum(axis=1),
        "cluster": rng.integers(-1, 5, len(acts)),
        "token": arrays["firing_tokens/ids"][:, 0],
    }
    total = np.maximum(acts.sum(axis=1), 1e-9)
    columns["token_share"] = arrays["firing_tokens/counts"][:, 0] / n
    columns["token_activation"] = arrays["firing_tokens/sums"][:, 0] / total
    for kind, name in (("languages", "language"), ("sources", "source")):
        counts, sums = arrays[f"{kind}/counts"], arrays[f"{kind}/sums"]
        best = sums.argmax(axis=1)[:, None]
        numbers[name] = np.where(on.any(axis=1), best[:, 0], -1)
        columns[f"{name}_share"] = np.take_along_axis(counts, best, 1)[:, 0] / n
        columns[f"{name}_activation"] = np.take_along_axis(sums, best, 1)[:, 0] / total
    return {f"columns/{k}": np.asarray(v, np.float32) for k, v in columns.items()} | {
        f"columns/{k}": np.asarray(v, np.int32) for k, v in numbers.items()
    }
