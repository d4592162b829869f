"""Rows held out are whole texts, and what is nearly the same text is not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from stored import batch_of

from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    WINDOW_DTYPE,
    Capacity,
    StoreInfo,
)
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import SegmentWriter, StoreBatch, segment_path
from sae_desktop.training.rows.data import held_out_windows, split_rows
from sae_desktop.training.rows.document_split import text_of_rows

SITE = "blocks.0.hook_resid_post"
WINDOW = 20


def store_of(
    folder: Path, texts: list[np.ndarray], titles: list[str] | None = None
) -> ActivationStore:
    """Write texts as windows in a mixed order, as a shuffled harvest does."""
    generator = np.random.default_rng(0)
    pieces = [
        (number, begin, text[begin : begin + WINDOW])
        for number, text in enumerate(texts)
        for begin in range(0, len(text), WINDOW)
    ]
    pieces = [pieces[place] for place in generator.permutation(len(pieces))]
    rows = sum(len(piece) for _, _, piece in pieces)
    info = StoreInfo(model="", sites=[SITE], widths=[4], dtype="float32", keep_first=True)
    documents = np.zeros(len(texts), DOCUMENT_DTYPE)
    documents["ordinal"] = np.arange(len(texts))
    documents["title"] = [title.encode() for title in titles or [""] * len(texts)]
    windows, first = [], 0
    for number, begin, piece in pieces:
        windows.append((first, len(piece), number, begin, -1))
        first += len(piece)
    plain = batch_of(info, {SITE: generator.normal(size=(rows, 4))})
    folder.mkdir()
    writer = SegmentWriter.create(
        segment_path(folder, 0), info, Capacity(rows, len(windows), len(texts))
    )
    writer.append(
        StoreBatch(
            activations=plain.activations,
            tokens=np.concatenate([piece for _, _, piece in pieces]).astype("<i4"),
            positions=plain.positions,
            windows=np.array(windows, WINDOW_DTYPE),
            documents=documents,
            spans=plain.spans,
        )
    )
    writer.commit()
    writer.close()
    return ActivationStore.open(folder)


def random_texts(count: int, size: int = 60) -> list[np.ndarray]:
    return [np.random.default_rng(n).integers(0, 5000, size) for n in range(count)]


def test_held_out_rows__are_whole_documents(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", random_texts(100))
    split = split_rows(store, SITE, exclude_massive=False)
    assert sorted([*split.training, *split.held_out]) == list(range(store.rows))
    document = np.repeat(store.windows["document"], store.windows["length"])
    held = set(document[split.held_out].tolist())
    assert not held & set(document[split.training].tolist())
    assert len(split.held_out) == 60 * len(held) == 600
    assert split.texts == 100
    windows = held_out_windows(store, split.held_out)
    assert set(windows["document"].tolist()) == held
    again = split_rows(store, SITE, exclude_massive=False)
    assert np.array_equal(again.held_out, split.held_out)


def test_near_equal_texts__stay_on_one_side(tmp_path: Path) -> None:
    texts = random_texts(40, 200)
    for number in range(10):  # a copy with one word in fifty changed
        copy = texts[number].copy()
        copy[::50] += 1
        texts.append(copy)
    store = store_of(tmp_path / "s", texts)
    text_R = text_of_rows(store, store.rows)
    document = np.repeat(store.windows["document"], store.windows["length"])
    text = {int(d): int(t) for d, t in zip(document, text_R, strict=True)}
    assert all(text[number] == text[40 + number] for number in range(10))
    assert len(set(text.values())) == 40


def test_parts_of_one_text__stay_on_one_side(tmp_path: Path) -> None:
    titles = [f"book {number // 4} (part {number % 4 + 1})" for number in range(40)]
    store = store_of(tmp_path / "s", random_texts(40), titles)
    split = split_rows(store, SITE, exclude_massive=False)
    assert split.texts == 10
    document = np.repeat(store.windows["document"], store.windows["length"])
    held = {int(d) // 4 for d in document[split.held_out]}
    assert len(held) == 1
    assert len(split.held_out) == 240


def test_store_of_one_document__holds_its_last_rows_out(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", random_texts(1, 1000))
    split = split_rows(store, SITE, exclude_massive=False)
    assert split.held_out.tolist() == list(range(900, 1000))
    assert split.texts == 0


def test_earlier_runs__hold_the_last_rows_out(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", random_texts(100))
    split = split_rows(store, SITE, exclude_massive=False, by="rows")
    assert split.held_out.tolist() == list(range(5400, 6000))
