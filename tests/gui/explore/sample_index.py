"""A small index file in the reader's layout, made of real sentences and rules that fire on them.

Feature 0 fires on "Lord", 1 on Chinese, 2 on Python's "def", 3 on Arabic, 4 on newlines, 5 is
dead; the others fire at seeded places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import msgspec
import numpy as np

from sae_desktop.features.reader import KIND, SCHEMA_VERSION, IndexInfo

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
TOP, BUCKETS, PER_BUCKET, BINS = 20, 5, 4, 40


@dataclass
class _Corpus:
    tokens: list[int] = field(default_factory=list)
    language: list[str] = field(default_factory=list)
    windows: list[tuple[int, int, int]] = field(default_factory=list)
    documents: list[tuple[bytes, bytes, bytes, bytes]] = field(default_factory=list)
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
        corpus.windows.append((first, len(corpus.tokens) - first, number))
        row = (f"{source}-{number}", source, language, f"Passage {number}")
        corpus.documents.append(tuple(part.encode() for part in row))  # type: ignore[arg-type]
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


def write_index(
    path: Path, *, features: int = 64, repeats: int = 12, dictionary: str = "dict", seed: int = 0
) -> Path:
    """Write an index of `features` features and return its path."""
    rng = np.random.default_rng(seed)
    corpus = _corpus(repeats)
    rows = len(corpus.tokens)
    acts = _activations(corpus, features, rng)
    slots = TOP + BUCKETS * PER_BUCKET
    contexts = {
        "first_row": np.full((features, slots), -1, np.int64),
        "window": np.zeros((features, slots), np.int64),
        "length": np.zeros((features, slots), np.int32),
        "peak": np.zeros((features, slots), np.int32),
        "bucket": np.zeros((features, slots), np.int32),
        "activations": np.zeros((features, slots, CONTEXT_TOKENS), np.float16),
    }
    counts = np.zeros((features, BINS), np.int64)
    window_of = np.repeat(np.arange(len(corpus.windows)), [w[1] for w in corpus.windows])
    for feature in range(features):
        maximum = float(acts[feature].max())
        if maximum == 0.0:
            continue
        fired = np.flatnonzero(acts[feature])
        counts[feature] = np.histogram(acts[feature, fired], BINS, (0.0, maximum))[0]
        _place_contexts(contexts, feature, acts[feature], fired, window_of, corpus, rng)
    fired = acts > 0
    with h5py.File(path, "w") as file:
        _write_attributes(file, features, rows, dictionary)
        file["columns/density"] = fired.mean(axis=1).astype(np.float32)
        file["columns/max_activation"] = acts.max(axis=1)
        total = acts.sum(axis=1) / np.maximum(fired.sum(axis=1), 1)
        file["columns/mean_activation"] = total.astype(np.float32)
        file["histogram_counts"] = counts
        for name, values in contexts.items():
            file[f"contexts/{name}"] = values
        size = len(corpus.vocabulary)
        for side, sign in (("top", 1.0), ("bottom", -1.0)):
            file[f"logits/{side}_ids"] = rng.integers(0, size, (features, 10))
            values = -np.sort(-np.abs(rng.normal(0.6, 0.4, (features, 10))), axis=1)
            file[f"logits/{side}_values"] = (sign * values).astype(np.float32)
        file["neighbours/ids"] = (np.arange(features)[:, None] + np.arange(1, 9)) % features
        cosines = -np.sort(-rng.uniform(0.05, 0.9, (features, 8)), axis=1)
        file["neighbours/cosines"] = cosines.astype(np.float32)
        file["tokens"] = np.asarray(corpus.tokens, np.int32)
        file["windows"] = np.array(
            corpus.windows, dtype=[("first_row", "<i8"), ("length", "<i4"), ("document", "<i8")]
        )
        file["documents"] = np.array(
            corpus.documents,
            dtype=[("id", "S64"), ("source", "S32"), ("language", "S16"), ("title", "S96")],
        )
        data = b"".join(corpus.vocabulary)
        file["vocabulary/bytes"] = np.frombuffer(data, np.uint8)
        lengths = [0, *(len(word) for word in corpus.vocabulary)]
        file["vocabulary/offsets"] = np.cumsum(lengths).astype(np.int64)
    return path


def _place_contexts(contexts, feature, values, fired, window_of, corpus, rng) -> None:
    maximum = float(values.max())
    chosen = [(0, int(row)) for row in fired[np.argsort(-values[fired], kind="stable")][:TOP]]
    for bucket in range(BUCKETS, 0, -1):
        low, high = (bucket - 1) / BUCKETS * maximum, bucket / BUCKETS * maximum
        inside = fired[(values[fired] > low) & (values[fired] <= high)]
        picked = rng.permutation(inside)[:PER_BUCKET]
        chosen += [(bucket, int(row)) for row in picked]
    for slot, (bucket, row) in enumerate(chosen):
        first, length, _ = corpus.windows[window_of[row]]
        start = max(first, min(row - CONTEXT_TOKENS // 2, first + length - CONTEXT_TOKENS))
        end = min(start + CONTEXT_TOKENS, first + length)
        contexts["first_row"][feature, slot] = start
        contexts["window"][feature, slot] = window_of[row]
        contexts["length"][feature, slot] = end - start
        contexts["peak"][feature, slot] = row - start
        contexts["bucket"][feature, slot] = bucket
        contexts["activations"][feature, slot, : end - start] = values[start:end]


def _write_attributes(file: h5py.File, features: int, rows: int, dictionary: str) -> None:
    info = IndexInfo(
        dictionary=dictionary,
        model="builtin",
        site="blocks.3.hook_resid_post",
        activations="acts",
        corpus="builtin",
        rows=rows,
        features=features,
        buckets=BUCKETS,
        context_tokens=CONTEXT_TOKENS,
        bos_prepended=True,
        config="{}",
    )
    file.attrs["kind"] = KIND
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["info"] = msgspec.json.encode(info).decode()
